"""What a seeded order store holds, as SQL: one statement a table, each a set drawn from the numbers of its rows.

Everything follows from a row's number and the moment taken for now, so the same two give the same rows. `DRAW` decides
about every consignment once (`seeding.drawn`); `ROWS` writes the tables from that, in any order and side by side.
`seeding.pick(number, draw, most)` is 0 <= x < most, another one for each `draw`.
"""

NAMES = {
    "towns": [
        "Leicester", "Leeds", "Bristol", "Birmingham", "Coventry", "Derby", "Nottingham", "Sheffield", "Bradford",
        "York",
        "Hull", "Doncaster", "Manchester", "Liverpool", "Preston", "Stoke-on-Trent", "Shrewsbury", "Wolverhampton",
        "Worcester", "Gloucester", "Bath", "Swindon", "Oxford", "Reading", "Southampton", "Portsmouth", "Exeter",
        "Plymouth", "Truro", "Cardiff", "Swansea", "Newport", "Norwich", "Ipswich", "Cambridge", "Peterborough",
        "Northampton", "Milton Keynes", "Luton", "Chelmsford", "Colchester", "Canterbury", "Maidstone", "Brighton",
        "Guildford", "Croydon", "Slough", "Watford", "Carlisle", "Newcastle upon Tyne", "Durham", "Darlington",
        "Middlesbrough", "Glasgow", "Edinburgh", "Dundee", "Aberdeen", "Inverness", "Perth", "Belfast",
    ],
    "areas": [
        "LE", "LS", "BS", "B", "CV", "DE", "NG", "S", "BD", "YO", "HU", "DN", "M", "L", "PR", "ST", "SY", "WV", "WR",
        "GL", "BA", "SN", "OX", "RG", "SO", "PO", "EX", "PL", "TR", "CF", "SA", "NP", "NR", "IP", "CB", "PE", "NN",
        "MK",
        "LU", "CM", "CO", "CT", "ME", "BN", "GU", "CR", "SL", "WD", "CA", "NE", "DH", "DL", "TS", "G", "EH", "DD", "AB",
        "IV", "PH", "BT",
    ],
    "first_words": [
        "Acorn", "Beacon", "Calder", "Dovetail", "Elmfield", "Fairway", "Granary", "Hawthorn", "Ivybridge", "Jubilee",
        "Kestrel", "Larkspur", "Millrace", "Northfield", "Oakwell", "Pennine", "Quarry Bank", "Ridgeway", "Saltmarsh",
        "Thornhill", "Upland", "Vale", "Westgate", "Yarrow",
    ],
    "second_words": [
        "Joinery", "Ceramics", "Tools", "Pet Foods", "Packaging", "Lighting", "Brewing", "Furniture", "Fixings",
        "Paints",
        "Garden Supplies", "Print", "Components", "Flooring", "Catering", "Textiles", "Plumbing", "Bathrooms", "Seeds",
        "Electrical",
    ],
    "streets": ["Mill Road", "Station Road", "High Street", "Canal Street", "Trading Estate", "Dock Lane", "Park Way"],
    "palletforce_ours": ["900", "901", "902"],
    "palletforce_others": [f"{code:03d}" for code in range(10, 95)],
    "nexus_ours": ["PGD302", "UKD101", "FTD201"],
    "nexus_others": [f"UKD{code}" for code in range(110, 170)],
    "palletways_ours": ["123", "124"],
    "palletways_others": [f"{code}" for code in range(400, 480)],
    "letters": list("ABDEFGHJLNPQRSTUWXYZ"),
}  # fmt: skip

