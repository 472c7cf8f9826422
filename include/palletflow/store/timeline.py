"""The story of one consignment: everything that happened to it, whatever table remembers it, the newest first.

What two tables remember of the same happening is told once: by the one that knows more. They are known by the moment,
as what is written in one transaction has the same.
"""

from datetime import UTC, datetime
from typing import Any, NamedTuple

from palletflow.store.connection import Connection
from palletflow.store.standing import WORK

MOST = 300
RECORDS_MOST = 50
# Of a text that came from outside, in one entry.
TEXT_MOST = 4000


class Happening(NamedTuple):
    """One entry. `source` is the table it is from and `id` its row there; `data`: what else that table says.

    source: activity, record, event, movement, document, exchange, upload, file, collision, window, ask, eta, note,
    barcode, work or stale. `kind` and `data` are as in the SQL of this module.
    """

    at: datetime
    source: str
    id: int
    kind: str
    who: str
    data: dict[str, Any]


class Place(NamedTuple):
    """A place in the story; what lies before it is older."""

    at: datetime
    source: str
    id: int


class Record(NamedTuple):
    """One raw record as it came, secrets masked, and what became of it. `raw` is cut after so many characters."""

    id: int
    stream: str
    party: str
    run: str
    record_key: str
    row_number: int | None
    raw: str
    length: int
    corrected: str | None
    corrected_by: str | None
    read_at: datetime
    outcome: str
    reason_code: str | None
    field: str | None
    reason: str | None
    warnings: list[str]
    settled_at: datetime | None
    settled_by: str | None


END = Place(datetime.max.replace(tzinfo=UTC), "", 0)

