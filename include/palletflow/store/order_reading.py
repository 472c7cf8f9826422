"""Orders as a person asks for them: one whole, found by any number on it, and the feed of what changed."""

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any, NamedTuple

from palletflow.store.connection import Connection
from palletflow.store.orders import STORED

MOST_FOUND = 100
LATEST_EVENTS = 50

# One statement, so that all of it is of the same moment. Work of one pallet has the key "<consignment id>:<pallet>".
WHOLE = f"""
SELECT jsonb_build_object(
    'id', o.id, 'source', o.source, 'key', o.source_key, 'customer', customer.code,
    'reference', o.reference, 'reference_2', o.reference_2, 'review_reason', o.review_reason,
    'cancelled_at', o.cancelled_at, 'copied_from', o.copied_from, 'created_at', o.created_at,
    'updated_at', greatest(o.updated_at, (SELECT max(c.updated_at) FROM consignments c WHERE c.order_id = o.id)),
    'consignments', (SELECT jsonb_agg({STORED} || jsonb_build_object(
        'id', c.id, 'network', c.network, 'registered', c.registered, 'consignment_number', c.consignment_number,
        'our_roles', c.our_roles, 'dispatch_state', c.dispatch_state, 'lifecycle_status', c.lifecycle_status,
        'exception_reason', c.exception_reason, 'network_status', c.network_status,
        'dispatch', (
            SELECT jsonb_build_object(
                'trip', t.trip, 'resource', t.resource, 'auto_complete', t.auto_complete,
                'completed_at', t.completed_at, 'completed_by', t.completed_by, 'attempt', t.attempt,
                'transaction_number', t.transaction_number, 'sent_at', t.sent_at, 'lookups', t.lookups,
                'lookup_at', t.lookup_at, 'faults', t.faults, 'warnings', t.warnings, 'finished_at', t.finished_at)
            FROM dispatch_tasks t WHERE t.consignment_id = c.id),
        'pallets', coalesce((
            SELECT jsonb_agg(jsonb_build_object(
                'number', p.number, 'pallet_type', p.pallet_type, 'barcode', coalesce(current.barcode, ''),
                'confirmed', coalesce(current.state = 'confirmed', false),
                'earlier_barcodes', array(
                    SELECT b.barcode FROM pallet_barcodes b
                    WHERE (b.consignment_id, b.pallet_number, b.state) = (c.id, p.number, 'superseded')
                    ORDER BY b.superseded_at)) ORDER BY p.number)
            FROM pallets p
            LEFT JOIN pallet_barcodes current ON (current.consignment_id, current.pallet_number) = (c.id, p.number)
                                             AND current.state IN ('expected', 'confirmed')
            WHERE p.consignment_id = c.id AND p.removed_at IS NULL), '[]'),
        'stops', (
            SELECT jsonb_agg(jsonb_build_object(
                'stop', s.kind, 'depot', s.depot, 'planned_date', s.planned_date, 'route', s.route,
                'route_sequence', s.route_sequence, 'eta_from', s.eta_from, 'eta_to', s.eta_to,
                'started_at', s.started_at, 'arrived_at', s.arrived_at, 'completed_at', s.completed_at,
                'outcome', s.outcome, 'reason', s.reason, 'signatory', s.signatory)
                ORDER BY array_position(ARRAY['pickup', 'collection_depot', 'delivery_depot', 'delivery'], s.kind))
            FROM stops s WHERE s.consignment_id = c.id),
        'tracking', coalesce((
            SELECT jsonb_agg(e.event ORDER BY e.occurred_at, e.id) FROM (
                SELECT t.id, t.occurred_at, jsonb_build_object(
                    'direction', t.direction, 'pallet_number', t.pallet_number, 'code', t.code, 'status', t.status,
                    'occurred_at', t.occurred_at, 'depot', t.depot, 'signatory', t.signatory, 'note', t.note,
                    'sent_at', t.sent_at, 'refusal', t.refusal) AS event
                FROM tracking_events t WHERE t.consignment_id = c.id ORDER BY t.occurred_at DESC, t.id DESC
                LIMIT {LATEST_EVENTS}) e), '[]'),
        'work', coalesce((
            SELECT jsonb_agg(jsonb_build_object(
                'id', w.id, 'kind', w.kind, 'key', w.key, 'due_at', w.due_at, 'attempts', w.attempts,
                'in_progress', w.lease IS NOT NULL AND w.due_at > now(), 'last_error', w.last_error,
                'parked_at', w.parked_at) ORDER BY w.id)
            FROM work_items w
            WHERE w.network = c.network
              AND w.key = ANY (c.id::text || array(SELECT c.id || ':' || p.number FROM pallets p
                                                   WHERE p.consignment_id = c.id))), '[]')
        ) ORDER BY c.id)
        FROM consignments c WHERE c.order_id = o.id),
    'flagged_connections', coalesce((
        SELECT jsonb_agg(jsonb_build_object('connection', f.connection, 'reason', f.reason,
                                            'flagged_at', f.flagged_at) ORDER BY f.connection)
        FROM connection_flags f WHERE f.connection = ANY (%(connections)s)), '[]'))
FROM orders o JOIN customers customer ON customer.id = o.customer_id
WHERE o.id = %(order_id)s
"""  # noqa: S608 - names are our own constants

