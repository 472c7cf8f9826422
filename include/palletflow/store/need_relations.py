"""Each cause for which something waits for a person, as a relation with the same columns; see store.needs.

network, consignment_id, order_id, name, reference, at (since when), said (why), subject (what it is called in the
activity history). Parameters are those of store.needs.Asked.values().
"""

# ruff: noqa: S608 - what is put into the statements are constants of our own

from collections.abc import Mapping

from palletflow.store.dispatch import DISPATCH
from palletflow.store.missing_photos import LACKS_PHOTO
from palletflow.store.missing_pods import LACKS_POD, WE_OWE_POD

# Of open dispatches the newest are looked through for scans; of each kind of work the longest overdue are shown.
NEWEST, LONGEST_OVERDUE = 2000, 1001

CONSIGNMENT = """
c.network, c.id AS consignment_id, c.order_id,
coalesce(c.tracking_number, nullif(c.consignment_number, ''), o.source_key) AS name, o.reference
"""
OF_CONSIGNMENT = "consignments c JOIN orders o ON o.id = c.order_id"
# Kinds of work that hand a consignment over, or find out its number afterwards.
HANDING_OVER = f"ARRAY['{DISPATCH}', 'tracking_id']"
# Where the goods are as far as our own people may have said so, before anybody else has scanned them.
BEFORE_THE_HUB = "('CREATED', 'COLLECTED', 'AT_COLLECTION_DEPOT', 'TRUNKED')"
NO_SCAN = "('CREATED', 'CANCELLED', 'UNKNOWN')"