# What the history calls the report of movement m.
REPORTED_AS = """
    CASE m.event WHEN 'scanned' THEN 'pallet ' || m.pallet_number || ' scanned ' || replace(m.scan, '_', ' ')
                 ELSE replace(m.stop, '_', ' ') || ' ' || m.event END
"""
# Each gives at, id, kind, who and data of consignment %(id)s.
SOURCES = {
    # An import's entry knows its record. What documents, movements, statuses told and uploads say themselves is left to
    # them; a movement takes along what it changed.
    "activity": f"""
        SELECT a.at, a.id, a.kind, a.actor AS who, jsonb_build_object(
            'source', a.source, 'changes', a.changes, 'warnings', a.warnings,
            'import', CASE WHEN b.id IS NOT NULL THEN jsonb_build_object(
                'run', b.run, 'stream', b.stream, 'party', b.party, 'from', b.window_from, 'to', b.window_to,
                'record', (SELECT max(r.id) FROM inbound_records r
                           WHERE r.consignment_id = a.consignment_id AND r.batch_id = b.id)) END) AS data
        FROM activity a LEFT JOIN inbound_batches b ON b.id = a.batch_id
        WHERE a.consignment_id = %(id)s
          AND NOT (a.kind = 'document added' AND EXISTS (
              SELECT FROM it JOIN documents d ON d.order_id = it.order_id
              WHERE d.created_at = a.at AND d.kind || ': ' || d.name = a.changes #>> '{{document,1}}'))
          AND NOT EXISTS (
              SELECT FROM movements m WHERE m.consignment_id = a.consignment_id AND m.reported_at = a.at
              AND a.kind = {REPORTED_AS})
          AND NOT (a.kind = 'statuses read' AND a.warnings = '{{}}' AND a.changes - 'statuses' = '{{}}')
          AND NOT (coalesce(a.changes, '{{}}') - ARRAY['statuses', 'notes'] = '{{}}'
                   AND (a.changes IS NOT NULL OR a.warnings <> '{{}}') AND EXISTS (
              SELECT FROM tracking_events t WHERE t.consignment_id = a.consignment_id AND t.direction = 'exported'
              AND (t.sent_at = a.at OR t.refused_at = a.at)))
          AND NOT (a.kind IN ('document sent', 'document parked', 'document refused') AND EXISTS (
              SELECT FROM document_exchanges e
              WHERE e.consignment_id = a.consignment_id AND (e.done_at = a.at OR e.given_up_at = a.at)))
          AND NOT (a.kind = 'ETA refused' AND EXISTS (
              SELECT FROM eta_exports e WHERE e.consignment_id = a.consignment_id AND e.refused_at = a.at))
          AND NOT (a.kind = 'photo uploaded' AND EXISTS (
              SELECT FROM photo_uploads u WHERE u.consignment_id = a.consignment_id
              AND u.state = 'uploaded' AND u.name = a.changes #>> '{{file,1}}'))
    """,  # noqa: S608 - names are our own constants
    # What of a record no entry of the history tells. A rejected one belongs to nothing yet but its number.
    "record": """
        SELECT r.read_at AS at, r.id, r.outcome AS kind, '' AS who, jsonb_build_object(
            'run', b.run, 'stream', r.stream, 'party', b.party, 'from', b.window_from, 'to', b.window_to,
            'row', r.row_number, 'reason_code', r.reason_code, 'field', r.field, 'reason', r.reason,
            'warnings', r.warnings, 'settled_at', r.settled_at, 'settled_by', r.settled_by) AS data
        FROM it JOIN (
            SELECT id FROM inbound_records WHERE consignment_id = %(id)s
            UNION
            SELECT id FROM inbound_records WHERE record_key = ANY (SELECT unnest(keys) FROM it)
              AND network = (SELECT network FROM it)
        ) found ON true
        JOIN inbound_records r ON r.id = found.id
        JOIN inbound_batches b ON b.id = r.batch_id
        WHERE coalesce(r.consignment_id, %(id)s) = %(id)s AND NOT EXISTS (
            SELECT FROM activity a WHERE a.consignment_id = %(id)s AND a.batch_id = r.batch_id)
    """,
    "event": """
        SELECT CASE t.direction WHEN 'imported' THEN t.occurred_at
                    ELSE coalesce(t.sent_at, t.refused_at, t.recorded_at) END AS at,
               t.id, t.direction AS kind, '' AS who,
               to_jsonb(t) - ARRAY['consignment_id', 'raw'] || jsonb_build_object('raw', left(t.raw::text, %(text)s))
               AS data
        FROM tracking_events t WHERE t.consignment_id = %(id)s
    """,
    "movement": f"""
        SELECT m.at, m.id, m.event AS kind, m.actor AS who, to_jsonb(m) - 'consignment_id' || jsonb_build_object(
            'changes', (SELECT a.changes FROM activity a
                        WHERE a.consignment_id = m.consignment_id AND a.at = m.reported_at AND a.kind = {REPORTED_AS}
                        ORDER BY a.id DESC LIMIT 1)) AS data
        FROM movements m WHERE m.consignment_id = %(id)s
    """,  # noqa: S608
    "document": """
        SELECT d.created_at AS at, d.id, d.kind, d.actor AS who, jsonb_build_object(
            'name', d.name, 'media_type', d.media_type, 'size', d.size, 'pallet_number', d.pallet_number,
            'of_order', d.consignment_id IS NULL, 'provisional', d.provisional, 'stale_at', d.stale_at,
            'barcode', d.barcode, 'source', d.source) AS data
        FROM it JOIN documents d ON d.order_id = it.order_id AND coalesce(d.consignment_id, %(id)s) = %(id)s
    """,
    "exchange": """
        SELECT coalesce(e.done_at, e.given_up_at, e.begun_at) AS at, e.id, e.direction AS kind, '' AS who,
               to_jsonb(e) - ARRAY['consignment_id', 'sha256'] AS data
        FROM document_exchanges e
        WHERE e.consignment_id = %(id)s AND NOT (e.direction = 'fetched' AND EXISTS (
            SELECT FROM documents d WHERE d.id = e.document_id AND d.created_at = e.done_at))
    """,
    # Refused and failed ones have an entry in the history; how they stand is said beside the document.
    "upload": """
        SELECT coalesce(u.uploaded_at, u.failing_since, d.created_at) AS at, u.document_id AS id, u.state AS kind,
               '' AS who, to_jsonb(u) - ARRAY['consignment_id', 'sha256'] || jsonb_build_object('document', d.name)
               AS data
        FROM it JOIN documents d ON d.order_id = it.order_id AND coalesce(d.consignment_id, %(id)s) = %(id)s
        JOIN photo_uploads u ON u.document_id = d.id AND coalesce(u.consignment_id, %(id)s) = %(id)s
        WHERE u.state NOT IN ('refused', 'failed') OR NOT EXISTS (
            SELECT FROM activity a WHERE a.consignment_id = %(id)s AND a.kind IN ('photo refused',
                                                                                  'photo upload failed'))
    """,
    "file": """
        SELECT f.received_at AS at, f.id, f.reason AS kind, '' AS who, jsonb_build_object(
            'detail', f.detail, 'size', f.size, 'method', f.method, 'seen_at', f.seen_at) AS data
        FROM it JOIN quarantined_files f ON (f.network, f.tracking_number) = (it.network, it.tracking_number)
    """,
    "collision": """
        SELECT k.found_at AS at, k.number::bigint AS id, 'collision' AS kind, '' AS who,
               jsonb_build_object('name', k.name, 'document', d.name) AS data
        FROM it JOIN documents d ON d.order_id = it.order_id AND coalesce(d.consignment_id, %(id)s) = %(id)s
        JOIN upload_collisions k ON k.document_id = d.id
    """,
    "window": """
        SELECT w.begun_at AS at, 0::bigint AS id, w.state AS kind, '' AS who,
               to_jsonb(w) - ARRAY['consignment_id', 'last_answer'] AS data
        FROM photo_windows w WHERE w.consignment_id = %(id)s
    """,
    # One that came to an end stands in the history.
    "ask": """
        SELECT q.asked_at AS at, 0::bigint AS id, 'asked' AS kind, '' AS who, jsonb_build_object() AS data
        FROM it JOIN photo_asks q ON (q.network, q.tracking_number) = (it.network, it.tracking_number)
        WHERE NOT EXISTS (SELECT FROM activity a WHERE a.consignment_id = %(id)s AND a.kind = 'photos asked for'
                          AND a.at >= q.asked_at - interval '1 minute')
    """,
    "eta": """
        SELECT told.at, told.id, told.kind, '' AS who, jsonb_build_object(
            'route', told.route, 'eta', told.eta, 'refusal', told.refusal) AS data
        FROM eta_exports e CROSS JOIN LATERAL (VALUES
            (e.accepted_at, 0::bigint, 'accepted', e.route, e.eta_from, NULL),
            (e.refused_at, 1::bigint, 'refused', e.refused_route, e.refused_eta, e.refusal)
        ) AS told (at, id, kind, route, eta, refusal)
        WHERE e.consignment_id = %(id)s AND told.at IS NOT NULL
    """,
    "note": """
        SELECT n.noted_at AS at, n.note_number AS id, n.note_group AS kind, '' AS who, jsonb_build_object(
            'type', n.note_type, 'text', n.note_text, 'status_code', n.status_code, 'signatory', n.signatory,
            'pod_date', n.pod_date, 'pod_time', n.pod_time, 'barcode', n.barcode, 'read_at', n.read_at,
            'raw', left(n.raw::text, %(text)s)) AS data
        FROM network_notes n WHERE n.consignment_id = %(id)s
    """,
    # All pallets of one moment together.
    "barcode": """
        SELECT b.at, b.number AS id, b.kind, '' AS who, jsonb_build_object(
            'barcodes', jsonb_agg(jsonb_build_array(b.pallet_number, b.barcode) ORDER BY b.pallet_number, b.barcode))
            AS data
        FROM (
            SELECT held.pallet_number, held.barcode, turn.at, turn.number, turn.kind FROM pallet_barcodes held
            CROSS JOIN LATERAL (VALUES
                (CASE WHEN held.superseded_at IS DISTINCT FROM held.first_seen_at AND held.state <> 'foreign'
                      THEN held.first_seen_at END, 1::bigint, 'expected'),
                (CASE WHEN held.state = 'foreign' THEN held.first_seen_at END, 2, 'foreign'),
                (held.confirmed_at, 3, 'confirmed'),
                (held.superseded_at, 4, 'superseded')
            ) AS turn (at, number, kind)
            WHERE held.consignment_id = %(id)s AND turn.at IS NOT NULL
        ) b GROUP BY b.at, b.number, b.kind
    """,
    "work": f"""
        SELECT coalesce(w.parked_at, w.created_at) AS at, w.id, w.kind, '' AS who, jsonb_build_object(
            'key', w.key, 'due_at', w.due_at, 'attempts', w.attempts, 'last_error', w.last_error,
            'parked_at', w.parked_at, 'held', w.lease IS NOT NULL AND w.due_at > now()) AS data
        FROM it c CROSS JOIN LATERAL ({WORK}) w
    """,  # noqa: S608
    "stale": """
        SELECT s.since AS at, 0::bigint AS id, 'stale' AS kind, '' AS who, jsonb_build_object() AS data
        FROM stale_consignments s WHERE s.consignment_id = %(id)s
          AND NOT EXISTS (SELECT FROM activity a WHERE a.consignment_id = %(id)s AND a.kind = 'given up')
    """,
}


