"""The figures of the house as one sees them from outside, read from the order store: for alerts and metrics.

Levels are as they are now. Counts are what came since the last look of whoever counts: a Counter remembers up to where
it has counted, so nothing is counted twice and nothing missed that was committed late. What happened before its first
look it does not count.
"""

from collections import Counter as Tally
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from psycopg.rows import class_row

from palletflow.store import call_budgets
from palletflow.store.call_windows import WINDOW_S
from palletflow.store.connection import Connection

LATELY = timedelta(hours=1)
# Of work that is due. Sweeps come every ten minutes and a drain works for eight.
WAITS_TOO_LONG = timedelta(minutes=30)
# So many batches back are looked through for those of the last hour.
BATCHES = 5000

WORK = """
SELECT network, kind, count(*) FILTER (WHERE parked_at IS NULL AND due_at <= now()) AS due,
       count(*) FILTER (WHERE lease IS NOT NULL AND due_at > now()) AS held,
       count(*) FILTER (WHERE parked_at IS NOT NULL) AS parked,
       min(due_at) FILTER (WHERE parked_at IS NULL AND due_at <= now()) AS due_since,
       min(parked_at) AS parked_since,
       count(*) FILTER (WHERE parked_at > now() - %(lately)s) AS parked_lately,
       coalesce(mode() WITHIN GROUP (ORDER BY last_error) FILTER (WHERE parked_at IS NOT NULL), '') AS parked_for
FROM work_items GROUP BY network, kind ORDER BY network, kind
"""
QUARANTINED = """
WITH open AS (
    SELECT network, reason_code, count(*) AS waiting FROM inbound_records
    WHERE outcome = 'rejected' AND settled_at IS NULL GROUP BY network, reason_code
), batches AS (
    SELECT min(id) AS first FROM (
        SELECT id, stored_at FROM inbound_batches ORDER BY id DESC LIMIT %(batches)s
    ) AS newest WHERE stored_at > now() - %(lately)s
), fresh AS (
    SELECT r.network, r.reason_code, count(*) AS lately
    FROM batches JOIN inbound_records r ON r.batch_id >= batches.first
    WHERE r.outcome = 'rejected' AND r.settled_at IS NULL GROUP BY r.network, r.reason_code
)
SELECT network, reason_code, waiting, coalesce(lately, 0) AS lately
FROM open LEFT JOIN fresh USING (network, reason_code) ORDER BY network, reason_code
"""
QUARANTINED_FILES = """
SELECT network, count(*) FROM quarantined_files WHERE seen_at > now() - interval '1 day' GROUP BY network
"""
FLAGGED = "SELECT connection, reason, flagged_at AS since FROM connection_flags ORDER BY connection"
LOST = "SELECT count(*) FROM lost_documents"
DISPATCHES = """
SELECT dispatch_state, count(*) FROM consignments
WHERE dispatch_state IN ('todo', 'waiting', 'failed', 'unknown') GROUP BY dispatch_state
"""
STANDING = "SELECT area, count(*) FROM alerts WHERE area IS NOT NULL AND over_at IS NULL GROUP BY area"
WINDOWS = """
SELECT rate_group AS name,
       (SELECT count(*) FROM unnest(starts) AS start WHERE start > clock_timestamp() - %(window)s) AS calls,
       (SELECT count(*) FROM unnest(background) AS start WHERE start > clock_timestamp() - %(window)s) AS background,
       coalesce(paused_until > now(), false) AS paused, silent_since IS NOT NULL AS silent
FROM call_windows ORDER BY rate_group
"""
# A call in flight is an advisory lock with two keys: the budget's name and the number of the place.
BUDGETS = """
SELECT b.budget AS name, count(held.objid) AS in_flight, coalesce(b.paused_until > now(), false) AS paused
FROM call_budgets b LEFT JOIN pg_locks held
  ON held.locktype = 'advisory' AND held.granted AND held.objsubid = 2 AND held.objid <> (%(line)s & 4294967295)::oid
 AND held.database = (SELECT oid FROM pg_database WHERE datname = current_database())
 AND held.classid = (hashtext('palletflow calls ' || b.budget)::bigint & 4294967295)::oid
GROUP BY b.budget ORDER BY b.budget
"""
WAITING = "SELECT FROM work_items WHERE parked_at IS NULL AND due_at <= now() - %s LIMIT 1"
LOOKED = """
INSERT INTO watch_looks (looked_at) VALUES (clock_timestamp())
ON CONFLICT (only_one) DO UPDATE SET looked_at = excluded.looked_at
"""
LOOKED_LATELY = "SELECT FROM watch_looks WHERE looked_at > now() - %s"
# Rows of a transaction are counted once no older one can still commit any.
HORIZON = "SELECT pg_snapshot_xmin(pg_current_snapshot())::text"
ACTIVITY = """
SELECT c.network, a.kind, count(*) FROM activity a JOIN consignments c ON c.id = a.consignment_id
WHERE a.xact >= %(since)s::text::xid8 AND a.xact < %(horizon)s::text::xid8 AND a.kind = ANY (%(kinds)s)
GROUP BY c.network, a.kind
"""
IMPORTED = """
SELECT id, network, stream, created, updated, unchanged, rejected, ignored FROM inbound_batches
ORDER BY id DESC LIMIT %(batches)s
"""
TOLD = "SELECT subject, told_at FROM alerts WHERE told_at IS NOT NULL"

