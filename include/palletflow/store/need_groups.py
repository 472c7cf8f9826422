"""Quarantined records and parked work put together by their cause, so that one mended setting is one thing to do.

Texts are alike when they differ in quoted values and numbers alone. Where the value itself is what a setting lacks,
such as the account of a customer nobody has entered, it stays in: each of them is a cause of its own.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from psycopg.rows import class_row

from palletflow.store.connection import Connection
from palletflow.store.need_relations import TOLD_BY_DISPATCH
from palletflow.store.needs import MOST, Counted, by_network

# What the deployment file or a template lacks; see the mappers of the networks.
LACKING = ("UNKNOWN_CUSTOMER", "NOT_OUR_DEPOT")
# Groups are made of so many of each network, the newest.
GROUPED = 10_000

ALIKE = "regexp_replace({text}, '''[^'']*''|[0-9]+', '…', 'g')"
REASON = (
    "CASE WHEN r.reason_code IN ("
    + ", ".join(f"'{code}'" for code in LACKING)
    + f") THEN lower(r.reason) ELSE {ALIKE.format(text='r.reason')} END"
)
CAUSE = "left(md5(concat_ws(E'\\x1f', {parts})), 16)"
# Its raw forms are not read.
OPEN = f"""
SELECT r.id, r.network, r.stream, r.reason_code, coalesce(r.field, '') AS field, r.reason, r.read_at, r.record_key,
       r.replays, r.corrected IS NOT NULL AS is_corrected, b.party, r.row_number,
       {CAUSE.format(parts=f"r.network, r.stream, r.reason_code, coalesce(r.field, ''), {REASON}")} AS cause
FROM unnest(%(networks)s::text[]) AS wanted (network)
CROSS JOIN LATERAL (
    SELECT * FROM inbound_records held
    WHERE held.network = wanted.network AND held.outcome = 'rejected' AND held.settled_at IS NULL
    ORDER BY held.id DESC LIMIT {GROUPED}
) r
JOIN inbound_batches b ON b.id = r.batch_id
"""  # noqa: S608 - names are our own constants
COUNTED = f"""
SELECT network, count(*), min(read_at) FROM (
    SELECT network, read_at FROM inbound_records r
    WHERE outcome = 'rejected' AND settled_at IS NULL AND network = ANY (%s) LIMIT {MOST} + 1
) held GROUP BY network ORDER BY network
"""  # noqa: S608
RECORD_GROUPS = f"""
SELECT cause, network, stream, reason_code, field, min(reason) AS reason, count(*) AS count, min(read_at) AS oldest,
       max(id) AS newest_id
FROM ({OPEN}) held GROUP BY cause, network, stream, reason_code, field ORDER BY count(*) DESC, cause
"""  # noqa: S608
RECORDS = f"""
SELECT id, network, stream, party, record_key, row_number, reason_code, field, reason, read_at, replays, is_corrected
FROM ({OPEN}) held WHERE cause = %(cause)s ORDER BY id LIMIT %(most)s
"""  # noqa: S608
RECORD_IDS = f"SELECT id FROM ({OPEN}) held WHERE cause = %(cause)s ORDER BY id"  # noqa: S608
PARKED = f"""
SELECT w.id, w.network, w.kind, w.last_error AS reason, w.parked_at,
       {CAUSE.format(parts=f"w.network, w.kind, {ALIKE.format(text='w.last_error')}")} AS cause
FROM unnest(%(networks)s::text[]) AS wanted (network)
CROSS JOIN LATERAL (
    SELECT * FROM work_items w
    WHERE w.network = wanted.network AND w.parked_at IS NOT NULL AND NOT {TOLD_BY_DISPATCH}
    ORDER BY w.id DESC LIMIT {GROUPED}
) w
"""  # noqa: S608
WORK_GROUPS = f"""
SELECT cause, network, kind, min(reason) AS reason, count(*) AS count, min(parked_at) AS oldest
FROM ({PARKED}) held GROUP BY cause, network, kind ORDER BY count(*) DESC, cause
"""  # noqa: S608
WORK_IDS = f"SELECT id FROM ({PARKED}) held WHERE cause = %(cause)s ORDER BY id"  # noqa: S608


@dataclass(frozen=True)
class RecordGroup:
    """Quarantined records with one `cause`; `reason` is that of one of them, `newest_id` the last that came."""

    cause: str
    network: str
    stream: str
    reason_code: str
    field: str
    reason: str
    count: int
    oldest: datetime
    newest_id: int


class HeldRecord(NamedTuple):
    """A record in quarantine without its raw form; `party` is the depot or file it came from."""

    id: int
    network: str
    stream: str
    party: str
    record_key: str
    row_number: int | None
    reason_code: str
    field: str
    reason: str
    read_at: datetime
    replays: int
    is_corrected: bool


@dataclass(frozen=True)
class WorkGroup:
    """Parked items of one kind with one `cause`; `reason` is that of one of them."""

    cause: str
    network: str
    kind: str
    reason: str
    count: int
    oldest: datetime


def counted(conn: Connection, networks: Sequence[str]) -> list[Counted]:
    """How much is in quarantine by network, as store.needs counts."""
    return by_network(networks, lambda of: [Counted(*row) for row in conn.execute(COUNTED, (list(of),))])


def records(conn: Connection, networks: Sequence[str]) -> list[RecordGroup]:
    """What is in quarantine, by cause, the largest group first; of the GROUPED newest records of each network."""
    with conn.cursor(row_factory=class_row(RecordGroup)) as cursor:
        return cursor.execute(RECORD_GROUPS, {"networks": list(networks)}).fetchall()


def records_of(conn: Connection, networks: Sequence[str], cause: str, most: int) -> list[HeldRecord]:
    """The records of a group, in the order they came."""
    with conn.cursor(row_factory=class_row(HeldRecord)) as cursor:
        return cursor.execute(RECORDS, {"networks": list(networks), "cause": cause, "most": most}).fetchall()


def record_ids(conn: Connection, networks: Sequence[str], cause: str) -> list[int]:
    """The ids of a group, in the order they came."""
    return [row[0] for row in conn.execute(RECORD_IDS, {"networks": list(networks), "cause": cause})]


def work(conn: Connection, networks: Sequence[str]) -> list[WorkGroup]:
    """What is parked, by cause, the largest group first; of the GROUPED newest items of each network."""
    with conn.cursor(row_factory=class_row(WorkGroup)) as cursor:
        return cursor.execute(WORK_GROUPS, {"networks": list(networks)}).fetchall()


def work_ids(conn: Connection, networks: Sequence[str], cause: str) -> list[int]:
    """The ids of a group of parked items."""
    return [row[0] for row in conn.execute(WORK_IDS, {"networks": list(networks), "cause": cause})]
