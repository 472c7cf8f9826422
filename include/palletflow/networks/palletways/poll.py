"""The poll: what notes and statuses Palletways has for one depot's key (contract 2.6 and 4.3).

The feed of notes says whose status may have changed; those are asked for at once, the others in turn. Interrupted
anywhere and repeated it ends the same: a note stays a hint until what it hints at is stored.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any, NamedTuple

from palletflow.deployment import Deployment
from palletflow.intake.template import Fault
from palletflow.network_errors import NetworkError, NotFound, Rejected, Throttled, UnknownOutcome
from palletflow.networks.palletways import notes, photo_download, pod, statuses, times
from palletflow.networks.palletways.client import PalletwaysClient
from palletflow.networks.palletways.errors import MethodRefused, MethodUnavailable, UnreadableAnswer
from palletflow.networks.palletways.parking import Parking
from palletflow.networks.palletways.status_import import store_status
from palletflow.networks.palletways.statuses import Shown
from palletflow.networks.palletways.work import NETWORK, Access
from palletflow.store import activity, network_notes, sweeps, syncs, tracking, watermarks
from palletflow.store.connection import Connection
from palletflow.store.network_notes import Hinted, Note

STREAM = "notes"
# Of the feed: what is read again, how far back the first run looks, and what is read in slices instead [PW-2.6-3..7].
OVERLAP, FIRST, GAP, SLICE = timedelta(seconds=120), timedelta(hours=24), timedelta(hours=24), timedelta(hours=6)
# From this code on it is near its delivery [PW-4.3-2]; so long after that was due nothing is expected [PW-4.3-3].
NEAR_CODE, STALE = 675, timedelta(days=60)
# What a run asks for before it leaves the rest to the next one.
BUDGET = timedelta(minutes=4)
# What may be wrong with one consignment alone, and what looks like it and is wrong with the connection.
OF_ONE, OF_ALL = (Rejected, NotFound, UnknownOutcome), (MethodUnavailable, MethodRefused)
# So many in a row without an answer, at first or at all, are no accident of one consignment.
DOWN_AT_FIRST, DOWN = 3, 10


class Polled(NamedTuple):
    """What a poll brought.

    `notes`: read from the feed, `foreign` those of no consignment of ours; `asked`: consignments whose status was asked
    for; `statuses`: codes that were new; `completed`: deliveries first seen; `parked`: records quarantined; `failed`:
    consignments not answered for; `left`: those that the next poll asks for; `stale`: given up.
    """

    notes: int
    foreign: int
    asked: int
    statuses: int
    completed: int
    parked: int
    failed: int
    left: int
    stale: int

    def line(self) -> str:
        """The one line for the task log."""
        return ", ".join(f"{count} {name}" for name, count in self._asdict().items() if count or name == "notes")


def poll(
    conn: Connection,
    access: Access,
    plan: Deployment,
    depot: str,
    *,
    asked: tuple[datetime, datetime] | None,
    clock: Callable[[], datetime],
    run: str,
    actor: str,
    report: Callable[[str], None],
    next_due_at: datetime | None = None,
) -> Polled:
    """Reads what is due for a depot, through its key.

    `asked`: the notes of that time are read instead, and the status of every consignment they name; watermark and
    schedule stay. `next_due_at`: when the clock starts the next poll, None for one out of turn. Each consignment stays
    stored once it is. Raises NetworkError, psycopg.Error.
    """
    parking = Parking(conn, access.mapper, depot, run, actor)
    polling = _Poll(conn, access, plan, depot, clock, actor, parking)
    if not plan.network(NETWORK).switches.status_import:
        report(f"{depot}: status_import is switched off in the deployment file")
    elif asked:
        polling.back_read(*asked)
    else:
        polling.run(next_due_at)
    polled = polling.polled()
    report(f"{depot}: {polled.line()}")
    for warning, count in sorted(polling.warnings.items()):
        report(f"{warning} ({count} times)" if count > 1 else warning)
    return polled


def slices(start: datetime, end: datetime) -> Iterator[tuple[datetime, datetime]]:
    """The time from start to end in slices that meet, none longer than SLICE [PW-2.6-7]."""
    while start < end:
        last = min(start + SLICE, end)
        yield start, last
        start = last


class _Poll:
    """One poll on its way."""

    def __init__(
        self,
        conn: Connection,
        access: Access,
        plan: Deployment,
        depot: str,
        clock: Callable[[], datetime],
        actor: str,
        parking: Parking,
    ) -> None:
        self._conn, self._access, self._depot, self._clock = conn, access, depot, clock
        self._actor, self._parking = actor, parking
        self._ours = list(plan.network(NETWORK).depots)
        self._settings = access.client.settings
        self._rules = pod.rules_of(access)
        self._started = clock()
        self._counts: Counter[str] = Counter()
        self._in_a_row = 0
        self._is_timed = True
        # Since when the longest waits of what is left over, None while nothing is.
        self._waits_since: datetime | None = None
        self.warnings: Counter[str] = Counter()

    def polled(self) -> Polled:
        """The counts so far."""
        self._counts["parked"] = self._parking.count
        return Polled(*(self._counts[name] for name in Polled._fields))

    def run(self, next_due_at: datetime | None) -> None:
        """The feed first, then whom it names, then whose turn it is."""
        photo_download.note_start(self._conn, self._settings, self._started)
        self._read_feed()
        self._follow(self._access.client, network_notes.hinted(self._conn, NETWORK, self._depot))
        self._sweep()
        self._give_up()
        if next_due_at:
            ended = self._clock()
            lag = ended - (self._waits_since or ended)
            syncs.succeeded(self._conn, NETWORK, STREAM, self._depot, at=ended, next_due_at=next_due_at, lag=lag)

    def back_read(self, start: datetime, end: datetime) -> None:
        """Reads the notes of a time anew and asks for all of ours that they name, however long it takes."""
        self._is_timed = False
        client = self._access.client.in_background()
        named: dict[int, Hinted] = {}
        for window in slices(start, end):
            for due in self._take(client.notes_between(*window), read_to=None):
                named[due.consignment_id] = due
        self._follow(client, list(named.values()))

    # The feed

    def _read_feed(self) -> None:
        """Reads what has changed since the greatest Delta seen; a long gap in slices first."""
        last = syncs.one(self._conn, NETWORK, STREAM, self._depot)
        if last and last.read_to and self._started - last.read_to > GAP:
            client = self._access.client.in_background()
            for window in slices(last.read_to - OVERLAP, self._started):
                self._take(client.notes_between(*window), read_to=window[1])
        mark = watermarks.read(self._conn, NETWORK, STREAM, self._depot)
        since = mark - OVERLAP if mark else self._started - FIRST
        self._take(self._access.client.notes_since(int(since.timestamp())), read_to=self._started)

    def _take(self, records: Sequence[Any], read_to: datetime | None) -> list[Hinted]:
        """Keeps notes of consignments of ours with the mark they move; those consignments.

        `read_to`: up to when the feed is read with them, None when that is to stay as it is.
        """
        good: list[Note] = []
        for record in records:
            read = notes.read(
                record, zone=self._settings.zone, pattern=self._settings.tracking_id_pattern, now=self._started
            )
            if isinstance(read, Fault):
                self._parking.park(STREAM, notes.key_of(record), record, read, self._started)
            else:
                good.append(read)
        holders = {
            due.tracking_number: due
            for due in tracking.holders(self._conn, NETWORK, {note.tracking_number for note in good})
        }
        ours = [
            (holders[note.tracking_number].consignment_id, note) for note in good if note.tracking_number in holders
        ]
        with self._conn.transaction():
            network_notes.keep(self._conn, NETWORK, self._depot, ours, self._started)
            if read_to:
                self._move_mark(good)
                syncs.is_read_to(self._conn, NETWORK, STREAM, self._depot, read_to)
        self._counts.update(notes=len(records), foreign=len(good) - len(ours))
        return [Hinted(due.consignment_id, due.tracking_number, "", False, []) for due in holders.values()]

    def _move_mark(self, good: Sequence[Note]) -> None:
        if good:
            greatest = datetime.fromtimestamp(max(note.delta for note in good), UTC)
            # Ahead of our clock it would hide what changes between now and then.
            watermarks.move(self._conn, NETWORK, STREAM, self._depot, min(greatest, self._started))

    # Whose status is asked for

    def _follow(self, client: PalletwaysClient, hinted: Sequence[Hinted]) -> None:
        """Asks for those that notes speak of [PW-4.3-1]; of those that were lost before, until one is lost again.

        Several that are never answered would else stop the sweep in every run [PW-4.3-4].
        """
        for position, one in enumerate(hinted):
            if self._says_no_more(one):
                self._store(one, None, [], self._started)
            elif not self._ask(client, one):
                self._leave(len(hinted) - position, self._started)
                break
            elif one.was_lost and self._in_a_row:
                self._leave(len(hinted) - position - 1, self._started)
                break

    def _says_no_more(self, one: Hinted) -> bool:
        """Whether the notes of what is complete say nothing else: then nothing is left to ask [PW-4.3-3]."""
        return one.has_ended and set(one.codes) <= {"", *self._rules.completed}

    def _sweep(self) -> None:
        """Asks for those of which nothing was heard in a while, the most overdue first [PW-4.3-2]."""
        client = self._access.client.in_background()
        due = sweeps.due(
            self._conn,
            NETWORK,
            self._depot,
            self._ours,
            now=self._started,
            today=self._today,
            near_code=NEAR_CODE,
            near=timedelta(minutes=self._settings.sweep_near_minutes),
            far=timedelta(minutes=self._settings.sweep_far_minutes),
        )
        for position, turn in enumerate(due):
            one = Hinted(turn.consignment_id, turn.tracking_number, turn.consignment_number, False, [])
            if not self._ask(client, one):
                self._leave(len(due) - position, turn.due_at or self._started)
                break

    def _ask(self, client: PalletwaysClient, one: Hinted) -> bool:
        """Asks for one status and stores it; False when no time, or no call, is left for it.

        What is wrong with it alone is counted and stops no other. Raises UnknownOutcome when it is one of many that get
        no answer.
        """
        asked_at = self._clock()
        if self._is_timed and asked_at - self._started > BUDGET:
            return False
        try:
            data = client.dynamic_status(one.tracking_number, one.consignment_number)
        except Throttled as error:
            self.warnings[str(error)] += 1
            return False
        except OF_ALL:
            raise
        except OF_ONE as error:
            self._is_lost(one, error, asked_at)
            return True
        self._counts["asked"] += 1
        self._in_a_row = 0
        shown = statuses.shown(data, self._rules)
        if shown:
            self._store(one, shown, self._notes_at_completion(client, one, shown, asked_at), asked_at)
        else:
            self._shows_none(one, data, asked_at)
        return True

    def _store(self, one: Hinted, shown: Shown | None, found: Sequence[Note], asked_at: datetime) -> None:
        news = store_status(
            self._conn,
            one.consignment_id,
            one.tracking_number,
            shown,
            notes=found,
            access=self._access,
            seen_at=asked_at,
            actor=self._actor,
            source=f"{NETWORK} {STREAM} {self._depot}",
        )
        self._counts.update(statuses=news.events, completed=int(news.completed))
        self.warnings.update(dict.fromkeys(news.warnings, 1))

    def _notes_at_completion(
        self, client: PalletwaysClient, one: Hinted, shown: Shown, asked_at: datetime
    ) -> Sequence[Note]:
        """At T0 the notes of what is complete, unless they say already when it was delivered [PW-4.2-4].

        They are read again later, so that what goes wrong here is only told.
        """
        if shown.code not in self._rules.completed or one.has_ended:
            return []
        if pod.is_known(self._conn, one.consignment_id, one.tracking_number):
            return []
        try:
            return pod.of_one(client, one.tracking_number, asked_at)
        except (*OF_ONE, Throttled) as error:
            self.warnings[f"Notes of {one.tracking_number}: {error}"] += 1
            return []

    # What goes wrong

    def _is_lost(self, one: Hinted, error: NetworkError, asked_at: datetime) -> None:
        """Lets others go first; what is refused waits for its turn. Raises the error when it is one of many."""
        self._counts["failed"] += 1
        self.warnings[f"{one.tracking_number}: {error}"] += 1
        if isinstance(error, UnreadableAnswer):
            self._park_status(one, {"TrackingID": one.tracking_number, "Answer": error.detail}, asked_at)
        if not isinstance(error, UnknownOutcome):
            self._waits_for_its_turn(one, asked_at)
            return
        tracking.asked(self._conn, one.consignment_id, asked_at)
        self._in_a_row += 1
        if self._in_a_row >= (DOWN if self._counts["asked"] else DOWN_AT_FIRST):
            raise error

    def _waits_for_its_turn(self, one: Hinted, asked_at: datetime) -> None:
        with self._conn.transaction():
            tracking.asked(self._conn, one.consignment_id, asked_at)
            network_notes.followed(self._conn, one.consignment_id, asked_at)

    def _shows_none(self, one: Hinted, data: Any, asked_at: datetime) -> None:
        """An answer without a status: nothing is known then, least of all that it was delivered [PW-2.5-2]."""
        self._counts["failed"] += 1
        if data:
            self._park_status(one, data, asked_at)
        self.warnings[
            f"{one.tracking_number}: Palletways shows {'no status that can be read' if data else 'nothing'}"
        ] += 1
        self._waits_for_its_turn(one, asked_at)

    def _park_status(self, one: Hinted, raw: Any, asked_at: datetime) -> None:
        fault = Fault("STATUS_UNREADABLE", "StatusCode", "no status code can be made out of the answer")
        self._parking.park("statuses", f"status of {one.tracking_number}", raw, fault, asked_at)

    def _leave(self, count: int, since: datetime) -> None:
        self._counts["left"] += count
        self._waits_since = min(self._waits_since or since, since)

    def _give_up(self) -> None:
        """Lists what should have been delivered long ago; nobody asks for it any more [PW-4.3-3]."""
        before = self._today - STALE
        with self._conn.transaction():
            for consignment_id in sweeps.give_up(
                self._conn, NETWORK, self._depot, self._ours, now=self._started, before=before
            ):
                self._counts["stale"] += 1
                warning = f"Not delivered {STALE.days} days after it was due: Palletways is no longer asked for it"
                source = f"{NETWORK} {STREAM} {self._depot}"
                activity.record(self._conn, consignment_id, "given up", self._actor, source, warnings=[warning])

    @property
    def _today(self) -> date:
        return times.local_day(self._started, self._settings.zone)
