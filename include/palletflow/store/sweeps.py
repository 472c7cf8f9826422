"""Whose turn it is to be asked for without a hint, and who is given up."""

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from typing import NamedTuple

from psycopg.rows import class_row

from palletflow.store.connection import Connection
from palletflow.store.tracking import ASKER

CONSIGNMENTS = """
FROM consignments c
JOIN orders o ON o.id = c.order_id
LEFT JOIN tracking_polls p ON p.consignment_id = c.id
"""
ARE_OPEN = f"""
WHERE c.network = %(network)s AND c.registered AND o.cancelled_at IS NULL AND c.lifecycle_status <> 'CANCELLED'
  AND p.ended_at IS NULL AND NOT EXISTS (SELECT FROM stale_consignments s WHERE s.consignment_id = c.id)
  AND coalesce({ASKER}, (%(ours)s::text[])[1]) = %(depot)s
"""
IS_NEAR = """c.delivery_date <= %(today)s OR (
    SELECT CASE WHEN t.code ~ '^[0-9]{1,6}$' THEN t.code::integer END >= %(near_code)s FROM tracking_events t
    WHERE (t.consignment_id, t.direction) = (c.id, 'imported') ORDER BY t.id DESC LIMIT 1)
"""
DUE = f"""
SELECT c.id, c.tracking_number, c.consignment_number, turn.due_at
{CONSIGNMENTS}
CROSS JOIN LATERAL (
    SELECT p.polled_at + CASE WHEN {IS_NEAR} THEN %(near)s::interval ELSE %(far)s::interval END AS due_at
) turn
{ARE_OPEN} AND (turn.due_at IS NULL OR turn.due_at <= %(now)s)
ORDER BY turn.due_at NULLS FIRST, c.id
"""
EXPECTED = "coalesce(c.delivery_date, c.collection_date, c.created_at::date)"
GIVE_UP = f"""
INSERT INTO stale_consignments (consignment_id, since)
SELECT c.id, %(now)s {CONSIGNMENTS} {ARE_OPEN} AND {EXPECTED} < %(before)s
ON CONFLICT DO NOTHING RETURNING consignment_id
"""
STALE = f"""
SELECT c.id AS consignment_id, c.order_id, c.network, c.tracking_number, c.consignment_number, o.reference,
       c.lifecycle_status, {EXPECTED} AS expected, s.since
FROM stale_consignments s JOIN consignments c ON c.id = s.consignment_id JOIN orders o ON o.id = c.order_id
WHERE %(network)s::text IS NULL OR c.network = %(network)s
ORDER BY s.since, c.id
"""  # noqa: S608


class Turn(NamedTuple):
    """A consignment whose turn it is; `due_at` None: it was never asked for."""

    consignment_id: int
    tracking_number: str
    consignment_number: str
    due_at: datetime | None


class Stale(NamedTuple):
    """A consignment that nothing ended long after its delivery was `expected`; nobody asks for it `since`."""

    consignment_id: int
    order_id: int
    network: str
    tracking_number: str
    consignment_number: str
    reference: str
    lifecycle_status: str
    expected: date
    since: datetime


def due(
    conn: Connection,
    network: str,
    depot: str,
    ours: Sequence[str],
    *,
    now: datetime,
    today: date,
    near_code: int,
    near: timedelta,
    far: timedelta,
) -> list[Turn]:
    """Open consignments that `depot` asks for and that were not asked for in a while, the most overdue first.

    `ours`: all depots of ours in the network. The pause is `near` for what should be delivered by `today` or has come
    as far as `near_code`, else `far`.
    """
    values = {
        "network": network,
        "depot": depot,
        "ours": list(ours),
        "now": now,
        "today": today,
        "near_code": near_code,
        "near": near,
        "far": far,
    }
    return [Turn(*row) for row in conn.execute(DUE, values)]


def give_up(
    conn: Connection, network: str, depot: str, ours: Sequence[str], *, now: datetime, before: date
) -> list[int]:
    """Lists what should have been delivered `before` that day as stale; the consignments that are new on the list."""
    values = {"network": network, "depot": depot, "ours": list(ours), "now": now, "before": before}
    return [row[0] for row in conn.execute(GIVE_UP, values)]


def take_up(conn: Connection, consignment_id: int) -> None:
    """Takes a consignment off the list, as it has been heard of."""
    conn.execute("DELETE FROM stale_consignments WHERE consignment_id = %s", (consignment_id,))


def stale(conn: Connection, network: str | None = None) -> list[Stale]:
    """The list, the longest on it first; `network` None means all of them."""
    with conn.cursor(row_factory=class_row(Stale)) as cursor:
        return cursor.execute(STALE, {"network": network}).fetchall()
