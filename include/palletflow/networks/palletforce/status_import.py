"""Reads statuses from Palletforce into the order store (contract 2.3 and 5), one consignment a transaction.

Interrupted anywhere and repeated it ends the same: what is stored already is recognised, and what a consignment's
statuses do is worked out anew from all of them each time.
"""

from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import datetime, timedelta
from itertools import islice
from typing import Any, NamedTuple

from palletflow.network_errors import NotFound, Rejected, UnknownOutcome
from palletflow.networks.palletforce import statuses, wire
from palletflow.networks.palletforce.client import PalletforceClient
from palletflow.networks.palletforce.mapper import NETWORK, Mapper
from palletflow.networks.palletforce.pull import windows
from palletflow.networks.palletforce.statuses import Rules
from palletflow.orders.tracking import Event
from palletflow.store import activity, barcodes, syncs, tracking, watermarks, whereabouts
from palletflow.store.connection import Connection
from palletflow.store.tracking import Due, Tracked

STREAM = "depot_statuses"
FIRST_WINDOW = timedelta(hours=24)
# So many consignments in a row without a readable answer, each after its retries, are no accident of one.
MOST_FAILURES = 3


class Imported(NamedTuple):
    """What a run brought. `changed`: consignments of which anything changed; `failed`: those not answered for."""

    consignments: int
    changed: int
    events: int
    echoes: int
    failed: int


