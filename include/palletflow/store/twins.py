"""One consignment of the network, two orders here: what an import made of a number before our own order knew it.

Our own order keeps its identity and takes over what the twin has gathered. The twin's order stays as history:
cancelled, without the number, and naming the order it was merged into.
"""

from palletflow.store import activity
from palletflow.store.connection import Connection

SOURCE = "dispatch"
# An order that an import made: it is the network's own and nobody dispatches it.
FIND = """
SELECT c.id, c.order_id FROM consignments c JOIN orders o ON o.id = c.order_id
WHERE c.network = %(network)s AND c.tracking_number = %(number)s AND c.id <> %(ours)s AND o.source = c.network
  AND NOT EXISTS (SELECT FROM dispatch_tasks t WHERE t.consignment_id = c.id)
FOR NO KEY UPDATE OF c
"""
# What both have, is kept once.
TAKE_OVER = (
    """
    UPDATE documents d SET consignment_id = %(ours)s, order_id = (SELECT order_id FROM consignments WHERE id = %(ours)s)
    WHERE d.consignment_id = %(twin)s AND NOT EXISTS (
        SELECT FROM documents own WHERE own.consignment_id = %(ours)s AND own.kind = d.kind AND own.sha256 = d.sha256
           AND own.pallet_number IS NOT DISTINCT FROM d.pallet_number)
    """,
    """
    UPDATE movements m SET consignment_id = %(ours)s
    WHERE m.consignment_id = %(twin)s AND NOT EXISTS (
        SELECT FROM movements own WHERE own.consignment_id = %(ours)s AND own.event = m.event AND own.at = m.at
           AND (own.stop, own.scan, own.pallet_number) IS NOT DISTINCT FROM (m.stop, m.scan, m.pallet_number))
    """,
    """
    UPDATE tracking_events e SET consignment_id = %(ours)s
    WHERE e.consignment_id = %(twin)s AND NOT EXISTS (
        SELECT FROM tracking_events own
        WHERE (own.consignment_id, own.direction, own.barcode, own.code) = (%(ours)s, e.direction, e.barcode, e.code)
          AND (own.time_estimated AND e.time_estimated OR own.occurred_at = e.occurred_at))
    """,
    """
    UPDATE pallet_barcodes b SET consignment_id = %(ours)s
    WHERE b.consignment_id = %(twin)s AND NOT EXISTS (
        SELECT FROM pallet_barcodes own WHERE own.consignment_id = %(ours)s
           AND (own.barcode = b.barcode OR own.pallet_number = b.pallet_number
                AND own.state IN ('expected', 'confirmed') AND b.state IN ('expected', 'confirmed')))
    """,
    "DELETE FROM pallet_barcodes WHERE consignment_id = %(twin)s",
    """
    UPDATE document_exchanges e SET consignment_id = %(ours)s
    WHERE e.consignment_id = %(twin)s AND NOT EXISTS (
        SELECT FROM document_exchanges own WHERE own.consignment_id = %(ours)s
           AND (own.network_id = e.network_id OR own.code = e.code AND own.number = e.number
                OR own.direction = 'sent' AND e.direction = 'sent' AND (own.kind, own.sha256) = (e.kind, e.sha256)))
    """,
    "UPDATE photo_uploads SET consignment_id = %(ours)s WHERE consignment_id = %(twin)s",
    """
    UPDATE photo_prints p SET consignment_id = %(ours)s
    WHERE p.consignment_id = %(twin)s
      AND NOT EXISTS (SELECT FROM photo_prints own WHERE (own.consignment_id, own.exact) = (%(ours)s, p.exact))
    """,
    """
    UPDATE photo_windows SET consignment_id = %(ours)s
    WHERE consignment_id = %(twin)s AND NOT EXISTS (SELECT FROM photo_windows WHERE consignment_id = %(ours)s)
    """,
    "DELETE FROM tracking_polls WHERE consignment_id = %(twin)s",
    "UPDATE network_notes SET consignment_id = %(ours)s WHERE consignment_id = %(twin)s",
    """
    UPDATE network_deliveries d SET consignment_id = %(ours)s
    WHERE d.consignment_id = %(twin)s
      AND NOT EXISTS (SELECT FROM network_deliveries own WHERE own.consignment_id = %(ours)s)
    """,
    "UPDATE inbound_records SET consignment_id = %(ours)s WHERE consignment_id = %(twin)s",
    """
    UPDATE consignments c SET lifecycle_status = twin.lifecycle_status, exception_reason = twin.exception_reason
    FROM consignments twin WHERE c.id = %(ours)s AND twin.id = %(twin)s AND c.lifecycle_status = 'CREATED'
    """,
    """
    UPDATE stops s
    SET started_at = coalesce(s.started_at, twin.started_at),
        arrived_at = coalesce(s.arrived_at, twin.arrived_at),
        completed_at = coalesce(s.completed_at, twin.completed_at),
        outcome = coalesce(s.outcome, twin.outcome), reason = coalesce(nullif(s.reason, ''), twin.reason),
        signatory = coalesce(nullif(s.signatory, ''), twin.signatory)
    FROM stops twin WHERE s.consignment_id = %(ours)s AND twin.consignment_id = %(twin)s AND twin.kind = s.kind
    """,
    """
    UPDATE consignments
    SET tracking_number = NULL, registered = false, lifecycle_status = 'CANCELLED', exception_reason = NULL,
        input_digest = NULL, updated_at = now()
    WHERE id = %(twin)s
    """,
    """
    UPDATE orders
    SET cancelled_at = coalesce(cancelled_at, now()), updated_at = now(), source_key = source_key || ' (merged)',
        review_reason = 'Merged into order ' || (SELECT order_id FROM consignments WHERE id = %(ours)s)
                        || ', which is the same consignment'
    WHERE id = %(twin_order)s
    """,
    # Whoever is at it now does it once more, for ours.
    """
    UPDATE work_items w SET key = %(ours)s::text, generation = w.generation + 1
    WHERE w.network = %(network)s AND w.key = %(twin)s::text AND NOT EXISTS (
        SELECT FROM work_items own
        WHERE (own.network, own.kind, own.key) = (w.network, w.kind, %(ours)s::text))
    """,
)


def merge(conn: Connection, consignment_id: int, network: str, tracking_number: str, actor: str) -> None:
    """Merges what imports made of this number into our consignment, within the caller's transaction.

    The caller holds the network's lock (network_lock.hold). Writes nothing when there is no twin.
    """
    found = conn.execute(FIND, {"network": network, "number": tracking_number, "ours": consignment_id}).fetchall()
    ids = {"ours": consignment_id, "network": network}
    for twin, twin_order in found:
        for statement in TAKE_OVER:
            conn.execute(statement, {**ids, "twin": twin, "twin_order": twin_order})
        [(order_id,)] = conn.execute("SELECT order_id FROM consignments WHERE id = %s", (consignment_id,)).fetchall()
        changes = {"order": [twin_order, order_id]}
        activity.record(conn, twin, "merged into another order", actor, SOURCE, changes)
        activity.record(conn, consignment_id, "took over an imported order", actor, SOURCE, changes)