IMPORT_OUTCOMES = ("created", "updated", "unchanged", "rejected", "ignored")
# What the activity history calls it: what it counts for, and the outcome.
COUNTED = {
    "dispatched": ("dispatched", "accepted"),
    "dispatch stopped before sending": ("dispatched", "stopped"),
    "dispatch refused by the network": ("dispatched", "refused"),
    "photos fetched": ("photo_searches", "found"),
    "no photos found": ("photo_searches", "none"),
    "photo uploaded": ("uploads", "done"),
    "photo refused": ("uploads", "refused"),
    "photo upload failed": ("uploads", "failed"),
    "document sent": ("uploads", "done"),
    "document refused": ("uploads", "refused"),
    "statuses sent": ("statuses_told", "done"),
    "statuses refused": ("statuses_told", "refused"),
}


class Work(NamedTuple):
    """Of one kind of work. `due`: to be done now, `due_since` the longest; `held`: being done. `parked_for`: the reason
    most have, "" when none is parked."""

    network: str
    kind: str
    due: int
    held: int
    parked: int
    due_since: datetime | None
    parked_since: datetime | None
    parked_lately: int
    parked_for: str


class Quarantine(NamedTuple):
    """Open records of one network and reason; how many of them came within the last hour."""

    network: str
    reason_code: str
    waiting: int
    lately: int


class Flagged(NamedTuple):
    """A connection that is not used until a check passes."""

    connection: str
    reason: str
    since: datetime


class Window(NamedTuple):
    """Of a limit by the minute: calls of the last minute, of background work among them; whether nobody may call now,
    by the network's wish or as it does not answer."""

    name: str
    calls: int
    background: int
    paused: bool
    silent: bool


class Budget(NamedTuple):
    """Calls in flight of a connection; whether nobody may call now."""

    name: str
    in_flight: int
    paused: bool


class Figures(NamedTuple):
    """Levels. `dispatches`: consignments by dispatch state; `quarantined_files`: by network, of the last day;
    `standing`: alerts by area."""

    work: list[Work]
    quarantine: list[Quarantine]
    flagged: list[Flagged]
    lost_documents: int
    dispatches: dict[str, int]
    quarantined_files: dict[str, int]
    windows: list[Window]
    budgets: list[Budget]
    standing: dict[str, int]


# (what, {label: value}) to how many.
Counts = Mapping[tuple[str, tuple[tuple[str, str], ...]], int]


def read(conn: Connection) -> Figures:
    """The levels now."""
    return Figures(
        work=_rows(conn, Work, WORK, lately=LATELY),
        quarantine=_rows(conn, Quarantine, QUARANTINED, lately=LATELY, batches=BATCHES),
        flagged=_rows(conn, Flagged, FLAGGED),
        lost_documents=conn.execute(LOST).fetchall()[0][0],
        dispatches=dict(conn.execute(DISPATCHES).fetchall()),
        quarantined_files=dict(conn.execute(QUARANTINED_FILES).fetchall()),
        windows=_rows(conn, Window, WINDOWS, window=timedelta(seconds=WINDOW_S)),
        budgets=_rows(conn, Budget, BUDGETS, line=call_budgets.LINE),
        standing=dict(conn.execute(STANDING).fetchall()),
    )


def work_waits(conn: Connection) -> bool:
    """Whether anything that is due has waited for too long."""
    return conn.execute(WAITING, (WAITS_TOO_LONG,)).fetchone() is not None


def looked(conn: Connection) -> None:
    """Keeps that the watch has looked at everything just now."""
    conn.execute(LOOKED)


def was_looked(conn: Connection, within: timedelta) -> bool:
    """Whether the watch has looked within that time."""
    return conn.execute(LOOKED_LATELY, (within,)).fetchone() is not None


class Counter:
    """Counts what comes from one look to the next."""

    def __init__(self) -> None:
        self._horizon: str | None = None
        self._batches: set[int] | None = None
        self._told: set[tuple[Any, ...]] | None = None

    def count(self, conn: Connection) -> Counts:
        """What came since the last call; nothing the first time."""
        counts: Tally[tuple[str, tuple[tuple[str, str], ...]]] = Tally()
        self._count_activity(conn, counts)
        self._count_imports(conn, counts)
        told = set(conn.execute(TOLD).fetchall())
        counts["alerts_told", ()] += len(told - self._told) if self._told is not None else 0
        self._told = told
        return +counts

    def _count_activity(self, conn: Connection, counts: Tally[Any]) -> None:
        [(horizon,)] = conn.execute(HORIZON).fetchall()
        if self._horizon is not None:
            values = {"since": self._horizon, "horizon": horizon, "kinds": list(COUNTED)}
            for network, kind, number in conn.execute(ACTIVITY, values):
                what, outcome = COUNTED[kind]
                counts[what, (("network", network), ("outcome", outcome))] += number
        self._horizon = horizon

    def _count_imports(self, conn: Connection, counts: Tally[Any]) -> None:
        found = {row[0]: row[1:] for row in conn.execute(IMPORTED, {"batches": BATCHES})}
        if self._batches is not None:
            # An older one than any of those comes into sight as others are deleted.
            oldest = min(self._batches) if len(self._batches) == BATCHES else 0
            for batch_id in found.keys() - self._batches:
                network, stream, *numbers = found[batch_id]
                labels = (("network", network), ("stream", stream))
                for outcome, number in zip(IMPORT_OUTCOMES, numbers, strict=True):
                    counts["imported", (*labels, ("outcome", outcome))] += number if batch_id > oldest else 0
        self._batches = set(found)


def _rows(conn: Connection, kind: type[Any], query: str, **values: object) -> list[Any]:
    with conn.cursor(row_factory=class_row(kind)) as cursor:
        return cursor.execute(query.encode(), values).fetchall()