class StatusImport:
    """One run over the consignments of a depot. `warnings` counts what a person should see, by text."""

    def __init__(
        self,
        conn: Connection,
        client: PalletforceClient,
        mapper: Mapper,
        *,
        clock: Callable[[], datetime],
        actor: str,
    ) -> None:
        self._conn, self._client, self._clock, self._actor = conn, client, clock, actor
        self._aliases = mapper.template.aliases
        self._rules = Rules(mapper.template.sections["statuses"], client.settings)
        self._counts: Counter[str] = Counter()
        self.warnings: Counter[str] = Counter()

    def poll(
        self, depot: str, ours: Sequence[str], polled_before: datetime, next_due_at: datetime | None = None
    ) -> Imported:
        """Asks for every consignment of a depot whose turn it is, or for the depot's window in mode `depot`.

        `ours`: all depots of ours. Those asked for since `polled_before` are left out, so that a repeated run goes on
        where it was interrupted. `next_due_at`: when the clock starts the next run, None for one out of turn. Raises
        NetworkError, psycopg.Error; what was stored until then stays.
        """
        if self._client.settings.tracking_mode == "depot":
            self._poll_windows(depot)
        else:
            settings = self._client.settings
            self.ask(
                tracking.due(
                    self._conn,
                    NETWORK,
                    depot,
                    ours,
                    now=self._clock(),
                    polled_before=polled_before,
                    keep_days=settings.tracking_keep_days,
                    max_days=settings.tracking_max_days,
                ),
                depot,
            )
        if next_due_at:
            syncs.succeeded(self._conn, NETWORK, STREAM, depot, at=self._clock(), next_due_at=next_due_at)
        return self.imported()

    def one(self, tracking_number: str, depot: str) -> Imported:
        """Asks for one consignment, whether it is due or not. Raises NotFound when we hold none of that number."""
        found = tracking.holders(self._conn, NETWORK, [tracking_number])
        if not found:
            raise NotFound(self._client.settings.connection, "DownloadTracking", f"we hold no {tracking_number}")
        self.ask(found, depot)
        return self.imported()

    def imported(self) -> Imported:
        """The counts so far."""
        return Imported(*(self._counts[name] for name in Imported._fields))

    def ask(self, due: Sequence[Due], depot: str) -> None:
        """Asks for consignments, as many calls at a time as the connection allows, and stores each answer.

        One that is refused or never answered readably stops no other; several in a row mean that the network is down.
        """
        in_a_row = 0
        for one, answer in self._answers(due):
            try:
                elements, read_at = answer.result()
            except (Rejected, UnknownOutcome) as error:
                in_a_row += 1
                if isinstance(error, UnknownOutcome) and in_a_row == MOST_FAILURES:
                    raise
                self._counts["failed"] += 1
                self.warnings[f"{one.tracking_number}: {error}"] += 1
                tracking.asked(self._conn, one.consignment_id, self._clock())
            else:
                in_a_row = 0
                self.store(one, elements, read_at, depot)

    def store(self, due: Due, elements: Sequence[Any], read_at: datetime, depot: str) -> None:
        """Stores the statuses of one consignment and everything that follows from them, in one transaction."""
        source = f"{NETWORK} statuses {depot}"
        with self._conn.transaction():
            held = tracking.locked(self._conn, due.consignment_id)
            if held is None or held.tracking_number != due.tracking_number:
                return  # deleted, or given another number meanwhile
            known = {code: pallet for code, (pallet, _) in held.barcodes.items() if pallet is not None}
            read = statuses.read(
                elements, due.tracking_number, rules=self._rules, aliases=self._aliases, known=known, now=read_at
            )
            news = self._store_events(due, held, read.events)
            everything = [*_without_time(held.imported, news.timed), *news.events, *news.timed]
            # What is wrong with an answer is said again by each one; the history says it beside what is new.
            warnings = list(dict.fromkeys(read.faults)) if news.events or news.timed else []
            warnings += self._follow_barcodes(due, held, everything, source)
            warnings += self._unknown(held, news.events, read_at)
            changes = tracking.move_stops(
                self._conn,
                due.consignment_id,
                statuses.effects(everything, held.pallets, held.roles, self._rules),
            )
            changes |= whereabouts.settle(self._conn, due.consignment_id)
            ended_at = statuses.ended_at(everything, held.pallets, self._rules)
            tracking.polled(self._conn, due.consignment_id, read_at, ended_at)
            told = [event for event in (*news.events, *news.timed) if not event.echo]
            if told or changes or warnings:
                changes["statuses"] = [None, [_named(event) for event in told]]
                activity.record(self._conn, due.consignment_id, "statuses read", self._actor, source, changes, warnings)
        self._counts.update(
            consignments=1,
            changed=int(bool(changes)),
            events=len(news.events) + len(news.timed),
            echoes=sum(event.echo for event in (*news.events, *news.timed)),
        )
        self.warnings.update(dict.fromkeys((*warnings, *read.faults), 1))

    def _store_events(self, due: Due, held: Tracked, heard: list[Event]) -> statuses.News:
        found = statuses.news(held.imported, heard)
        marked = statuses.News(
            *(
                [event._replace(echo=statuses.is_echo(event, held.exported, self._rules)) for event in events]
                for events in found
            )
        )
        tracking.store(self._conn, due.consignment_id, marked.events)
        for event in marked.timed:
            tracking.give_time(self._conn, due.consignment_id, event)
        return marked

    def _follow_barcodes(self, due: Due, held: Tracked, events: list[Event], source: str) -> list[str]:
        """Confirms, adopts and keeps the barcodes that statuses carry; what a person should know of it."""
        current = {
            pallet: code
            for code, (pallet, state) in held.barcodes.items()
            if pallet is not None and state in ("expected", "confirmed")
        }
        found = statuses.drift(
            events,
            held.pallets,
            current,
            held.barcodes.keys(),
            statuses.Routing(held.tracking_number, held.delivery_depot, held.service, held.network_updated_at),
            self._rules,
        )
        if found.adopted:
            barcodes.adopt(self._conn, due.consignment_id, dict(found.adopted), self._actor, source)
        confirmed = [code for code in found.confirmed if held.barcodes.get(code, (0, ""))[1] != "confirmed"]
        if confirmed or found.adopted:
            barcodes.confirm(self._conn, due.consignment_id, found.confirmed)
        for pallet, code in found.older:
            barcodes.keep(self._conn, due.consignment_id, pallet, code)
        for code in found.foreign:
            barcodes.keep(self._conn, due.consignment_id, None, code)
        return [
            f"Palletforce changed the barcode of pallet {pallet} from {current[pallet]} to {code}"
            for pallet, code in found.adopted
            if pallet in current
        ]

    def _unknown(self, held: Tracked, events: list[Event], read_at: datetime) -> list[str]:
        """One warning for each code and day [PF-5-12]."""
        unknown = Counter(event.code for event in events if event.code not in self._rules.codes)
        return [
            f"Palletforce sent the status {code}, which nobody here knows; it is kept as history. "
            "Add it to statuses.codes of the template"
            for code, count in sorted(unknown.items())
            if tracking.unknown_code(self._conn, held.network, code, read_at.date(), count)
        ]

    def _answers(self, due: Sequence[Due]) -> Iterator[tuple[Due, "Future[tuple[list[Any], datetime]]"]]:
        """The answers in the order asked; only a few calls ahead of what is stored."""
        most = self._client.settings.max_in_flight

        def asked(one: Due) -> tuple[list[Any], datetime]:
            elements = self._client.tracking(one.tracking_number)
            return elements, self._clock()

        waiting = iter(due)
        with ThreadPoolExecutor(most, "statuses") as pool:
            ahead = deque((one, pool.submit(asked, one)) for one in islice(waiting, 2 * most))
            try:
                while ahead:
                    yield ahead.popleft()
                    ahead.extend((one, pool.submit(asked, one)) for one in islice(waiting, 1))
            finally:
                pool.shutdown(wait=False, cancel_futures=True)

    def _poll_windows(self, depot: str) -> None:
        """Asks for what happened since the mark, less the overlap; each window ends with the mark moved on."""
        settings, now = self._client.settings, self._clock()
        mark = watermarks.read(self._conn, NETWORK, STREAM, depot)
        start = now - FIRST_WINDOW if mark is None else mark - timedelta(minutes=settings.pull_overlap_min)
        for window in windows(start, now, timedelta(hours=settings.pull_window_h)):
            elements, read_at = self._client.tracking_window(depot, *window), self._clock()
            of: dict[str, list[Any]] = {}
            for element in elements:
                number = wire.field(element, "trackingNumber", self._aliases) if isinstance(element, dict) else None
                of.setdefault(str(number or "").strip(), []).append(element)
            for due in tracking.holders(self._conn, NETWORK, of):
                self.store(due, of[due.tracking_number], read_at, depot)
            with self._conn.transaction():
                watermarks.move(self._conn, NETWORK, STREAM, depot, window[1])
                syncs.is_read_to(self._conn, NETWORK, STREAM, depot, window[1])


def _without_time(held: list[Event], timed: list[Event]) -> Iterator[Event]:
    """The stored events without those that have just got their time."""
    gone = {(event.barcode, event.code) for event in timed}
    return (event for event in held if not (event.estimated and (event.barcode, event.code) in gone))


def _named(event: Event) -> str:
    which = f" pallet {event.pallet}" if event.pallet else f" {event.barcode}".rstrip()
    return f"{event.code}{which} {event.at:%Y-%m-%d %H:%M:%S}"