def _bounded(name: str, source: str) -> str:
    return f"""(
        SELECT * FROM (SELECT found.at, '{name}'::text AS source, found.id, found.kind, found.who, found.data
                       FROM ({source}) found) named
        WHERE (at, source, id) < (%(before_at)s::timestamptz, %(before_source)s::text, %(before_id)s::bigint)
        ORDER BY at DESC, id DESC LIMIT %(most)s
    )"""  # noqa: S608 - names are our own constants


STORY = f"""
WITH it AS MATERIALIZED (
    SELECT c.id, c.network, c.tracking_number, c.order_id,
           array_remove(ARRAY[c.tracking_number, o.source_key], NULL) AS keys
    FROM consignments c JOIN orders o ON o.id = c.order_id WHERE c.id = %(id)s
)
{" UNION ALL ".join(_bounded(name, source) for name, source in SOURCES.items())}
ORDER BY at DESC, source DESC, id DESC LIMIT %(most)s
"""  # noqa: S608
RECORDS = f"""
SELECT r.id, r.stream, b.party, b.run, r.record_key, r.row_number, left(r.raw, %(text)s), length(r.raw),
       left(r.corrected, %(text)s), r.corrected_by, r.read_at, r.outcome, r.reason_code, r.field, r.reason, r.warnings,
       r.settled_at, r.settled_by
FROM (
    SELECT id FROM inbound_records WHERE consignment_id = %(id)s
    UNION
    SELECT r.id FROM consignments c JOIN orders o ON o.id = c.order_id
    JOIN inbound_records r ON r.network = c.network AND r.consignment_id IS NULL
                          AND r.record_key = ANY (array_remove(ARRAY[c.tracking_number, o.source_key], NULL))
    WHERE c.id = %(id)s
) found
JOIN inbound_records r ON r.id = found.id JOIN inbound_batches b ON b.id = r.batch_id
ORDER BY r.id DESC LIMIT {RECORDS_MOST}
"""  # noqa: S608

