"""The poll: what is new and what has changed at Nexus, through one connection (contract 7.1 to 7.4).

Nexus cannot say what has changed. So the days around now are listed, and a consignment is read again when its row
differs from the one that was last seen; what is on none of these days is asked for one by one, the oldest first.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import date, datetime, time, timedelta
from functools import partial
from typing import Any, NamedTuple

from palletflow.deployment import Deployment
from palletflow.intake.template import Fault
from palletflow.network_errors import NetworkError, UnknownOutcome
from palletflow.networks.nexus.consignment_import import OF_ONE, ConsignmentImport, Whole
from palletflow.networks.nexus.record import Summary
from palletflow.networks.nexus.work import DOCUMENT_FETCH, NETWORK, Access
from palletflow.store import customers, listed_records, syncs, tracking, watermarks
from palletflow.store.connection import Connection
from palletflow.store.imports import Batch
from palletflow.store.listed_records import Listed
from palletflow.store.tracking import Due

STREAM = "orders"
# Filter of the list: days after today that its window ends [NX-7-3, NX-7-4, NX-7-5].
QUERIES = {"CreatedDate": 0, "ManifestDate": 1, "DeliveryDate": 0}
# What a run takes in before it leaves the rest to the next one.
BUDGET = timedelta(seconds=150)
# New ones are stored so many at a time.
CHUNK = 50
# The open set [NX-7-6]; so long after its delivery was due, nothing more is expected of a consignment.
OPEN_MOST, OPEN_AGE, OPEN_DAYS = 60, timedelta(minutes=15), 30
# A bad one is tried again so often by itself [NX-7-12].
RETRIES = 5
# So many in a row without an answer, at first or at all, are no accident of one consignment.
DOWN_AT_FIRST, DOWN = 3, 10

Window = tuple[date, date]


class Polled(NamedTuple):
    """What a poll brought.

    `listed`: consignments that the lists showed; `read`: those of them, and of the open set, that were read;
    `created` to `ignored`: what became of the records read; `statuses`: statuses that were new; `failed`: consignments
    to be tried again; `left`: changed ones that the next poll reads.
    """

    listed: int
    read: int
    created: int
    updated: int
    unchanged: int
    rejected: int
    ignored: int
    statuses: int
    failed: int
    left: int

    def line(self) -> str:
        """The one line for the task log."""
        return ", ".join(f"{count} {name}" for name, count in self._asdict().items() if count or name == "listed")


class _Row(NamedTuple):
    """A row of the list that differs from the one last seen, or could not be taken in then."""

    key: str
    raw: Mapping[str, Any]
    summary: Summary
    known: Listed | None


def poll(
    conn: Connection,
    access: Access,
    plan: Deployment,
    connection: str,
    *,
    asked: tuple[datetime, datetime] | None,
    clock: Callable[[], datetime],
    run: str,
    actor: str,
    report: Callable[[str], None],
    begun: datetime | None = None,
    next_due_at: datetime | None = None,
) -> Polled:
    """Reads what is due since the watermark of a connection, which moves when nothing was left over [NX-7-7].

    `asked`: days to read anew, whatever is known of them and however long it takes; the watermark stays [NX-7-2]. What
    was read since `begun`, when the run began, is not read again by a repeated try. `next_due_at`: when the clock
    starts the next poll, None for one out of turn. Each consignment stays stored once it is. Raises NetworkError,
    psycopg.Error.
    """
    customers.sync(conn, plan.customer_names(), plan.account_rows())
    batch = Batch(NETWORK, STREAM, connection, run, actor, clock())
    polling = _Poll(conn, access, plan, ConsignmentImport(conn, access, plan, batch, clock), asked, clock, begun)
    polled = polling.run(connection, next_due_at)
    report(f"{connection}: {polled.line()}")
    for warning, count in sorted(polling.taking.warnings.items()):
        report(f"{warning} ({count} times)" if count > 1 else warning)
    return polled


def windows(start: date, end: date, longest: int) -> Iterator[Window]:
    """The days from start to end, both included, cut into windows of at most `longest` days [NX-2.2-14]."""
    while start <= end:
        last = min(start + timedelta(days=longest - 1), end)
        yield start, last
        start = last + timedelta(days=1)


class _Poll:
    """One poll on its way."""

    def __init__(
        self,
        conn: Connection,
        access: Access,
        plan: Deployment,
        taking: ConsignmentImport,
        asked: tuple[datetime, datetime] | None,
        clock: Callable[[], datetime],
        begun: datetime | None,
    ) -> None:
        self._conn, self._client, self._plan, self.taking = conn, access.client, plan, taking
        self._mapper, self._formats = access.mapper, access.client.wire.formats
        self._asked, self._clock = asked, clock
        self._started = clock()
        self._begun = begun or self._started
        self._seen: set[str] = set()
        self._given_up: set[str] = set()
        self._waiting: list[_Row] = []
        self._read = self._failed = self._left = self._in_a_row = 0

    def run(self, connection: str, next_due_at: datetime | None) -> Polled:
        """All of it, in the order of the contract."""
        for filters in self._queries(connection):
            for page in self._client.listed(filters):
                self._take_page(page)
        self._take_waiting()
        if self._asked is None:
            self._take_open(connection)
            if not self._left:
                with self._conn.transaction():
                    watermarks.move(self._conn, NETWORK, STREAM, connection, self._midnight(self._today))
                    syncs.is_read_to(self._conn, NETWORK, STREAM, connection, self._started)
        if next_due_at:
            ended = self._clock()
            lag = ended - self._complete_to(connection) if self._left else timedelta(0)
            syncs.succeeded(self._conn, NETWORK, STREAM, connection, at=ended, next_due_at=next_due_at, lag=lag)
        counts = self.taking.counts
        return Polled(
            listed=len(self._seen),
            read=self._read,
            **{name: count for name, count in counts._asdict().items() if name != "records"},
            statuses=self.taking.events,
            failed=self._failed,
            left=self._left,
        )

    def _complete_to(self, connection: str) -> datetime:
        """When the last poll began that left nothing over; before the first one, when this one did."""
        last = syncs.one(self._conn, NETWORK, STREAM, connection)
        return last.read_to if last and last.read_to else self._started

    # Which days

    @property
    def _today(self) -> date:
        return self._formats.local_day(self._started)

    def _midnight(self, day: date) -> datetime:
        return self._formats.moment_of(day, time())

    def _queries(self, connection: str) -> Iterator[dict[str, Any]]:
        """The filters of each list to read."""
        if self._asked:
            start, end = self._formats.local_day(self._asked[0]), self._formats.local_day(_just_before(self._asked[1]))
        else:
            mark = watermarks.read(self._conn, NETWORK, STREAM, connection)
            last = self._formats.local_day(mark) if mark else self._today
            start, end = last - timedelta(days=self._client.settings.overlap_days), self._today
        for field, after in QUERIES.items():
            for window in windows(start, end + timedelta(days=after), self._client.settings.window_chunk_days):
                yield {f"min{field}": window[0], f"max{field}": window[1]}

    # What the lists show

    def _take_page(self, page: Sequence[Mapping[str, Any]]) -> None:
        """Takes in what has changed of consignments that we hold, at once; new ones wait for the end of the lists."""
        rows = {}
        for raw in page:
            summary = self._mapper.reading.summary(raw)
            # What has no key is known by all it says.
            key = self._mapper.key(raw) or f"row {summary.digest.hex()}"
            if key not in self._seen:
                self._seen.add(key)
                rows[key] = raw, summary
        known = listed_records.read(self._conn, NETWORK, rows)
        held = {due.tracking_number: due for due in tracking.holders(self._conn, NETWORK, rows)}
        for key, (raw, summary) in rows.items():
            row = _Row(key, raw, summary, known.get(key))
            if self._is_known(row):
                continue
            # What could not be taken in before comes last, so that it holds up nothing else.
            if key in held and not _has_failed(row):
                self._take_held(row, held[key])
            else:
                self._waiting.append(row)

    def _is_known(self, row: _Row) -> bool:
        """Whether nothing is to be done about a row."""
        known = row.known
        if known is None or known.digest != row.summary.digest:
            return False
        if self._asked:
            return not known.tries and known.read_at >= self._begun
        if known.tries > RETRIES:
            self._given_up.add(row.key)
        return known.tries == 0 or known.tries > RETRIES

    def _take_held(self, row: _Row, due: Due) -> None:
        """Reads a consignment of ours again; where only its whereabouts have changed, the history says it all."""
        if self._is_late():
            self._left += 1
        elif self._asked or row.known is None or not row.summary.has_only_moved(row.known.digest) or self._ends(row):
            self._take([row])
        else:
            with self._asking(partial(self._is_bad, row)):
                read_at = self._clock()
                self.taking.store_moved(due, row.raw, self.taking.history(row.key), read_at)
                self._are_stored([row])

    def _ends(self, row: _Row) -> bool:
        """Whether Nexus has cancelled it, which is kept with its record as well."""
        return self._mapper.is_cancelled(self._mapper.reading.reply(row.raw))

    def _take_waiting(self) -> None:
        """Takes in new ones, then those that could not be taken in before."""
        waiting = sorted(self._waiting, key=_has_failed)
        for start in range(0, len(waiting), CHUNK):
            self._take(waiting[start : start + CHUNK])

    def _take(self, rows: Sequence[_Row]) -> None:
        """Reads consignments whole and stores them together, also when reading comes to a sudden end."""
        read: list[tuple[_Row, Whole]] = []
        try:
            for row in rows:
                if self._is_late():
                    self._left += not _has_failed(row)
                elif not self._mapper.key(row.raw):
                    self._cannot_read(row, Fault("MISSING_VALUE", "consignmentID", "the row has no consignmentID"))
                else:
                    with self._asking(partial(self._is_unreadable, row)):
                        read.append((row, self.taking.read(row.key)))
        finally:
            again = self.taking.store([whole for _, whole in read]) if read else {}
            self._are_stored([row for row, _ in read if row.key not in again])
            for row, _ in read:
                if row.key in again:
                    self._is_bad(row, again[row.key])

    def _are_stored(self, rows: Sequence[_Row]) -> None:
        digests = {row.key: row.summary.digest for row in rows}
        listed_records.read_whole(self._conn, NETWORK, digests, self._clock())

    def _is_late(self) -> bool:
        return self._asked is None and self._clock() - self._started > BUDGET

    # What goes wrong

    @contextmanager
    def _asking(self, fail: Callable[[NetworkError], None]) -> Iterator[None]:
        """Within it one consignment is asked for. What is wrong with it alone goes to `fail`, and the poll goes on.

        Raises UnknownOutcome when it is one of many that get no answer.
        """
        try:
            yield
        except OF_ONE as error:
            fail(error)
            if isinstance(error, UnknownOutcome):
                self._in_a_row += 1
                if self._in_a_row >= (DOWN if self._read else DOWN_AT_FIRST):
                    raise
        else:
            self._read += 1
            self._in_a_row = 0

    def _is_unreadable(self, row: _Row, error: NetworkError) -> None:
        self._cannot_read(row, Fault("NOT_READABLE", "", str(error)), isinstance(error, UnknownOutcome))

    def _cannot_read(self, row: _Row, fault: Fault, is_unanswered: bool = False) -> None:
        """Quarantines the row of what cannot be read whole [NX-7-12, NX-2.3-18]."""
        self.taking.park(dict(row.raw), fault, self._clock())
        self._count_failure(row, is_unanswered)

    def _is_bad(self, row: _Row, error: NetworkError | None) -> None:
        """Counts a reading that could not be taken in whole; `error`: why, when the quarantine does not say it."""
        if error:
            self.taking.warnings[f"Consignment {row.key}: {error}"] += 1
        self._count_failure(row, isinstance(error, UnknownOutcome))

    def _count_failure(self, row: _Row, is_unanswered: bool) -> None:
        self._failed += 1
        # While nothing at all is read it may be Nexus: nobody is given up for that.
        most = RETRIES if is_unanswered and not self._read else RETRIES + 1
        listed_records.failed(self._conn, NETWORK, {row.key: row.summary.digest}, self._clock(), most)

    # What the lists do not show

    def _take_open(self, connection: str) -> None:
        """Asks for consignments of ours that are open and on none of the days listed [NX-7-6, NX-7-10]."""
        ours = self._plan.network(NETWORK).depots
        due = tracking.still_open(
            self._conn,
            NETWORK,
            [depot for depot, of in ours.items() if of == connection],
            list(ours),
            besides=self._seen - self._given_up,
            chase=DOCUMENT_FETCH,
            now=self._started,
            polled_before=self._started - OPEN_AGE,
            max_days=OPEN_DAYS,
            most=OPEN_MOST if self.taking.wants_statuses else 0,
        )
        for one in due:
            if self._is_late():
                break  # the next poll begins with them
            with self._asking(partial(self._is_lost, one)):
                again = self.taking.store([self.taking.read(one.tracking_number)])
                for error in again.values():
                    self._is_lost(one, error)

    def _is_lost(self, one: Due, error: NetworkError | None) -> None:
        """Lets others go first next time."""
        self._failed += 1
        if error:
            self.taking.warnings[f"Consignment {one.tracking_number}: {error}"] += 1
        tracking.asked(self._conn, one.consignment_id, self._clock())


def _has_failed(row: _Row) -> bool:
    return row.known is not None and row.known.tries > 0


def _just_before(moment: datetime) -> datetime:
    return moment - timedelta(microseconds=1)