# How an order is found by each of the things a person has in hand.
CRITERIA: Mapping[str, str] = {
    "key": "o.source_key = %(key)s",
    "reference": "o.reference = %(reference)s",
    "tracking_number": (
        "o.id IN (SELECT c.order_id FROM consignments c WHERE c.tracking_number = %(tracking_number)s)"
    ),
    "consignment_number": (
        "o.id IN (SELECT c.order_id FROM consignments c"
        " WHERE c.consignment_number = %(consignment_number)s AND c.consignment_number <> '')"
    ),
    "barcode": (
        "o.id IN (SELECT c.order_id FROM pallet_barcodes b JOIN consignments c ON c.id = b.consignment_id"
        " WHERE b.barcode = %(barcode)s)"
    ),
    "trip": (
        "o.id IN (SELECT c.order_id FROM dispatch_tasks t JOIN consignments c ON c.id = t.consignment_id"
        " WHERE t.trip = %(trip)s)"
    ),
}
FIND = f"""
SELECT jsonb_build_object(
    'id', o.id, 'source', o.source, 'key', o.source_key, 'customer', customer.code, 'reference', o.reference,
    'reference_2', o.reference_2, 'cancelled_at', o.cancelled_at, 'review_reason', o.review_reason,
    'consignments', (SELECT jsonb_agg(jsonb_build_object(
        'id', c.id, 'network', c.network, 'tracking_number', coalesce(c.tracking_number, ''),
        'registered', c.registered, 'dispatch_state', c.dispatch_state, 'lifecycle_status', c.lifecycle_status,
        'exception_reason', c.exception_reason) ORDER BY c.id)
        FROM consignments c WHERE c.order_id = o.id))
FROM orders o JOIN customers customer ON customer.id = o.customer_id
WHERE {{criteria}} ORDER BY o.id DESC LIMIT {MOST_FOUND}
"""  # noqa: S608
# A row is shown once no older transaction can still commit one before it, so a reader who goes on from the last row he
# has seen misses none.
CHANGES = """
SELECT a.xact::text, a.id, a.consignment_id, o.id, o.source, o.source_key, a.kind, a.actor, a.source, a.at, a.changes,
       a.warnings
FROM activity a JOIN consignments c ON c.id = a.consignment_id JOIN orders o ON o.id = c.order_id
WHERE (a.xact, a.id) > (%(xact)s::text::xid8, %(id)s)
  AND a.xact < (pg_snapshot_xmin(pg_current_snapshot())::text::bigint + feed_offset())::text::xid8
ORDER BY a.xact, a.id LIMIT %(most)s
"""


class Cursor(NamedTuple):
    """A place in the feed: after the entry `id` of the transaction `xact`."""

    xact: int
    id: int


BEGINNING = Cursor(0, 0)


class Change(NamedTuple):
    """One entry of the history. `changes`: field to [before, after], or None."""

    cursor: Cursor
    consignment_id: int
    order_id: int
    order_source: str
    order_key: str
    kind: str
    actor: str
    source: str
    at: datetime
    changes: dict[str, Any] | None
    warnings: list[str]


def whole(conn: Connection, order_id: int, connections: Collection[str] = ()) -> dict[str, Any] | None:
    """One order with its consignments, where they are and what they wait for; None when there is none.

    `connections`: those whose flags, if any, explain why nothing moves. The shape is palletflow.desk.shown.Order.
    """
    row = conn.execute(WHOLE, {"order_id": order_id, "connections": list(connections)}).fetchone()
    return row[0] if row else None


def find(conn: Connection, criteria: Mapping[str, str]) -> list[dict[str, Any]]:
    """The newest 100 orders that meet all criteria; their names are those of CRITERIA, at least one.

    A barcode is found even if another has replaced it. The shape is palletflow.desk.shown.Found.
    """
    query = FIND.format(criteria=" AND ".join(CRITERIA[name] for name in criteria))
    return [row[0] for row in conn.execute(query.encode(), dict(criteria))]


def changes(conn: Connection, after: Cursor, most: int) -> list[Change]:
    """What was recorded after a place in the feed, in the order in which it became certain."""
    rows = conn.execute(CHANGES, {"xact": str(after.xact), "id": after.id, "most": most})
    return [Change(Cursor(int(xact), number), *rest) for xact, number, *rest in rows]


def consignments_of_order(conn: Connection, order_id: int) -> list[int]:
    """The ids of an order's consignments."""
    return [row[0] for row in conn.execute("SELECT id FROM consignments WHERE order_id = %s ORDER BY id", (order_id,))]


def consignments_of_number(conn: Connection, tracking_number: str) -> list[int]:
    """The ids of the consignments with this tracking number; of several the one that the network has registered."""
    rows = conn.execute(
        "SELECT id, registered FROM consignments WHERE tracking_number = %s ORDER BY id", (tracking_number,)
    ).fetchall()
    return [number for number, registered in rows if registered] or [number for number, _ in rows]
