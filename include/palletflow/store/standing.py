"""How one consignment stands now, with everything around it that a person asks for when it is stuck.

One statement, so that all of it is of the same moment.
"""

from collections.abc import Collection
from typing import Any

from palletflow.store.connection import Connection

# Of each list the newest so many: nobody reads more on one page, and a page is never without end.
MOST = 200
# Finds the kinds of work there are by jumping through the index; then each kind is asked for by its whole key.
WORK = """
SELECT w.* FROM (
    WITH RECURSIVE kinds (kind) AS (
        SELECT min(kind) FROM work_items WHERE network = c.network
        UNION ALL
        SELECT (SELECT min(w.kind) FROM work_items w WHERE w.network = c.network AND w.kind > kinds.kind) FROM kinds
        WHERE kinds.kind IS NOT NULL
    )
    SELECT kind FROM kinds WHERE kind IS NOT NULL
) there
CROSS JOIN unnest(c.id::text || array(SELECT c.id || ':' || p.number FROM pallets p WHERE p.consignment_id = c.id))
           AS ours (key)
JOIN work_items w ON (w.network, w.kind, w.key) = (c.network, there.kind, ours.key)
"""
NEIGHBOUR = """
jsonb_build_object(
    'id', other.id, 'network', other.network, 'tracking_number', coalesce(other.tracking_number, ''),
    'consignment_number', other.consignment_number, 'lifecycle_status', other.lifecycle_status,
    'dispatch_state', other.dispatch_state, 'registered', other.registered, 'order', oo.source_key,
    'order_id', oo.id, 'cancelled', oo.cancelled_at IS NOT NULL)
"""
# An order's documents belong to each of its consignments.
DOCUMENTS = f"""
SELECT d.id, jsonb_build_object(
    'id', d.id, 'consignment_id', d.consignment_id, 'pallet_number', d.pallet_number, 'kind', d.kind, 'name', d.name,
    'media_type', d.media_type, 'size', d.size, 'barcode', d.barcode, 'provisional', d.provisional,
    'stale_at', d.stale_at, 'source', d.source, 'actor', d.actor, 'customer_visible', d.customer_visible,
    'created_at', d.created_at,
    'upload', (SELECT to_jsonb(u) - 'sha256' FROM photo_uploads u WHERE u.document_id = d.id),
    'exchange', (SELECT to_jsonb(e) - 'sha256' FROM document_exchanges e
                 WHERE e.document_id = d.id AND e.consignment_id = c.id ORDER BY e.id DESC LIMIT 1)) AS document
FROM documents d WHERE d.order_id = c.order_id AND coalesce(d.consignment_id, c.id) = c.id
ORDER BY d.id DESC LIMIT {MOST}
"""  # noqa: S608 - names are our own constants
STANDING = f"""
SELECT to_jsonb(c) - ARRAY['given', 'input_digest'] || jsonb_build_object(
    'tracking_number', coalesce(c.tracking_number, ''),
    'order', to_jsonb(o) - ARRAY['source_digest'],
    'customer', jsonb_build_object('code', customer.code, 'name', customer.name),
    'task', (SELECT to_jsonb(t) - ARRAY['sent_digest', 'echo'] FROM dispatch_tasks t WHERE t.consignment_id = c.id),
    'stops', (
        SELECT coalesce(jsonb_agg(to_jsonb(s) - 'consignment_id' ORDER BY
            array_position(ARRAY['pickup', 'collection_depot', 'delivery_depot', 'delivery'], s.kind)), '[]')
        FROM stops s WHERE s.consignment_id = c.id),
    'pallets', (
        SELECT coalesce(jsonb_agg(to_jsonb(p) - 'consignment_id' || jsonb_build_object(
            'barcodes', (SELECT coalesce(jsonb_agg(to_jsonb(b) - 'consignment_id' ORDER BY b.first_seen_at, b.barcode),
                                         '[]')
                         FROM pallet_barcodes b WHERE (b.consignment_id, b.pallet_number) = (c.id, p.number)),
            'status', (SELECT to_jsonb(t) FROM (
                SELECT t.code, t.status, t.reason, t.occurred_at, t.depot FROM tracking_events t
                WHERE t.consignment_id = c.id AND t.direction = 'imported'
                  AND (t.pallet_number = p.number OR t.barcode = '')
                ORDER BY t.occurred_at DESC, t.id DESC LIMIT 1) t)) ORDER BY p.number), '[]')
        FROM pallets p WHERE p.consignment_id = c.id),
    'foreign_barcodes', array(SELECT b.barcode FROM pallet_barcodes b
                              WHERE (b.consignment_id, b.state) = (c.id, 'foreign')
                              ORDER BY b.first_seen_at LIMIT {MOST}),
    'documents', (SELECT coalesce(jsonb_agg(d.document ORDER BY d.id DESC), '[]') FROM ({DOCUMENTS}) d),
    'document_count', (SELECT count(*) FROM documents d
                       WHERE d.order_id = c.order_id AND coalesce(d.consignment_id, c.id) = c.id),
    -- What its network has of documents and we could not fetch.
    'unfetched', (
        SELECT coalesce(jsonb_agg(to_jsonb(e) - 'sha256' ORDER BY e.id), '[]') FROM document_exchanges e
        WHERE e.consignment_id = c.id AND e.document_id IS NULL AND e.done_at IS NULL),
    'work', (
        SELECT coalesce(jsonb_agg(jsonb_build_object(
            'id', w.id, 'kind', w.kind, 'key', w.key, 'due_at', w.due_at, 'attempts', w.attempts,
            'held', w.lease IS NOT NULL AND w.due_at > now(), 'last_error', w.last_error, 'parked_at', w.parked_at,
            'created_at', w.created_at) ORDER BY w.parked_at, w.due_at, w.id), '[]')
        FROM ({WORK}) w),
    'flags', (
        SELECT coalesce(jsonb_agg(to_jsonb(f) ORDER BY f.connection), '[]')
        FROM connection_flags f WHERE f.connection = ANY (%(connections)s)),
    'siblings', (
        SELECT coalesce(jsonb_agg({NEIGHBOUR} ORDER BY other.id), '[]') FROM (
            SELECT * FROM consignments s WHERE s.order_id = c.order_id AND s.id <> c.id ORDER BY s.id LIMIT {MOST}
        ) other CROSS JOIN (SELECT o.id, o.source_key, o.cancelled_at) oo),
    'twins', (
        SELECT coalesce(jsonb_agg({NEIGHBOUR} ORDER BY other.id), '[]') FROM (
            SELECT * FROM consignments s WHERE s.tracking_number = c.tracking_number AND s.network = c.network
            AND s.id <> c.id ORDER BY s.id LIMIT {MOST}
        ) other JOIN orders oo ON oo.id = other.order_id),
    -- The order it was copied from, and those that were copied from it.
    'copies', (
        SELECT coalesce(jsonb_agg({NEIGHBOUR} || jsonb_build_object('is_origin', oo.id = o.copied_from)
                                  ORDER BY other.id), '[]')
        FROM (SELECT s.id, s.source_key, s.cancelled_at FROM orders s
              WHERE s.copied_from = o.id OR s.id = o.copied_from ORDER BY s.id LIMIT {MOST}) oo
        JOIN consignments other ON other.order_id = oo.id
        -- With the same number it is among the twins.
        WHERE other.tracking_number IS DISTINCT FROM c.tracking_number OR c.tracking_number IS NULL),
    'quarantined', (
        SELECT coalesce(jsonb_agg(jsonb_build_object(
            'id', r.id, 'reason_code', r.reason_code, 'field', r.field, 'reason', r.reason, 'read_at', r.read_at,
            'stream', r.stream) ORDER BY r.id DESC), '[]')
        FROM (SELECT * FROM inbound_records r
              WHERE r.network = c.network AND r.record_key = ANY (array_remove(ARRAY[c.tracking_number, o.source_key],
                                                                               NULL))
                AND r.outcome = 'rejected' AND r.settled_at IS NULL ORDER BY r.id DESC LIMIT {MOST}) r),
    'stale_since', (SELECT s.since FROM stale_consignments s WHERE s.consignment_id = c.id),
    'poll', (SELECT to_jsonb(p) - 'consignment_id' FROM tracking_polls p WHERE p.consignment_id = c.id),
    'photo_window', (SELECT to_jsonb(w) - ARRAY['consignment_id', 'last_answer'] FROM photo_windows w
                     WHERE w.consignment_id = c.id),
    'delivered', (SELECT to_jsonb(n) - 'consignment_id' FROM network_deliveries n WHERE n.consignment_id = c.id),
    'eta_told', (SELECT to_jsonb(e) - 'consignment_id' FROM eta_exports e WHERE e.consignment_id = c.id),
    -- Why statuses of ours have not gone: held back, or refused.
    'untold', (
        SELECT coalesce(jsonb_agg(DISTINCT t.refusal), '[]') FROM tracking_events t
        WHERE t.consignment_id = c.id AND t.direction = 'exported' AND t.sent_at IS NULL AND t.refusal <> ''),
    'has_moved', EXISTS (SELECT FROM movements m WHERE m.consignment_id = c.id)
)
FROM consignments c JOIN orders o ON o.id = c.order_id JOIN customers customer ON customer.id = o.customer_id
WHERE c.id = %(id)s
"""  # noqa: S608


def standing(conn: Connection, consignment_id: int, connections: Collection[str] = ()) -> dict[str, Any] | None:
    """One consignment as it stands; None when there is none.

    The columns of consignments by name, and beside them: order, customer {code, name}, task (of dispatch, or None),
    stops, pallets (with `barcodes` and the latest `status` of its network), foreign_barcodes, documents (the newest
    200, with `upload` and `exchange`) and document_count, unfetched, work, flags (of `connections`), siblings (of the
    same order), twins (with the same number), copies, quarantined (open records of its number or order key),
    stale_since, poll, photo_window, delivered, eta_told, untold, has_moved. Moments are ISO texts.
    """
    row = conn.execute(STANDING, {"id": consignment_id, "connections": list(connections)}).fetchone()
    return row[0] if row else None