ASKED = """
SELECT FROM activity
WHERE consignment_id = %(id)s AND kind = %(kind)s AND changes #>> '{asked,1}' IS NOT DISTINCT FROM %(what)s::text
  AND at > now() - make_interval(secs => %(within_s)s)
LIMIT 1
"""


def story(conn: Connection, consignment_id: int, before: Place = END, most: int = MOST) -> tuple[list[Happening], bool]:
    """At most `most` entries before a place, the newest first, and whether there are older ones."""
    values = {
        "id": consignment_id,
        "before_at": before.at,
        "before_source": before.source,
        "before_id": before.id,
        "most": most + 1,
        "text": TEXT_MOST,
    }
    found = [Happening(*row) for row in conn.execute(STORY, values)]
    return found[:most], len(found) > most


def records(conn: Connection, consignment_id: int, text_most: int = 200_000) -> list[Record]:
    """The newest 50 raw records of a consignment, those included that were rejected under its number."""
    return [Record(*row) for row in conn.execute(RECORDS, {"id": consignment_id, "text": text_most})]


def was_asked(conn: Connection, consignment_id: int, kind: str, what: str | None, within_s: float) -> bool:
    """Whether the last seconds' history has a `kind` with {"asked": [None, what]}, or without it for None."""
    row = conn.execute(ASKED, {"id": consignment_id, "kind": kind, "what": what, "within_s": within_s}).fetchone()
    return row is not None