PREPARE = """
DROP SCHEMA IF EXISTS seeding CASCADE;
CREATE SCHEMA seeding;
CREATE FUNCTION seeding.pick(number bigint, draw integer, most integer) RETURNS integer
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN ((hashint8extended(number, draw) & 9223372036854775807) % most)::integer;
CREATE FUNCTION seeding.one_of(texts text[], number bigint, draw integer) RETURNS text
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN texts[1 + seeding.pick(number, draw, cardinality(texts))];
CREATE FUNCTION seeding.barcode(network text, tracking_number text, delivery_depot text, pallet integer,
       earlier boolean)
    RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN CASE network
        WHEN 'palletforce' THEN '506' || CASE WHEN earlier THEN '099' ELSE delivery_depot END || 'A' || tracking_number
        WHEN 'nexus' THEN CASE WHEN earlier THEN '1043' ELSE '1044' END || lpad(tracking_number, 10, '0')
        ELSE CASE WHEN earlier THEN 'A' ELSE 'B' END || tracking_number
    END || lpad(pallet::text, 2, '0');
"""
# A deployment has its own customers; a haulier has more than the sandbox's dozen.
CUSTOMERS = """
INSERT INTO customers (code, name)
SELECT 'C' || lpad(n::text, 4, '0'),
       (%(first_words)s::text[])[1 + n %% 24] || ' ' || (%(second_words)s::text[])[1 + n / 24] || ' Ltd'
FROM generate_series(0, 299) n ON CONFLICT DO NOTHING
"""
# Every tenth consignment is the second one of its order. Of all, 5 in 100 came in the last 48 hours and 10 in 100 are
# open: most of the newest, and here and there an old one.
DRAW = """
CREATE UNLOGGED TABLE seeding.drawn AS
WITH numbered AS (
    SELECT n AS id, CASE WHEN n %% 10 = 0 THEN n - 1 ELSE n END AS order_id,
           CASE WHEN n > %(count)s * 0.95 THEN (%(count)s - n) / (%(count)s * 0.05) * 48.0
                ELSE 48 + (%(count)s * 0.95 - n) / (%(count)s * 0.95) * 24 * 398 END AS age_h
    FROM generate_series(1::bigint, %(count)s::bigint) n
), placed AS (
    SELECT *, CASE WHEN seeding.pick(order_id, 1, 100) < 45 THEN 'palletforce'
                   WHEN seeding.pick(order_id, 1, 100) < 75 THEN 'nexus' ELSE 'palletways' END AS network,
           CASE WHEN seeding.pick(order_id, 2, 100) < 45 THEN ARRAY['requesting', 'collecting']
                WHEN seeding.pick(order_id, 2, 100) < 85 THEN ARRAY['delivery']
                WHEN seeding.pick(order_id, 2, 100) < 93 THEN ARRAY['requesting']
                WHEN seeding.pick(order_id, 2, 100) < 97 THEN ARRAY['collecting']
                WHEN seeding.pick(order_id, 2, 100) < 99 THEN ARRAY['requesting', 'collecting', 'delivery']
                ELSE '{}'::text[] END AS our_roles
    FROM numbered
), sourced AS (
    SELECT *, CASE network
                  WHEN 'palletforce' THEN seeding.one_of(%(palletforce_ours)s::text[], order_id, 3)
                  WHEN 'nexus' THEN seeding.one_of(%(nexus_ours)s::text[], order_id, 3)
                  ELSE seeding.one_of(%(palletways_ours)s::text[], order_id, 3) END AS ours,
           CASE network
                  WHEN 'palletforce' THEN seeding.one_of(%(palletforce_others)s::text[], id, 4)
                  WHEN 'nexus' THEN seeding.one_of(%(nexus_others)s::text[], id, 4)
                  ELSE seeding.one_of(%(palletways_others)s::text[], id, 4) END AS theirs,
           CASE WHEN 'requesting' <> ALL (our_roles) OR seeding.pick(order_id, 5, 100) < 22 THEN network
                WHEN network = 'palletforce' AND seeding.pick(order_id, 5, 100) < 30 THEN 'palletforce orders file'
                ELSE 'api' END AS source
    FROM placed
), dispatched AS (
    SELECT *, CASE WHEN source = network THEN 'not_needed'
                   WHEN age_h < 48 AND seeding.pick(id, 6, 100) < 6 THEN 'todo'
                   WHEN age_h < 48 AND seeding.pick(id, 6, 100) < 10 THEN 'waiting'
                   WHEN age_h < 48 AND seeding.pick(id, 6, 100) < 13 THEN 'failed'
                   WHEN age_h < 48 AND seeding.pick(id, 6, 100) < 15 THEN 'unknown'
                   WHEN seeding.pick(id, 6, 1000) < 2 THEN 'failed' ELSE 'completed' END AS dispatch_state
    FROM sourced
), opened AS (
    SELECT *, dispatch_state NOT IN ('not_needed', 'completed') OR seeding.pick(id, 7, 10000) <
           CASE WHEN age_h < 12 THEN 9500 WHEN age_h < 24 THEN 7000 WHEN age_h < 48 THEN 4000 ELSE 730 END AS is_open
    FROM dispatched
), moved AS (
    SELECT *, CASE WHEN NOT is_open THEN CASE WHEN seeding.pick(id, 8, 1000) < 25 THEN 'CANCELLED' ELSE 'DELIVERED' END
                   WHEN dispatch_state NOT IN ('not_needed', 'completed') THEN 'CREATED'
                   WHEN age_h < 12 THEN (ARRAY['CREATED', 'CREATED', 'COLLECTED', 'AT_COLLECTION_DEPOT'])
                        [1 + seeding.pick(id, 9, 4)]
                   ELSE (ARRAY['CREATED', 'COLLECTED', 'AT_COLLECTION_DEPOT', 'TRUNKED', 'AT_HUB', 'LEFT_HUB',
                               'AT_DELIVERY_DEPOT', 'AT_DELIVERY_DEPOT', 'OUT_FOR_DELIVERY', 'OUT_FOR_DELIVERY',
                               'ARRIVED', 'EXCEPTION', 'EXCEPTION', 'UNKNOWN'])[1 + seeding.pick(id, 9,
                               14)] END AS status
    FROM opened
)
SELECT id, order_id, network, source, our_roles, dispatch_state, status, %(now)s - age_h * interval '1 hour' AS at,
       CASE WHEN 'requesting' = ANY (our_roles) THEN ours ELSE theirs END AS requesting,
       CASE WHEN 'collecting' = ANY (our_roles) THEN ours ELSE theirs END AS collecting,
       CASE WHEN 'delivery' = ANY (our_roles) THEN ours ELSE theirs END AS delivering,
       dispatch_state IN ('not_needed', 'completed') AS registered,
       CASE WHEN dispatch_state IN ('not_needed', 'completed') THEN CASE network
           WHEN 'palletforce' THEN CASE WHEN 'requesting' = ANY (our_roles) THEN ours ELSE theirs END
                || lpad(id::text, 10, '0')
           WHEN 'nexus' THEN (70000000 + id)::text ELSE (60000000000 + id)::text END END AS tracking_number,
       CASE network WHEN 'palletforce' THEN lpad((id %% 9999999)::text, 7, '0')
                    WHEN 'nexus' THEN 'QG' || lpad(id::text, 7, '0')
                    ELSE id || '-' || CASE WHEN 'requesting' = ANY (our_roles) THEN ours ELSE theirs END
                    END AS consignment_number,
       -- Some customers send much, most little.
       CASE WHEN source = network THEN (%(network_customers)s::bigint[])
                [array_position(ARRAY['palletforce', 'nexus', 'palletways'], network)]
            ELSE (%(customers)s::bigint[])[1 + floor(cardinality(%(customers)s::bigint[])
                 * power(seeding.pick(order_id, 10, 1000000) / 1e6, 3))::integer] END AS customer_id,
       (ARRAY[1, 1, 1, 1, 1, 1, 2, 2, 3, 5])[1 + seeding.pick(id, 11, 10)] AS pallets,
       CASE WHEN status = 'DELIVERED' THEN least(
            %(now)s - age_h * interval '1 hour' + (18 + seeding.pick(id, 12, 120) / 10.0) * interval '1 hour',
            %(now)s - seeding.pick(id, 12, 60) * interval '1 minute') END AS delivered_at
FROM moved
"""
ADDRESS = """
'Receiver ' || (d.id %% 900), (1 + d.id %% 80) || ' ' || seeding.one_of(%(streets)s::text[], d.id, {draw}), '',
seeding.one_of(%(towns)s::text[], d.id, {draw}), '',
seeding.one_of(%(areas)s::text[], d.id, {draw}) || (1 + seeding.pick(d.id, {draw} + 1, 20)) || ' '
    || seeding.pick(d.id, {draw} + 2, 10) || seeding.one_of(%(letters)s::text[], d.id, {draw} + 3)
    || seeding.one_of(%(letters)s::text[], d.id, {draw} + 4),
'GB', '01632 960' || lpad((d.id %% 1000)::text, 3, '0'), 'Goods In'
"""
NO_ADDRESS = "'', '', '', '', '', '', '', '', ''"
# Table: what is written to it. The largest come first.
ROWS: dict[str, str] = {
    "stops": f"""
INSERT INTO stops (consignment_id, kind, depot, name, street, locality, town, county, postcode, country, phone, contact,
                   planned_date, arrived_at, completed_at, route, route_sequence, eta_from, eta_to, outcome, signatory)
SELECT d.id, stop.*
FROM seeding.drawn d CROSS JOIN LATERAL (VALUES
    ('pickup', '', {ADDRESS.format(draw=30)}, d.at::date, NULL::timestamptz,
     CASE WHEN d.status <> 'CREATED' THEN d.at + interval '3 hours' END, '', NULL::integer, NULL::timestamptz,
     NULL::timestamptz, NULL, ''),
    ('collection_depot', d.collecting, {NO_ADDRESS}, d.at::date, NULL,
     CASE WHEN d.status = 'DELIVERED' THEN d.at + interval '6 hours' END, '', NULL, NULL, NULL, NULL, ''),
    ('delivery_depot', d.delivering, {NO_ADDRESS}, d.at::date + 1, NULL,
     CASE WHEN d.status = 'DELIVERED' THEN d.delivered_at - interval '4 hours' END, '', NULL, NULL, NULL, NULL, ''),
    ('delivery', '', {ADDRESS.format(draw=40)}, d.at::date + 1, CASE WHEN d.status = 'ARRIVED' THEN d.at END,
     d.delivered_at,
     CASE WHEN 'delivery' = ANY (d.our_roles) AND d.at > %(now)s - interval '30 days'
          THEN 'R' || seeding.pick(d.id, 46, 30) || '-' || to_char(d.at, 'DDMM') ELSE '' END,
     CASE WHEN 'delivery' = ANY (d.our_roles) AND d.at > %(now)s - interval '30 days'
          THEN 1 + seeding.pick(d.id, 47, 20) END,
     CASE WHEN d.status = 'OUT_FOR_DELIVERY' THEN d.at + interval '26 hours' END,
     CASE WHEN d.status = 'OUT_FOR_DELIVERY' THEN d.at + interval '28 hours' END,
     CASE WHEN d.status = 'DELIVERED' THEN CASE WHEN seeding.pick(d.id, 13,
     100) < 2 THEN 'DAMAGED' ELSE 'CLEAN' END END,
     CASE WHEN d.status = 'DELIVERED' THEN 'J SMITH' ELSE '' END)
) AS stop
""",  # noqa: S608 - our own constants
    "tracking_events": """
INSERT INTO tracking_events (consignment_id, direction, pallet_number, barcode, code, status, occurred_at, depot,
                             signatory, raw, recorded_at)
SELECT d.id, CASE WHEN 'delivery' = ANY (d.our_roles) AND step.rank > 50 THEN 'exported' ELSE 'imported' END, 1,
       seeding.barcode(d.network, d.tracking_number, d.delivering, 1, false), step.code, step.status,
       d.at + step.rank * interval '20 minutes', CASE WHEN step.rank < 40 THEN d.collecting ELSE d.delivering END,
       CASE step.status WHEN 'DELIVERED' THEN 'J SMITH' ELSE '' END,
       jsonb_build_object('eventCode', step.code, 'trackingNumber', d.tracking_number),
       d.at + step.rank * interval '21 min'
FROM seeding.drawn d
JOIN (VALUES ('palletforce', 20, 'POC', 'COLLECTED'), ('palletforce', 40, 'ARRH', 'AT_HUB'),
             ('palletforce', 50, 'ARRD', 'AT_DELIVERY_DEPOT'), ('palletforce', 90, 'POD', 'DELIVERED'),
             ('nexus', 20, 'Collected', 'COLLECTED'), ('nexus', 40, 'At Hub', 'AT_HUB'),
             ('nexus', 60, 'Out for Delivery', 'OUT_FOR_DELIVERY'), ('nexus', 90, 'Delivered', 'DELIVERED'),
             ('palletways', 30, '300', 'AT_COLLECTION_DEPOT'), ('palletways', 40, '500', 'AT_HUB'),
             ('palletways', 50, '700', 'AT_DELIVERY_DEPOT'), ('palletways', 90, '900', 'DELIVERED')
     ) AS step (network, rank, code, status) ON step.network = d.network AND d.tracking_number IS NOT NULL
WHERE step.rank <= CASE d.status WHEN 'CREATED' THEN 0 WHEN 'CANCELLED' THEN 0 WHEN 'COLLECTED' THEN 20
    WHEN 'AT_COLLECTION_DEPOT' THEN 30 WHEN 'TRUNKED' THEN 35 WHEN 'AT_HUB' THEN 40 WHEN 'LEFT_HUB' THEN 45
    WHEN 'AT_DELIVERY_DEPOT' THEN 50 WHEN 'DELIVERED' THEN 90 ELSE 60 END
ORDER BY d.id, step.rank
""",
    "consignments": """
INSERT INTO consignments (id, order_id, network, tracking_number, registered, consignment_number, requesting_depot,
    collecting_depot, delivery_depot, our_roles, account, service, surcharges, collection_date, delivery_date,
    weight_kg,
    pallet_spaces, insurance_code, hub_code, amazon_reference, notes, dispatch_state, lifecycle_status,
    exception_reason,
    network_status, network_updated_at, input_digest, read_at, created_at, updated_at, goods_description, delivered_at)
OVERRIDING SYSTEM VALUE
SELECT id, order_id, network, tracking_number, registered, consignment_number, requesting, collecting, delivering,
       our_roles, 'acme 001', 'A', CASE WHEN seeding.pick(id, 14, 4) = 0 THEN ARRAY['AM', 'TL'] ELSE '{}' END, at::date,
       at::date + 1, 100 + seeding.pick(id, 15, 900), pallets, '01', '', '',
       CASE WHEN seeding.pick(id, 16, 5) = 0 THEN ARRAY['CALL FIRST'] ELSE '{}' END, dispatch_state, status,
       CASE WHEN status = 'EXCEPTION' THEN (ARRAY['REFUSED', 'NOT_DELIVERED', 'DAMAGED', 'SHORT', 'HELD'])
                [1 + seeding.pick(id, 17, 5)]
            WHEN status = 'DELIVERED' AND seeding.pick(id, 13, 100) < 2 THEN 'DAMAGED' END,
       CASE WHEN registered THEN 'ACCEPTED' ELSE '' END, CASE WHEN registered THEN at + interval '1 hour' END,
       sha256(id::text::bytea), at, at, coalesce(delivered_at, at + interval '2 hours'), 'Parts', delivered_at
FROM seeding.drawn ORDER BY id
""",
    "orders": """
INSERT INTO orders (id, customer_id, source, source_key, reference, reference_2, review_reason, created_at, updated_at,
                    cancelled_at)
OVERRIDING SYSTEM VALUE
SELECT id, customer_id, source,
       CASE source WHEN 'api' THEN 'SO-' || id WHEN network THEN tracking_number ELSE 'F' || id END,
       -- One of the references of some customers says nothing.
       CASE WHEN seeding.pick(id, 18, 100) < 2 THEN 'STOCK' ELSE 'PO' || lpad(seeding.pick(id, 19, 2000000)::text, 7,
       '0') END,
       CASE WHEN seeding.pick(id, 18, 5) = 0 THEN 'J' || id ELSE '' END,
       CASE WHEN seeding.pick(id, 21,
       4000) = 0 AND status <> 'DELIVERED' THEN 'Changed in the network after dispatch' END,
       at, at, CASE WHEN status = 'CANCELLED' THEN at + interval '2 hours' END
FROM seeding.drawn WHERE id = order_id ORDER BY id
""",
    "activity": """
INSERT INTO activity (consignment_id, kind, actor, source, changes, warnings, at)
SELECT d.id, entry.*
FROM seeding.drawn d CROSS JOIN LATERAL (VALUES
    ('created', CASE d.source WHEN 'api' THEN 'orders@example.com' ELSE 'palletflow' END,
     CASE d.source WHEN 'api' THEN 'order API' ELSE d.source END, NULL::jsonb,
     CASE WHEN seeding.pick(d.id, 22, 50) = 0 THEN ARRAY['An unknown surcharge was left out'] ELSE '{}' END, d.at),
    ('dispatched', 'palletflow', d.network || ' dispatch',
     jsonb_build_object('dispatch_state', jsonb_build_array('waiting', 'completed')), '{}', d.at + interval '1 hour'),
    ('statuses read', 'palletflow', d.network || ' statuses',
     jsonb_build_object('lifecycle_status', jsonb_build_array('OUT_FOR_DELIVERY', 'DELIVERED')), '{}', d.delivered_at)
) AS entry (kind, actor, source, changes, warnings, at)
WHERE entry.kind = 'created' OR (entry.kind = 'dispatched' AND d.dispatch_state = 'completed')
   OR (entry.kind = 'statuses read' AND d.delivered_at IS NOT NULL)
""",
    "pallet_barcodes": """
INSERT INTO pallet_barcodes (consignment_id, pallet_number, barcode, state, first_seen_at, confirmed_at, superseded_at)
SELECT d.id, pallet, seeding.barcode(d.network, d.tracking_number, d.delivering, pallet, earlier),
       CASE WHEN earlier THEN 'superseded' WHEN d.status = 'CREATED' THEN 'expected' ELSE 'confirmed' END, d.at,
       CASE WHEN NOT earlier AND d.status <> 'CREATED' THEN d.at + interval '3 hours' END,
       CASE WHEN earlier THEN d.at + interval '2 hours' END
FROM seeding.drawn d CROSS JOIN LATERAL generate_series(1, d.pallets) pallet
CROSS JOIN LATERAL (SELECT unnest(CASE WHEN pallet = 1 AND seeding.pick(d.id, 23, 50) = 0 THEN ARRAY[true, false]
                                       ELSE ARRAY[false] END) AS earlier) AS form
WHERE d.tracking_number IS NOT NULL ORDER BY d.id, pallet
""",
    "pallets": """
INSERT INTO pallets (consignment_id, number, pallet_type)
SELECT d.id, pallet, (ARRAY['F', 'F', 'H', 'Q'])[1 + seeding.pick(d.id + pallet, 24, 4)]
FROM seeding.drawn d CROSS JOIN LATERAL generate_series(1, d.pallets) pallet ORDER BY d.id, pallet
""",
    # Labels of our own orders; of deliveries by others the POD, but for some; of every third delivery a photo.
    "documents": """
INSERT INTO documents (order_id, consignment_id, kind, name, media_type, size, sha256, barcode, source, actor,
       created_at,
                       customer_visible)
SELECT d.order_id, d.id, document.kind, document.name, document.media_type, 20000 + seeding.pick(d.id, 25, 200000),
       sha256((document.kind || d.id)::bytea), '', d.network, 'palletflow', document.at, document.kind = 'POD'
FROM seeding.drawn d CROSS JOIN LATERAL (VALUES
    ('NETWORK_LABEL', 'label.pdf', 'application/pdf', d.at + interval '1 hour'),
    ('POD', 'POD ' || d.tracking_number || '.pdf', 'application/pdf', d.delivered_at + interval '1 hour'),
    ('PHOTO', 'delivery ' || d.id || '.jpg', 'image/jpeg', d.delivered_at + interval '2 hours')
) AS document (kind, name, media_type, at)
WHERE document.at <= %(now)s AND CASE document.kind
    WHEN 'NETWORK_LABEL' THEN d.dispatch_state = 'completed'
    WHEN 'POD' THEN 'delivery' <> ALL (d.our_roles) AND seeding.pick(d.id, 26, 1000) > 4
    ELSE seeding.pick(d.id, 27, 3) = 0 END
""",
    "dispatch_tasks": """
INSERT INTO dispatch_tasks (consignment_id, trip, resource, auto_complete, completed_at, completed_by,
       transaction_number,
                            sends, sent_at, lookup_at, faults, finished_at, created_at)
SELECT id, 'T' || to_char(at, 'YYMMDD') || '-' || seeding.pick(id, 28, 40), upper(network) || '_OUT', false,
       CASE WHEN dispatch_state <> 'todo' THEN at + interval '50 minutes' END,
       CASE WHEN dispatch_state <> 'todo' THEN 'planner@example.com' END,
       CASE WHEN dispatch_state <> 'todo' THEN 'PLF' || id || '-1' ELSE '' END,
       CASE WHEN dispatch_state IN ('completed', 'unknown') THEN 1 ELSE 0 END,
       CASE WHEN dispatch_state IN ('completed', 'unknown') THEN at + interval '1 hour' END,
       CASE WHEN dispatch_state = 'unknown' THEN %(now)s + interval '5 minutes' END,
       CASE WHEN dispatch_state = 'failed' THEN jsonb_build_array(jsonb_build_object('code', 'MISSING_VALUE',
            'field', 'delivery.phone', 'reason', 'is required and is empty', 'remedy', 'Enter it and send again'))
            ELSE '[]' END,
       CASE WHEN dispatch_state IN ('completed', 'failed') THEN at + interval '1 hour' END, at
FROM seeding.drawn WHERE source <> network
""",
    # Kept for half a year.
    "inbound_records": """
INSERT INTO inbound_records (batch_id, network, stream, record_key, raw, raw_digest, read_at, outcome, warnings,
                             consignment_id, landed_at)
SELECT 1 + d.id / 50, d.network, 'depot_pull', d.tracking_number, raw, sha256(raw::bytea), d.at, 'created', '{}',
       d.id, d.at
FROM seeding.drawn d CROSS JOIN LATERAL (SELECT json_build_object(
    'trackingNumber', d.tracking_number, 'consignmentNumber', d.consignment_number, 'requestingDepot', d.requesting,
    'collectingDepot', d.collecting, 'deliveryDepot', d.delivering, 'CustomerAccountNumber', 'acme 001',
    'pallets', json_build_array(json_build_object('palletType', 'F', 'numberofPallets', d.pallets::text)),
    'deliveryAddress', json_build_object('name', 'Receiver ' || (d.id %% 900), 'streetAddress', '2 High Street',
        'postcode', 'LS1 1AA', 'phoneNumber', '0113 496 0999'), 'weight', '850', 'serviceName', 'A'
)::text AS raw) AS made
WHERE d.source = d.network AND d.at > %(now)s - interval '180 days'
""",
    "inbound_batches": """
INSERT INTO inbound_batches (id, network, stream, party, run, window_from, window_to, pages, records, created, updated,
                             unchanged, rejected, ignored, fetched_at, stored_at)
OVERRIDING SYSTEM VALUE
SELECT DISTINCT ON (1 + d.id / 50) 1 + d.id / 50, d.network, 'depot_pull',
       CASE d.network WHEN 'nexus' THEN 'nexus_pgd302' WHEN 'palletways' THEN '123' ELSE '900' END,
       'scheduled__' || d.id, d.at - interval '30 minutes', d.at, 1, 50, 20, 10, 20, 0, 0, d.at, d.at
FROM seeding.drawn d WHERE d.at > %(now)s - interval '180 days' ORDER BY 1 + d.id / 50, d.id
""",
    # 3,000 in quarantine, among them 1,200 for one setting.
    "quarantine": """
WITH batch AS (
    INSERT INTO inbound_batches (id, network, stream, party, run, pages, records, created, updated, unchanged, rejected,
                                 ignored, fetched_at) OVERRIDING SYSTEM VALUE
    VALUES (2 + %(count)s / 50, 'palletforce', 'depot_pull', '901', 'scheduled__quarantine', 30, 3000, 0, 0, 0, 3000, 0,
            %(now)s)
    RETURNING id
)
INSERT INTO inbound_records (batch_id, network, stream, record_key, raw, raw_digest, read_at, outcome, reason_code,
       field,
                             reason, warnings, landed_at)
SELECT batch.id, network, 'depot_pull', '9019' || lpad(n::text, 9, '0'), raw, sha256(raw::bytea),
       %(now)s - n * interval '2 minutes', 'rejected', cause.reason_code, cause.field, cause.reason, '{}',
       %(now)s - n * interval '2 minutes'
FROM batch, generate_series(1, 3000) n
CROSS JOIN LATERAL (SELECT CASE WHEN n %% 5 < 3 THEN 'palletforce' WHEN n %% 5 = 3 THEN 'nexus' ELSE 'palletways' END
                    AS network) AS netted
CROSS JOIN LATERAL (SELECT json_build_object('trackingNumber', '9019' || lpad(n::text, 9, '0'), 'weight', '-1',
    'CustomerAccountNumber', 'LDS 0' || n %% 40, 'deliveryAddress', json_build_object('name', 'Receiver ' || n,
    'postcode', ''))::text AS raw) AS made
JOIN LATERAL (VALUES
    (0, 'UNKNOWN_CUSTOMER', 'account', 'no customer of the deployment has the account LDS 0' || n %% 40),
    (1, 'UNKNOWN_CUSTOMER', 'account', 'no customer of the deployment has the account LDS 0' || n %% 40),
    (2, 'MISSING_VALUE', 'delivery_postcode', 'deliveryAddress.postcode: is required and is empty or absent'),
    (3, 'UNKNOWN_CODE', 'service', 'serviceName: ''Z'' is none of A, B, C, D'),
    (4, 'BAD_FORMAT', 'weight_kg', 'weight: ''-1'' is not between 0 and 9999')
) AS cause (turn, reason_code, field, reason) ON cause.turn = n %% 5
""",
    # Some hundreds parked, some hundreds due or later.
    "work_items": """
INSERT INTO work_items (network, kind, key, due_at, attempts, last_error, parked_at, created_at)
SELECT d.network, kind.name, d.id::text, %(now)s + (seeding.pick(d.id, 50, 7200) - 600) * interval '1 second',
       CASE WHEN d.id %% 2 = 0 THEN 8 ELSE 0 END,
       CASE WHEN d.id %% 2 = 0 THEN kind.error END,
       CASE WHEN d.id %% 2 = 0 THEN d.at + interval '2 hours' END, d.at
FROM seeding.drawn d
CROSS JOIN LATERAL (SELECT * FROM (VALUES
    ('network_labels', 'HTTP 404: the label is not there yet'), ('status_export', 'HTTP 400: the barcode is not known'),
    ('dispatch', 'The network did not answer within 30 s'), ('cancel', 'HTTP 409: it has been collected')
) AS kinds (name, error) OFFSET d.id %% 4 LIMIT 1) AS kind
WHERE d.id > %(count)s * 0.9 AND seeding.pick(d.id, 51, 1 + %(count)s / 8000) = 0
""",
    # One consignment to which much happened, in the middle of all.
    "much activity": """
INSERT INTO activity (consignment_id, kind, actor, source, changes, warnings, at)
SELECT d.id, 'updated', 'palletflow', d.network, '{"weight_kg": [850, 860], "notes": [[], ["CALL FIRST"]]}', '{}',
       d.at + n * interval '1 minute'
FROM seeding.drawn d, generate_series(1, 400) n WHERE d.id = 1 + %(count)s / 2
""",
    "many events": """
INSERT INTO tracking_events (consignment_id, direction, pallet_number, barcode, code, status, occurred_at, raw)
SELECT d.id, 'imported', 1, '', 'AGAIN', 'AT_HUB', d.at + n * interval '1 minute', '{}'
FROM seeding.drawn d, generate_series(1, 400) n WHERE d.id = 1 + %(count)s / 2
""",
    "movements": """
INSERT INTO movements (consignment_id, event, stop, scan, pallet_number, barcode, depot, at, outcome, signatory, actor,
                       reported_at)
SELECT d.id, report.event, report.stop, report.scan, report.pallet, report.barcode, d.delivering, report.at,
       report.outcome,
       report.signatory, 'driver@example.com', report.at
FROM seeding.drawn d CROSS JOIN LATERAL (VALUES
    ('scanned', NULL, 'receipt', 1::smallint, seeding.barcode(d.network, d.tracking_number, d.delivering, 1, false),
     d.delivered_at - interval '5 hours', NULL, ''),
    ('arrived', 'delivery', NULL, NULL, '', d.delivered_at - interval '10 minutes', NULL, ''),
    ('completed', 'delivery', NULL, NULL, '', d.delivered_at, 'CLEAN', 'J SMITH')
) AS report (event, stop, scan, pallet, barcode, at, outcome, signatory)
WHERE 'delivery' = ANY (d.our_roles) AND d.delivered_at > %(now)s - interval '120 days'
""",
    "tracking_polls": """
INSERT INTO tracking_polls (consignment_id, polled_at, ended_at)
SELECT id, coalesce(delivered_at, %(now)s - seeding.pick(id, 52, 60) * interval '1 minute'), delivered_at
FROM seeding.drawn WHERE registered AND network <> 'nexus'
""",
    "photo_windows": """
INSERT INTO photo_windows (consignment_id, begun_at, single, attempts, attempted_at, found, state)
SELECT id, delivered_at, false, 5, delivered_at + interval '1 hour', seeding.pick(id, 27, 3) = 0,
       CASE WHEN seeding.pick(id, 27, 3) = 0 THEN 'found' WHEN seeding.pick(id, 53, 20) > 0 THEN 'skipped'
            WHEN delivered_at < %(now)s - interval '2 days' THEN 'none' ELSE 'open' END
FROM seeding.drawn WHERE network = 'palletways' AND delivered_at > %(now)s - interval '120 days'
""",
    "network_deliveries": """
INSERT INTO network_deliveries (consignment_id, seen_at, delivered_at, basis, signatory)
SELECT id, delivered_at + interval '5 minutes', delivered_at, 'minute', 'J SMITH'
FROM seeding.drawn WHERE network = 'palletways' AND delivered_at IS NOT NULL AND 'delivery' <> ALL (our_roles)
""",
    "network_notes": """
INSERT INTO network_notes (network, tracking_number, note_number, consignment_id, delta, status_code, noted_at,
       pod_date,
                           pod_time, signatory, note_group, note_type, barcode, note_text, raw, read_at)
SELECT network, tracking_number, id, id, extract(epoch FROM delivered_at)::bigint, '900', delivered_at,
       delivered_at::date,
       delivered_at::time, 'J SMITH', 'POD', 'POD', '', 'Delivered clean', '{}', delivered_at
FROM seeding.drawn WHERE network = 'palletways' AND delivered_at > %(now)s - interval '120 days'
""",
    "document_exchanges": """
INSERT INTO document_exchanges (consignment_id, direction, code, kind, name, network_id, tries, reason, begun_at,
       done_at)
SELECT id, 'fetched', 'POD', 'POD', 'POD.pdf', 'N' || id, CASE WHEN seeding.pick(id, 26, 1000) > 4 THEN 0 ELSE 3 END,
       CASE WHEN seeding.pick(id, 26, 1000) > 4 THEN NULL ELSE 'It is neither a picture nor a PDF' END, delivered_at,
       CASE WHEN seeding.pick(id, 26, 1000) > 4 THEN delivered_at END
FROM seeding.drawn
WHERE network = 'nexus' AND delivered_at > %(now)s - interval '120 days' AND 'delivery' <> ALL (our_roles)
""",
    "photo_uploads": """
INSERT INTO photo_uploads (document_id, consignment_id, state, code, reason, tries, uploaded_at, tracking_number,
       number,
                           name, size, sha256)
SELECT doc.id, doc.consignment_id, CASE WHEN doc.id %% 20 = 0 THEN 'refused' ELSE 'uploaded' END,
       CASE WHEN doc.id %% 20 = 0 THEN 'TOO_SMALL' END,
       CASE WHEN doc.id %% 20 = 0 THEN 'It is smaller than 10 kB' END, 1,
       CASE WHEN doc.id %% 20 > 0 THEN doc.created_at END, c.tracking_number, 1, c.tracking_number || '-1.jpg',
       doc.size,
       doc.sha256
FROM documents doc JOIN consignments c ON c.id = doc.consignment_id
WHERE doc.kind = 'PHOTO' AND c.network = 'palletways' AND 'delivery' = ANY (c.our_roles)
  AND doc.created_at > %(now)s - interval '120 days'
""",
    "eta_exports": """
INSERT INTO eta_exports (consignment_id, route, eta_from, accepted_at)
SELECT id, 'R' || seeding.pick(id, 46, 30) || '-' || to_char(at, 'DDMM'), at + interval '26 hours',
       at + interval '20 hours'
FROM seeding.drawn WHERE network = 'nexus' AND 'delivery' = ANY (our_roles) AND at > %(now)s - interval '120 days'
""",
    "listed_records": """
INSERT INTO listed_records (network, record_key, digest, content, read_at)
SELECT network, tracking_number, sha256(id::text::bytea), sha256(id::text::bytea), at
FROM seeding.drawn WHERE network = 'nexus' AND registered AND at > %(now)s - interval '120 days'
""",
    "quarantined_files": """
INSERT INTO quarantined_files (network, tracking_number, reason, detail, sha256, size, method, url, received_at,
       seen_at)
SELECT network, tracking_number, 'NOT_AN_IMAGE', 'It begins with <html>', sha256(id::text::bytea), 900, 'getPhotos',
       'https://network.example.com/photos/' || id, delivered_at, delivered_at
FROM seeding.drawn WHERE network = 'palletways' AND delivered_at > %(now)s - interval '30 days' AND id %% 400 = 0
""",
    "poll_runs": """
INSERT INTO poll_runs (network, stream, party, read_to, succeeded_at, next_due_at, lag)
SELECT network, stream, party, %(now)s - interval '9 minutes', %(now)s - late, %(now)s - late + interval '30 minutes',
       '0'
FROM (VALUES ('palletforce', 'depot_pull', '900', interval '8 minutes'), ('palletforce', 'depot_pull', '901',
       '8 minutes'),
             ('palletforce', 'depot_pull', '902', '5 hours'), ('palletforce', 'depot_statuses', '900', '9 minutes'),
             ('palletforce', 'depot_statuses', '901', '9 minutes'), ('palletforce', 'depot_statuses', '902', '5 hours'),
             ('nexus', 'orders', 'nexus_pgd302', '2 minutes'), ('nexus', 'orders', 'nexus_ukd101', '2 minutes'),
             ('nexus', 'orders', 'nexus_ftd201', '3 minutes'), ('palletways', 'notes', '123', '4 minutes'),
             ('palletways', 'notes', '124', '4 minutes')) AS polls (network, stream, party, late)
""",
    "watermarks": """
INSERT INTO watermarks (network, stream, party, high, moved_at)
SELECT 'palletforce', stream, party, %(now)s - interval '8 minutes', %(now)s - interval '8 minutes'
FROM unnest(ARRAY['depot_pull', 'depot_statuses']) stream, unnest(%(palletforce_ours)s::text[]) party
""",
    "unknown_codes": """
INSERT INTO unknown_codes (network, code, day, events)
SELECT 'palletforce', 'X' || n, (%(now)s)::date - n, n FROM generate_series(1, 5) n
""",
    "alerts": """
INSERT INTO alerts (subject, message, raised_at, told_at)
SELECT 'example ' || n, 'The depot 902 has not been read for 5 h. Look at its connection.',
       %(now)s - n * interval '1 hour',
       %(now)s FROM generate_series(1, 5) n
""",
}
# What has to wait for another table.
AFTER = {"photo_uploads": ("documents", "consignments")}