DISPATCH_STOPPED = f"""
SELECT {CONSIGNMENT}, coalesce(t.finished_at, t.sent_at, t.completed_at, c.updated_at) AS at,
       CASE c.dispatch_state
           WHEN 'failed' THEN 'Failed: ' || coalesce((
               SELECT string_agg(concat_ws('. ', fault ->> 'reason', nullif(fault ->> 'remedy', '')), '; ')
               FROM jsonb_array_elements(t.faults) fault), 'the history says why')
           WHEN 'unknown' THEN 'Outcome unknown: ' || coalesce(parked.last_error, 'the network may have it or not')
           ELSE 'Its dispatch task is completed, and nothing of it is in the work queue'
       END AS said, 'dispatch of consignment ' || c.id AS subject
FROM {OF_CONSIGNMENT}
JOIN dispatch_tasks t ON t.consignment_id = c.id
LEFT JOIN work_items parked ON (parked.network, parked.kind, parked.key) = (c.network, '{DISPATCH}', c.id::text)
                           AND parked.parked_at IS NOT NULL
WHERE c.dispatch_state IN ('failed', 'unknown', 'waiting') AND o.cancelled_at IS NULL AND (
    c.dispatch_state = 'failed'
    OR c.dispatch_state = 'unknown' AND NOT EXISTS (
        SELECT FROM unnest({HANDING_OVER}) AS handing (kind)
        JOIN work_items w ON (w.network, w.kind, w.key) = (c.network, handing.kind, c.id::text) AND w.parked_at IS NULL)
    OR c.dispatch_state = 'waiting' AND t.completed_at < %(overdue_before)s AND NOT EXISTS (
        SELECT FROM unnest({HANDING_OVER}) AS handing (kind)
        JOIN work_items w ON (w.network, w.kind, w.key) = (c.network, handing.kind, c.id::text)))
"""
# Work on one consignment has its id as key, or begins with it.
OF_WORK = """
LEFT JOIN consignments c ON c.id = CASE WHEN w.key ~ '^[0-9]{1,18}(:|$)' THEN split_part(w.key, ':', 1)::bigint END
LEFT JOIN orders o ON o.id = c.order_id
"""
WORK = """
SELECT w.network, c.id AS consignment_id, c.order_id, coalesce(c.tracking_number, o.source_key, w.key) AS name,
       o.reference
"""
# Of a consignment whose outcome is unknown the dispatch itself tells.
TOLD_BY_DISPATCH = f"""
(w.kind = '{DISPATCH}' AND EXISTS (
    SELECT FROM consignments sent
    WHERE sent.id = CASE WHEN w.key ~ '^[0-9]{{1,18}}$' THEN w.key::bigint END AND sent.dispatch_state = 'unknown'))
"""
PARKED_WORK = f"""
{WORK}, w.parked_at AS at, replace(w.kind, '_', ' ') || ': ' || w.last_error AS said, 'parked work ' || w.id AS subject
FROM work_items w {OF_WORK}
WHERE w.parked_at IS NOT NULL AND NOT {TOLD_BY_DISPATCH}
"""
OVERDUE_WORK = f"""
{WORK}, w.due_at AS at, replace(w.kind, '_', ' ') || ': ' || coalesce(w.last_error, 'not tried yet') AS said,
       'overdue work ' || w.id AS subject
FROM (
    WITH RECURSIVE kinds AS (
        (SELECT network, kind FROM work_items WHERE parked_at IS NULL ORDER BY network, kind LIMIT 1)
        UNION ALL
        SELECT after.network, after.kind FROM kinds CROSS JOIN LATERAL (
            SELECT network, kind FROM work_items
            WHERE parked_at IS NULL AND (network, kind) > (kinds.network, kinds.kind)
            ORDER BY network, kind LIMIT 1) after
    ) SELECT * FROM kinds
) kinds
CROSS JOIN LATERAL (
    SELECT * FROM work_items item
    WHERE (item.network, item.kind) = (kinds.network, kinds.kind) AND item.parked_at IS NULL
      AND item.due_at < %(overdue_before)s
    ORDER BY item.due_at LIMIT {LONGEST_OVERDUE}
) w {OF_WORK}
"""
REVIEW = """
SELECT first.network, first.id AS consignment_id, o.id AS order_id,
       coalesce(first.tracking_number, nullif(first.consignment_number, ''), o.source_key) AS name, o.reference,
       o.updated_at AS at, o.review_reason AS said, 'review of order ' || o.id AS subject
FROM orders o
CROSS JOIN LATERAL (SELECT * FROM consignments c WHERE c.order_id = o.id ORDER BY c.id LIMIT 1) first
WHERE o.review_reason IS NOT NULL
"""
MISSING_PODS = f"""
SELECT {CONSIGNMENT}, c.delivered_at AS at,
       concat_ws('; ', 'Delivered by ' || coalesce(nullif(c.delivery_depot, ''), 'an unknown depot'), (
           SELECT string_agg(e.reason, '; ' ORDER BY e.id) FROM document_exchanges e
           WHERE e.consignment_id = c.id AND e.direction = 'fetched' AND e.done_at IS NULL)) AS said,
       'POD of consignment ' || c.id AS subject
FROM {OF_CONSIGNMENT}
WHERE c.delivered_at BETWEEN %(deliveries_from)s AND %(pods_before)s AND c.lifecycle_status = 'DELIVERED'
  AND c.network = ANY (%(pods_of)s) AND {WE_OWE_POD} AND {LACKS_POD}
"""
MISSING_PHOTOS = f"""
SELECT {CONSIGNMENT}, w.begun_at AS at,
       concat_ws('; ', 'Delivered by ' || coalesce(nullif(c.delivery_depot, ''), 'an unknown depot')
                       || ', looked for ' || w.attempts || ' times', (
           SELECT string_agg(DISTINCT q.reason, ', ') FROM quarantined_files q
           WHERE (q.network, q.tracking_number) = (c.network, c.tracking_number))) AS said,
       'photo of consignment ' || c.id AS subject
FROM photo_windows w JOIN consignments c ON c.id = w.consignment_id JOIN orders o ON o.id = c.order_id
WHERE w.begun_at BETWEEN %(deliveries_from)s AND %(photos_before)s AND {LACKS_PHOTO}
"""
# Where both ends are ours, no network scans anything.
NEVER_SCANNED = f"""
SELECT {CONSIGNMENT}, (c.collection_date + 1)::timestamp AT TIME ZONE 'Europe/London' AS at,
       'Manifested for collection on ' || to_char(c.collection_date, 'DD/MM/YYYY') || '; nobody has scanned '
       || CASE WHEN unscanned.count = unscanned.of THEN 'any of its pallets'
               ELSE 'pallet ' || unscanned.numbers || ' of ' || unscanned.of END AS said,
       'scan of consignment ' || c.id AS subject
FROM {OF_CONSIGNMENT}
CROSS JOIN LATERAL (
    SELECT count(*) AS of, count(*) FILTER (WHERE NOT scanned) AS count,
           string_agg(number::text, ', ' ORDER BY number) FILTER (WHERE NOT scanned) AS numbers
    FROM (
        SELECT p.number, EXISTS (
            SELECT FROM tracking_events t
            WHERE t.consignment_id = c.id AND t.direction = 'imported' AND NOT t.echo AND t.status NOT IN {NO_SCAN}
              AND (t.pallet_number = p.number OR t.barcode = '')) AS scanned
        FROM pallets p WHERE p.consignment_id = c.id AND p.removed_at IS NULL
    ) pallet
) unscanned
WHERE c.registered AND c.lifecycle_status IN {BEFORE_THE_HUB}
  AND c.collection_date BETWEEN %(scans_from)s AND %(unscanned_until)s AND o.cancelled_at IS NULL
  AND c.network = ANY (%(statuses_of)s) AND c.our_roles <> '{{}}' AND NOT c.our_roles @> ARRAY['collecting', 'delivery']
  AND unscanned.count > 0
"""
SCANNED = f"""
SELECT {CONSIGNMENT}, scan.at, scan.said || ', and its network does not know it' AS said,
       'scan without manifest of consignment ' || c.id AS subject
FROM (
    (SELECT id FROM consignments
     WHERE dispatch_state IN ('todo', 'waiting', 'failed', 'unknown') AND NOT registered
     ORDER BY id DESC LIMIT {NEWEST})
    UNION
    (SELECT id FROM consignments
     WHERE NOT registered AND lifecycle_status NOT IN ('CREATED', 'CANCELLED', 'DELIVERED')
     ORDER BY id DESC LIMIT {NEWEST})
) moved
JOIN consignments c ON c.id = moved.id
JOIN orders o ON o.id = c.order_id
CROSS JOIN LATERAL (
    SELECT seen.* FROM (
        SELECT m.at, 'Pallet ' || m.pallet_number || ' was scanned ' || replace(m.scan, '_', ' ')
                     || coalesce(' at ' || nullif(m.depot, ''), '') AS said
        FROM movements m WHERE m.consignment_id = c.id AND m.event = 'scanned'
        UNION ALL
        SELECT t.occurred_at, 'The network shows ' || t.code || coalesce(' for ' || nullif(t.barcode, ''), '')
        FROM tracking_events t
        WHERE t.consignment_id = c.id AND t.direction = 'imported' AND NOT t.echo AND t.status NOT IN {NO_SCAN}
    ) seen ORDER BY seen.at DESC LIMIT 1
) scan
WHERE o.cancelled_at IS NULL AND scan.at >= %(since)s
UNION ALL
SELECT {CONSIGNMENT}, b.first_seen_at, 'Barcode ' || b.barcode || ' was scanned, and is of no pallet of it',
       'foreign barcode ' || b.barcode || ' of consignment ' || c.id
FROM pallet_barcodes b JOIN consignments c ON c.id = b.consignment_id JOIN orders o ON o.id = c.order_id
WHERE b.state = 'foreign' AND b.first_seen_at >= %(since)s AND o.cancelled_at IS NULL
  AND c.lifecycle_status NOT IN ('DELIVERED', 'CANCELLED')
"""
# The label on the pallet says something else than its network knows it by.
BARCODE_DRIFT = f"""
SELECT {CONSIGNMENT}, drift.at, drift.said,
       'barcodes of consignment ' || c.id || ' of ' || to_char(drift.at, 'YYYY-MM-DD HH24:MI:SS') AS subject
FROM (
    SELECT b.consignment_id, max(b.superseded_at) AS at,
           string_agg('Pallet ' || b.pallet_number || ': ' || b.barcode || ' is now '
                      || coalesce(new.barcode, 'void'), '; ' ORDER BY b.pallet_number) AS said
    FROM pallet_barcodes b
    LEFT JOIN pallet_barcodes new ON (new.consignment_id, new.pallet_number) = (b.consignment_id, b.pallet_number)
                                 AND new.state IN ('expected', 'confirmed')
    WHERE b.state = 'superseded' AND b.superseded_at >= %(since)s AND EXISTS (
        SELECT FROM documents d
        WHERE d.consignment_id = b.consignment_id AND d.kind IN ('LABEL', 'NETWORK_LABEL') AND d.stale_at IS NOT NULL
          AND (d.barcode = b.barcode OR d.pallet_number IS NULL))
    GROUP BY b.consignment_id
) drift
JOIN consignments c ON c.id = drift.consignment_id JOIN orders o ON o.id = c.order_id
WHERE o.cancelled_at IS NULL AND c.lifecycle_status NOT IN ('DELIVERED', 'CANCELLED')
"""
# A file that was refused is of no matter once a later photo of the delivery has gone up.
DOCUMENTS = f"""
SELECT {CONSIGNMENT}, coalesce(u.failing_since, d.created_at) AS at,
       'Upload of ' || d.name || ': ' || coalesce(u.reason, u.state) AS said,
       'upload of document ' || d.id AS subject
FROM photo_uploads u
JOIN documents d ON d.id = u.document_id
JOIN orders o ON o.id = d.order_id
CROSS JOIN LATERAL (
    SELECT * FROM consignments held WHERE held.order_id = o.id AND held.id = coalesce(u.consignment_id, held.id)
    ORDER BY held.id LIMIT 1
) c
WHERE u.state IN ('waiting', 'refused', 'failed', 'config_error') AND d.stale_at IS NULL
  AND (u.state <> 'waiting' OR u.consignment_id IS NULL)
  AND NOT EXISTS (SELECT FROM photo_uploads later
                  WHERE later.consignment_id = u.consignment_id AND later.document_id > u.document_id
                    AND u.state = 'refused' AND later.state = 'uploaded')
UNION ALL
SELECT {CONSIGNMENT}, e.given_up_at,
       CASE e.direction WHEN 'sent' THEN 'Sending ' ELSE 'Fetching ' END || concat_ws(' ', e.code, e.name) || ': '
       || e.reason, 'exchange of document ' || e.id
FROM document_exchanges e JOIN consignments c ON c.id = e.consignment_id JOIN orders o ON o.id = c.order_id
WHERE e.given_up_at IS NOT NULL
"""
STATUSES = f"""
SELECT {CONSIGNMENT}, coalesce(t.refused_at, t.recorded_at) AS at,
       t.code || coalesce(' of pallet ' || t.pallet_number, '')
       || CASE WHEN t.refused_at IS NULL THEN ' waits: ' ELSE ' was refused: ' END || t.refusal AS said,
       'status ' || t.id AS subject
FROM tracking_events t JOIN consignments c ON c.id = t.consignment_id JOIN orders o ON o.id = c.order_id
WHERE t.direction = 'exported' AND t.sent_at IS NULL AND t.refusal IS NOT NULL AND o.cancelled_at IS NULL
"""
ETAS = f"""
SELECT {CONSIGNMENT}, e.refused_at AS at, 'On trip ' || coalesce(e.refused_route, '?') || ': ' || e.refusal AS said,
       'ETA of consignment ' || c.id AS subject
FROM eta_exports e JOIN consignments c ON c.id = e.consignment_id JOIN orders o ON o.id = c.order_id
WHERE e.refused_at IS NOT NULL AND e.refused_eta > %(now)s - interval '12 hours' AND o.cancelled_at IS NULL
  AND c.lifecycle_status NOT IN ('DELIVERED', 'CANCELLED')
"""
STALE = f"""
SELECT {CONSIGNMENT}, s.since AS at,
       c.lifecycle_status || ', expected on '
       || to_char(coalesce(c.delivery_date, c.collection_date, c.created_at::date), 'DD/MM/YYYY') AS said,
       'stale consignment ' || c.id AS subject
FROM stale_consignments s JOIN consignments c ON c.id = s.consignment_id JOIN orders o ON o.id = c.order_id
"""
# Of a consignment whose photos have come after all, nobody needs to look at what was none.
FILES = """
SELECT q.network, c.id AS consignment_id, c.order_id, q.tracking_number AS name, o.reference, q.received_at AS at,
       q.reason || ': ' || q.detail AS said, 'quarantined file ' || q.id AS subject
FROM quarantined_files q
LEFT JOIN LATERAL (
    SELECT held.* FROM consignments held
    WHERE (held.network, held.tracking_number) = (q.network, q.tracking_number) ORDER BY held.id LIMIT 1
) c ON true
LEFT JOIN orders o ON o.id = c.order_id
WHERE NOT EXISTS (SELECT FROM photo_windows w WHERE w.consignment_id = c.id AND w.found)
"""
REJECTED_FILES = """
SELECT f.network, NULL::bigint AS consignment_id, NULL::bigint AS order_id, f.name, '' AS reference, f.read_at AS at,
       f.reason AS said, 'rejected file ' || f.id AS subject
FROM inbound_files f
WHERE f.outcome = 'REJECTED' AND NOT EXISTS (
    SELECT FROM inbound_files later
    WHERE (later.network, later.name) = (f.network, f.name) AND later.read_at > f.read_at)
"""
UNKNOWN_CODES = """
SELECT u.network, NULL::bigint AS consignment_id, NULL::bigint AS order_id, u.code AS name, '' AS reference,
       min(u.day)::timestamptz AS at,
       sum(u.events) || ' times, last on ' || to_char(max(u.day), 'DD/MM/YYYY') AS said,
       'status code ' || u.network || ' ' || u.code AS subject
FROM unknown_codes u WHERE u.day >= %(since)s::date GROUP BY u.network, u.code
"""
LOST_DOCUMENTS = """
SELECT c.network, c.id AS consignment_id, d.order_id, d.name, o.reference, l.found_at AS at,
       'The bytes of ' || lower(d.kind) || ' ' || d.name || ' are not in the document storage' AS said,
       'lost document ' || d.id AS subject
FROM lost_documents l
JOIN documents d ON d.sha256 = l.sha256
JOIN orders o ON o.id = d.order_id
CROSS JOIN LATERAL (
    SELECT * FROM consignments held WHERE held.order_id = o.id AND held.id = coalesce(d.consignment_id, held.id)
    ORDER BY held.id LIMIT 1
) c
"""
RELATIONS: Mapping[str, str] = {
    "dispatch": DISPATCH_STOPPED,
    "parked": PARKED_WORK,
    "overdue": OVERDUE_WORK,
    "review": REVIEW,
    "pods": MISSING_PODS,
    "photos": MISSING_PHOTOS,
    "never-scanned": NEVER_SCANNED,
    "not-manifested": SCANNED,
    "barcodes": BARCODE_DRIFT,
    "documents": DOCUMENTS,
    "statuses": STATUSES,
    "etas": ETAS,
    "stale": STALE,
    "files": FILES,
    "rejected-files": REJECTED_FILES,
    "unknown-codes": UNKNOWN_CODES,
    "lost-documents": LOST_DOCUMENTS,
}
