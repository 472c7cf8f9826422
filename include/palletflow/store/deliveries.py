"""When and to whom a network says that consignments were delivered, and how well that is known."""

from collections.abc import Mapping
from datetime import datetime
from typing import NamedTuple

from palletflow.store.connection import Connection

READ = "SELECT seen_at, delivered_at, basis, signatory FROM network_deliveries WHERE consignment_id = %s"
WRITE = """
INSERT INTO network_deliveries AS held (consignment_id, seen_at, delivered_at, basis, signatory)
VALUES (%s, %s, %s, %s, %s)
ON CONFLICT (consignment_id) DO UPDATE
SET delivered_at = excluded.delivered_at, basis = excluded.basis, signatory = excluded.signatory
WHERE (held.delivered_at, held.basis, held.signatory) <> (excluded.delivered_at, excluded.basis, excluded.signatory)
"""
# The codes stay in the history; what completed it means nothing any more.
TAKE_BACK = """
UPDATE tracking_events SET status = 'UNKNOWN', reason = NULL
WHERE (consignment_id, direction, status) = (%s, 'imported', 'DELIVERED')
"""
REVIVE = """
UPDATE tracking_events t SET status = said.status, reason = said.reason
FROM unnest(%s::text[], %s::text[], %s::text[]) AS said (code, status, reason)
WHERE (t.consignment_id, t.direction) = (%s, 'imported') AND t.code = said.code AND t.id > %s
"""
LAST = """
SELECT max(id) FROM tracking_events WHERE (consignment_id, direction, status) = (%s, 'imported', 'DELIVERED')
"""
AFTER = "SELECT DISTINCT code FROM tracking_events WHERE (consignment_id, direction) = (%s, 'imported') AND id > %s"
REOPEN = (
    "DELETE FROM network_deliveries WHERE consignment_id = %s",
    "UPDATE tracking_polls SET ended_at = NULL WHERE consignment_id = %s",
    "UPDATE consignments SET lifecycle_status = 'CREATED', exception_reason = NULL, updated_at = now() WHERE id = %s",
)
REOPEN_STOP = """
UPDATE stops SET completed_at = NULL, outcome = NULL, reason = '', signatory = ''
WHERE (consignment_id, kind) = (%(id)s, 'delivery') AND NOT EXISTS (
    SELECT FROM movements m WHERE (m.consignment_id, m.stop, m.event) = (%(id)s, 'delivery', 'completed'))
"""


class Delivered(NamedTuple):
    """A delivery as it is known. `seen_at`: when we first saw it; `basis`: how well `at` is known.

    minute: from its POD; day: its POD has no time; status: the time of the status; seen: when we saw it.
    """

    seen_at: datetime
    at: datetime
    basis: str
    signatory: str


def read(conn: Connection, consignment_id: int) -> Delivered | None:
    """None while its network has not said that it was delivered."""
    row = conn.execute(READ, (consignment_id,)).fetchone()
    return Delivered(*row) if row else None


class Since(NamedTuple):
    """The event that completed a consignment last, and the codes heard since."""

    event_id: int
    codes: list[str]


def write(conn: Connection, consignment_id: int, delivered: Delivered) -> None:
    """Keeps it; `seen_at` stays as it was first."""
    conn.execute(WRITE, (consignment_id, *delivered))


def codes_since(conn: Connection, consignment_id: int) -> Since | None:
    """None when it is not complete."""
    [(last,)] = conn.execute(LAST, (consignment_id,)).fetchall()
    if last is None:
        return None
    return Since(last, [code for (code,) in conn.execute(AFTER, (consignment_id, last))])


def take_back(
    conn: Connection, consignment_id: int, event_id: int, meanings: Mapping[str, tuple[str, str | None]]
) -> None:
    """Takes back that it was delivered: what was heard since the event `event_id` means something again.

    `meanings`: status and reason by code. Where our own people reported the delivery the stop stays as it is. The
    caller holds the consignment's row and settles its whereabouts afterwards.
    """
    conn.execute(TAKE_BACK, (consignment_id,))
    codes = [(code, *meaning) for code, meaning in meanings.items()]
    columns = [list(column) for column in zip(*codes, strict=True)] if codes else [[], [], []]
    conn.execute(REVIVE, (*columns, consignment_id, event_id))
    for statement in REOPEN:
        conn.execute(statement, (consignment_id,))
    conn.execute(REOPEN_STOP, {"id": consignment_id})
