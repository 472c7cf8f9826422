"""Writes imported consignments in bulk: COPY into a staging table, then set-based SQL in one transaction.

Three rules hold whatever is interrupted or runs side by side:
the batch, its raw records, the orders and the watermark commit together or not at all;
a consignment read earlier never overwrites one read later;
what did not change gets no new row version.
"""

import json
from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Any, NamedTuple

from palletflow.orders.consignment import Address, Consignment
from palletflow.store import barcodes, dispatch, echoes, file_rules, files, given_fields, network_lock, quarantine
from palletflow.store.connection import Connection
from palletflow.store.file_rules import FileRules
from palletflow.store.files import InboundFile

ADDRESS = Address._fields
# Consignment fields that are columns of their own name in both the staging table and `consignments`.
ROUTED = tuple(
    field
    for field in Consignment._fields
    if field
    not in (
        "customer_code",
        "reference",
        "reference_2",
        "pallet_types",
        "pallet_details",
        "barcodes",
        "pickup",
        "delivery",
    )
)
# Ours from the order's start: a network that does not give them back does not take them away.
OURS = ("goods_description", "notification_email", "notification_sms", "notification_twitter")
COLUMN_TYPES = {
    "registered": "boolean",
    "our_roles": "text[]",
    "surcharges": "text[]",
    "notes": "text[]",
    "pallet_types": "text[]",
    "barcodes": "text[]",
    "additional_fields": "jsonb",
    "pallet_details": "jsonb",
    "collection_date": "date",
    "delivery_date": "date",
    "weight_kg": "numeric",
    "pallet_spaces": "numeric",
    "carton_count": "integer",
    "network_updated_at": "timestamptz",
}
FLAT = (
    *(field for field in Consignment._fields if field not in ("pickup", "delivery")),
    *(f"pickup_{part}" for part in ADDRESS),
    *(f"delivery_{part}" for part in ADDRESS),
)
# Where a record is as empty as this, it says nothing.
BLANK_STAYS = {"requesting_depot": "", "collecting_depot": "", "delivery_depot": "", "our_roles": "{}"}
NO_DETAILS = "s.pallet_details = '[]'"
# What a person calls a change; the moment the network touched the record alone is none.
COMPARED = tuple(field for field in FLAT if field not in ("network_updated_at", "barcodes", *OURS))
RECORD = (
    "ordinal", "record_id", "record_key", "source_key", "row_number", "part_of", "raw", "raw_digest", "input_digest",
    "read_at", "only_if_known", "left_out", "reason_code", "field", "reason", "warnings",
)  # fmt: skip


class StagedRecord(NamedTuple):
    """A raw record and what the template made of it. `ordinal` numbers the records of a batch.

    `record_id` is the quarantined row being replayed, None for a first reading. A good record has a `consignment`,
    a rejected one a `reason_code` and a `reason`. `only_if_known`: no order is made for it, only an existing one is
    updated. `left_out`: it is none of our orders, for its reason; nobody has to mend it. Rows of a file have a physical
    `row_number`; where several make one consignment, the others have no consignment and name the one that has it in
    `part_of`. `source_key`: the order's key in its source, when that is not the tracking number.
    """

    ordinal: int
    record_id: int | None
    record_key: str
    source_key: str | None
    row_number: int | None
    part_of: int | None
    raw: str
    raw_digest: bytes
    input_digest: bytes
    read_at: datetime
    only_if_known: bool
    left_out: bool
    reason_code: str | None
    field: str | None
    reason: str | None
    warnings: list[str]
    consignment: Consignment | None


def _nobody(_conn: Connection, _consignment_ids: list[int]) -> None:
    """Needs not be told."""


class Batch(NamedTuple):
    """Where a batch came from. `party` is the depot or file asked; `run` names the Airflow run or the command.

    `rules`: how rows of files land, None for a network's own records. `file`: the file just read, remembered with the
    batch. `numbered` is told, within the transaction, of consignments made that hold an imported tracking number.
    `keeps_given`: what the caller of an order of our own gave stays, whatever the network has (store.given_fields).
    """

    network: str
    stream: str
    party: str
    run: str
    actor: str
    fetched_at: datetime
    window: tuple[datetime, datetime] | None = None
    pages: int = 0
    moves_watermark: bool = False
    rules: FileRules | None = None
    file: InboundFile | None = None
    numbered: Callable[[Connection, list[int]], None] = _nobody
    keeps_given: bool = False

    @property
    def order_source(self) -> str:
        """The source of the orders it makes."""
        return (self.rules and self.rules.order_source) or self.network


class Counts(NamedTuple):
    """What became of the records of a batch."""

    records: int
    created: int
    updated: int
    unchanged: int
    rejected: int
    ignored: int

    def plus(self, other: "Counts") -> "Counts":
        """Both together."""
        return Counts(*map(sum, zip(self, other, strict=True)))

    def outcomes(self) -> str:
        """The outcomes that occurred, for a log line."""
        occurred = [f"{count} {name}" for name, count in self._asdict().items() if count and name != "records"]
        return ", ".join(occurred) or "none"


NO_RECORDS = Counts(0, 0, 0, 0, 0, 0)


def _column(name: str) -> str:
    return f"{name} {COLUMN_TYPES.get(name, 'text')}"


STAGING = f"""
CREATE TEMP TABLE IF NOT EXISTS staged (
    ordinal integer PRIMARY KEY, record_id bigint, record_key text, source_key text, row_number integer,
    part_of integer, raw text, raw_digest bytea, input_digest bytea,
    read_at timestamptz, only_if_known boolean, left_out boolean, reason_code text, field text, reason text,
    warnings text[], {", ".join(map(_column, FLAT))}
)
"""
COPY = f"COPY staged ({', '.join((*RECORD, *FLAT))}) FROM STDIN"
NOTHING = (None,) * len(FLAT)
NUMBER = Consignment._fields.index("tracking_number")
ARRAYS = [place for place, column in enumerate(FLAT) if COLUMN_TYPES.get(column) == "text[]"]
OBJECTS = [place for place, column in enumerate(FLAT) if COLUMN_TYPES.get(column) == "jsonb"]

# The last word on each key counts. A number that we hold ourselves (imported tracking ID) matches too, and so does a
# consignment we have sent and not heard of: it has our own consignment number and reference. A number alone proves
# nothing, as others number their own as well.
MATCH = """
CREATE TEMP TABLE matched ON COMMIT DROP AS
SELECT s.ordinal, held.id AS consignment_id, held.order_id, NULL::jsonb AS changes,
       CASE
           WHEN s.left_out THEN 'left out'
           WHEN s.ordinal < max(s.ordinal) OVER (PARTITION BY s.record_key) THEN 'superseded'
           WHEN held.read_at > s.read_at THEN 'outdated'
           WHEN held.id IS NULL AND s.only_if_known THEN 'unknown'
           WHEN held.id IS NULL THEN 'created'
           WHEN held.input_digest = s.input_digest THEN 'unchanged'
           ELSE 'updated'
       END AS outcome,
       NULL::text AS reason_code, NULL::text AS field, NULL::text AS reason
FROM staged s
LEFT JOIN LATERAL (
    (
        SELECT c.id, c.order_id, c.read_at, c.input_digest
        FROM consignments c
        WHERE c.network = %(network)s AND c.tracking_number = s.tracking_number
        ORDER BY c.registered DESC, c.id
        LIMIT 1
    ) UNION ALL (
        SELECT c.id, c.order_id, c.read_at, c.input_digest
        FROM consignments c JOIN orders o ON o.id = c.order_id
        WHERE c.network = %(network)s AND c.dispatch_state IN ('waiting', 'unknown') AND NOT c.registered
          AND c.tracking_number IS NULL AND c.consignment_number <> '' AND s.registered
          AND c.consignment_number = s.consignment_number AND s.requesting_depot IN ('', c.requesting_depot)
          AND o.reference = s.reference AND s.reference <> ''
        LIMIT 1
    ) LIMIT 1
) held ON true
WHERE (s.reason_code IS NULL OR s.left_out) AND s.part_of IS NULL;
"""
NUMBER_THE_NEW = """
UPDATE matched SET order_id = nextval(pg_get_serial_sequence('orders', 'id')),
                   consignment_id = nextval(pg_get_serial_sequence('consignments', 'id'))
WHERE outcome = 'created' AND order_id IS NULL;
"""


def _held(column: str) -> str:
    """SQL for the stored value of a compared column."""
    if column == "customer_code":
        return "customer.code"
    if column in ("reference", "reference_2"):
        return f"o.{column}"
    if column == "pallet_details":
        return f"""CASE WHEN {NO_DETAILS} THEN NULL ELSE (
            SELECT jsonb_agg(details ORDER BY number) FROM pallets p
            WHERE p.consignment_id = c.id AND removed_at IS NULL) END"""  # noqa: S608
    if column == "pallet_types":
        return (
            "(SELECT array_agg(pallet_type ORDER BY number) FROM pallets p"
            " WHERE p.consignment_id = c.id AND removed_at IS NULL)"
        )
    kind, _, part = column.partition("_")
    if part in ADDRESS and kind in ("pickup", "delivery"):
        return f"{kind}_stop.{part}"
    return f"c.{column}"


def _said(column: str) -> str:
    """SQL for what a record says of a compared column; what it leaves blank stays as we hold it."""
    if column == "pallet_details":
        return f"CASE WHEN {NO_DETAILS} THEN NULL ELSE s.pallet_details END"
    if column == "additional_fields":
        return "c.additional_fields || s.additional_fields"
    if column == "collection_date":
        return "coalesce(s.collection_date, c.collection_date)"
    if column in BLANK_STAYS:
        return f"coalesce(nullif(s.{column}, '{BLANK_STAYS[column]}'), c.{column})"
    return f"s.{column}"


# An order that is not the network's own keeps its customer and references, whatever the network says of them.
FIND_CHANGES = f"""
UPDATE matched m
SET changes = found.changes, outcome = CASE WHEN found.changes IS NULL THEN 'unchanged' ELSE 'updated' END
FROM (
    SELECT m.ordinal, (
        SELECT jsonb_object_agg(now_said.key, jsonb_build_array(held.value, now_said.value))
        FROM jsonb_each(jsonb_build_object({", ".join(f"'{c}', {_said(c)}" for c in COMPARED)})) now_said
        JOIN jsonb_each(jsonb_build_object({", ".join(f"'{c}', {_held(c)}" for c in COMPARED)})) held USING (key)
        WHERE held.value IS DISTINCT FROM now_said.value
          AND (o.source = %(order_source)s OR key NOT IN ('customer_code', 'reference', 'reference_2'))
    ) AS changes
    FROM matched m
    JOIN staged s USING (ordinal)
    JOIN consignments c ON c.id = m.consignment_id
    JOIN orders o ON o.id = c.order_id
    JOIN customers customer ON customer.id = o.customer_id
    JOIN stops pickup_stop ON pickup_stop.consignment_id = c.id AND pickup_stop.kind = 'pickup'
    JOIN stops delivery_stop ON delivery_stop.consignment_id = c.id AND delivery_stop.kind = 'delivery'
    WHERE m.outcome = 'updated'
) found
WHERE found.ordinal = m.ordinal;
"""  # noqa: S608 - names are our own constants
COUNT = """
SELECT count(*), count(*) FILTER (WHERE outcome = 'created'), count(*) FILTER (WHERE outcome = 'updated'),
       count(*) FILTER (WHERE outcome = 'unchanged'),
       count(*) FILTER (WHERE coalesce(outcome, 'rejected') = 'rejected'),
       count(*) FILTER (WHERE outcome IN ('superseded', 'outdated', 'unknown', 'left out'))
FROM staged s LEFT JOIN matched m ON m.ordinal = coalesce(s.part_of, s.ordinal);
"""
INSERT_BATCH = """
INSERT INTO inbound_batches (network, stream, party, run, window_from, window_to, pages, records, created, updated,
                             unchanged, rejected, ignored, fetched_at)
VALUES (%(network)s, %(stream)s, %(party)s, %(run)s, %(window_from)s, %(window_to)s, %(pages)s, %(records)s,
        %(created)s, %(updated)s, %(unchanged)s, %(rejected)s, %(ignored)s, %(fetched_at)s)
RETURNING id;
"""
INSERT_ORDERS = """
INSERT INTO orders (id, customer_id, source, source_key, source_digest, reference, reference_2) OVERRIDING SYSTEM VALUE
SELECT m.order_id, customer.id, %(order_source)s, coalesce(s.source_key, s.tracking_number),
       CASE WHEN s.source_key IS NOT NULL THEN s.input_digest END, s.reference, s.reference_2
FROM matched m JOIN staged s USING (ordinal) JOIN customers customer ON customer.code = s.customer_code
WHERE m.outcome = 'created' ORDER BY m.ordinal;
"""
INSERT_CONSIGNMENTS = f"""
INSERT INTO consignments (id, order_id, network, dispatch_state, lifecycle_status, input_digest, read_at,
                          {", ".join(ROUTED)}) OVERRIDING SYSTEM VALUE
SELECT m.consignment_id, m.order_id, %(network)s, 'not_needed', 'CREATED',
       CASE WHEN s.source_key IS NULL THEN s.input_digest END, s.read_at,
       {", ".join(f"s.{column}" for column in ROUTED)}
FROM matched m JOIN staged s USING (ordinal)
WHERE m.outcome = 'created' ORDER BY m.ordinal;
"""  # noqa: S608
UPDATE_ORDERS = """
UPDATE orders o
SET customer_id = customer.id, reference = s.reference, reference_2 = s.reference_2, updated_at = now()
FROM matched m JOIN staged s USING (ordinal) JOIN customers customer ON customer.code = s.customer_code
WHERE m.outcome = 'updated' AND o.id = m.order_id AND o.source = %(network)s
  AND m.changes ?| ARRAY['customer_code', 'reference', 'reference_2'];
"""
UPDATE_CONSIGNMENTS = f"""
UPDATE consignments c
SET input_digest = s.input_digest, read_at = s.read_at, updated_at = now(),
    {", ".join(f"{column} = {_said(column)}" for column in ROUTED if column not in OURS)}
FROM matched m JOIN staged s USING (ordinal)
WHERE m.outcome = 'updated' AND c.id = m.consignment_id;
"""  # noqa: S608
# A network never deletes an order: what it cancels, a person looks at.
FLAG_CANCELLED = """
UPDATE orders o SET review_reason = 'Cancelled in the network; check with the customer', updated_at = now()
FROM matched m JOIN staged s USING (ordinal)
WHERE m.outcome = 'updated' AND o.id = m.order_id AND s.network_status = 'CANCELLED'
  AND m.changes ? 'network_status' AND o.review_reason IS NULL;
"""
STOP_COLUMNS = ("depot", *ADDRESS, "planned_date")
STOPS = f"""
SELECT m.consignment_id, stop.*
FROM matched m JOIN staged s USING (ordinal)
CROSS JOIN LATERAL (VALUES
    ('pickup', '', {", ".join(f"s.pickup_{part}" for part in ADDRESS)}, s.collection_date),
    ('collection_depot', s.collecting_depot, {", ".join("''" for _ in ADDRESS)}, s.collection_date),
    ('delivery_depot', s.delivery_depot, {", ".join("''" for _ in ADDRESS)}, s.delivery_date),
    ('delivery', '', {", ".join(f"s.delivery_{part}" for part in ADDRESS)}, s.delivery_date)
) AS stop (kind, {", ".join(STOP_COLUMNS)})
"""  # noqa: S608


def _said_of_stop(column: str) -> str:
    if column == "planned_date":
        return (
            "CASE WHEN held.kind IN ('pickup', 'collection_depot') THEN coalesce(said.planned_date, held.planned_date)"
            " ELSE said.planned_date END"
        )
    return "coalesce(nullif(said.depot, ''), held.depot)" if column == "depot" else f"said.{column}"


INSERT_STOPS = f"""
INSERT INTO stops (consignment_id, kind, {", ".join(STOP_COLUMNS)}) {STOPS} WHERE m.outcome = 'created';
"""
UPDATE_STOPS = f"""
UPDATE stops held SET {", ".join(f"{column} = {_said_of_stop(column)}" for column in STOP_COLUMNS)}
FROM ({STOPS} WHERE m.outcome = 'updated') said
WHERE (held.consignment_id, held.kind) = (said.consignment_id, said.kind)
  AND ({", ".join(f"held.{column}" for column in STOP_COLUMNS)})
      IS DISTINCT FROM ({", ".join(map(_said_of_stop, STOP_COLUMNS))});
"""  # noqa: S608
PALLETS = """
SELECT m.consignment_id, pallet.number, pallet.pallet_type,
       coalesce(s.pallet_details -> (pallet.number - 1)::integer, '{}') AS details
FROM matched m JOIN staged s USING (ordinal)
CROSS JOIN LATERAL unnest(s.pallet_types) WITH ORDINALITY AS pallet (pallet_type, number)
"""
INSERT_PALLETS = f"""
INSERT INTO pallets (consignment_id, number, pallet_type, details) {PALLETS} WHERE m.outcome = 'created';
"""
UPDATE_PALLETS = f"""
INSERT INTO pallets AS held (consignment_id, number, pallet_type, details)
{PALLETS} WHERE m.outcome = 'updated' AND m.changes ?| ARRAY['pallet_types', 'pallet_details']
ON CONFLICT (consignment_id, number) DO UPDATE
SET pallet_type = excluded.pallet_type, details = held.details || excluded.details, removed_at = NULL
WHERE held.pallet_type <> excluded.pallet_type OR held.details IS DISTINCT FROM held.details || excluded.details
   OR held.removed_at IS NOT NULL;
"""
# The network's barcodes stand until routing, service, number or pallets change.
EXPECT_BARCODES = """
INSERT INTO expected_barcodes
SELECT m.consignment_id, barcode.number, barcode.barcode
FROM matched m JOIN staged s USING (ordinal)
CROSS JOIN LATERAL unnest(s.barcodes) WITH ORDINALITY AS barcode (barcode, number)
WHERE m.outcome = 'created'
   OR m.outcome = 'updated' AND m.changes ?| ARRAY['delivery_depot', 'service', 'tracking_number', 'pallet_types'];
"""
REMOVE_PALLETS = """
UPDATE pallets p SET removed_at = now()
FROM matched m JOIN staged s USING (ordinal)
WHERE m.outcome = 'updated' AND m.changes ? 'pallet_types'
  AND p.consignment_id = m.consignment_id AND p.number > cardinality(s.pallet_types) AND p.removed_at IS NULL;
"""
INSERT_ACTIVITY = """
INSERT INTO activity (consignment_id, batch_id, kind, actor, source, changes, warnings)
SELECT m.consignment_id, %(batch_id)s, m.outcome, %(actor)s, %(source)s, m.changes, s.warnings
FROM matched m JOIN staged s USING (ordinal)
WHERE m.outcome IN ('created', 'updated') ORDER BY m.ordinal;
"""
WHY_IGNORED = """
    CASE m.outcome
        WHEN 'superseded' THEN 'A later record of the same key came in the same batch'
        WHEN 'outdated' THEN 'A newer reading of this consignment has already landed'
        WHEN 'unknown' THEN 'The network has it as ' || s.network_status || ' and no order of ours holds its number'
        ELSE coalesce(m.reason, s.reason)
    END
"""
OUTCOME = """
    CASE WHEN m.outcome IN ('superseded', 'outdated', 'unknown', 'left out') THEN 'ignored'
         ELSE coalesce(m.outcome, 'rejected') END
"""
REASON_CODE = """
    CASE WHEN m.outcome IN ('superseded', 'outdated', 'unknown') THEN upper(m.outcome)
         ELSE coalesce(m.reason_code, s.reason_code) END
"""
LANDED = """
INSERT INTO inbound_records AS held (batch_id, network, stream, record_key, row_number, raw, raw_digest, read_at,
                                     outcome, reason_code, field, reason, warnings, consignment_id)
"""
AS_LANDED = f"""
    %(batch_id)s, %(network)s, %(stream)s, s.record_key, s.row_number, s.raw,
    s.raw_digest, s.read_at, {OUTCOME}, {REASON_CODE}, coalesce(m.field, s.field), {WHY_IGNORED}, s.warnings,
    CASE WHEN m.outcome IS DISTINCT FROM 'rejected' THEN m.consignment_id END
FROM staged s LEFT JOIN matched m ON m.ordinal = coalesce(s.part_of, s.ordinal)
WHERE s.record_id IS NULL
"""
LAND = f"""
{LANDED} SELECT DISTINCT ON (s.raw_digest) {AS_LANDED}
ORDER BY s.raw_digest, s.ordinal DESC
ON CONFLICT (network, stream, raw_digest) DO UPDATE
SET outcome = excluded.outcome, reason_code = excluded.reason_code, field = excluded.field, reason = excluded.reason,
    warnings = excluded.warnings, consignment_id = excluded.consignment_id
WHERE held.outcome IN ('rejected', 'ignored') AND held.settled_at IS NULL
  AND excluded.reason_code IS DISTINCT FROM held.reason_code;
"""  # noqa: S608
# A row of a file is a record of its own, whatever other rows say.
LAND_ROWS = f"{LANDED} SELECT {AS_LANDED} ORDER BY s.ordinal"
# Without knowing what so many new rows hold, Postgres would look through all of the quarantine for each of them.
KNOW_THE_RECORDS = "ANALYZE inbound_records (network, stream, record_key, reason_code, outcome, settled_at, batch_id)"
MANY = 2000
SETTLE_REPLAYED = f"""
UPDATE inbound_records held
SET replays = replays + 1,
    settled_at = CASE WHEN done THEN now() ELSE held.settled_at END,
    settled_by = CASE WHEN done THEN {OUTCOME} || ' by replay: ' || %(actor)s ELSE held.settled_by END,
    reason_code = coalesce(m.reason_code, s.reason_code, held.reason_code),
    field = coalesce(m.field, s.field, held.field), reason = coalesce(m.reason, s.reason, held.reason),
    warnings = s.warnings, consignment_id = CASE WHEN done THEN m.consignment_id END
FROM staged s
LEFT JOIN matched m ON m.ordinal = coalesce(s.part_of, s.ordinal)
CROSS JOIN LATERAL (SELECT coalesce(m.outcome, 'rejected') <> 'rejected' AS done) settled
WHERE held.id = s.record_id;
"""  # noqa: S608
SETTLE_OLDER = """
UPDATE inbound_records held SET settled_at = now(), settled_by = 'a later version of the record landed'
FROM staged s JOIN matched m USING (ordinal)
WHERE held.network = %(network)s AND held.record_key = s.record_key AND held.outcome = 'rejected'
  AND held.settled_at IS NULL AND held.read_at <= s.read_at AND held.raw_digest <> s.raw_digest
  -- Other rows of the same file are no older versions.
  AND (held.row_number IS NULL OR held.read_at < s.read_at)
  AND m.outcome IN ('created', 'updated', 'unchanged');
"""
# A bad row that is sent again, in a file that mends others, waits for a person once.
SETTLE_SENT_AGAIN = """
UPDATE inbound_records held SET settled_at = now(), settled_by = %(sent_again)s || %(party)s
FROM staged s LEFT JOIN matched m ON m.ordinal = coalesce(s.part_of, s.ordinal)
WHERE s.record_id IS NULL AND coalesce(m.outcome, 'rejected') = 'rejected'
  AND held.network = %(network)s AND held.stream = %(stream)s AND held.record_key = s.record_key AND held.raw = s.raw
  AND held.outcome = 'rejected' AND held.settled_at IS NULL AND held.corrected IS NULL
  AND held.batch_id < %(batch_id)s;
"""
MOVE_WATERMARK = """
INSERT INTO watermarks AS held (network, stream, party, high, batch_id)
VALUES (%(network)s, %(stream)s, %(party)s, %(window_to)s, %(batch_id)s)
ON CONFLICT (network, stream, party) DO UPDATE
SET high = excluded.high, batch_id = excluded.batch_id, moved_at = now()
WHERE held.high < excluded.high;
"""


def digests(conn: Connection, network: str, tracking_numbers: list[str]) -> dict[str, bytes]:
    """The input digest of each of these consignments that the network has registered with us."""
    rows = conn.execute(
        "SELECT tracking_number, input_digest FROM consignments "
        "WHERE network = %s AND tracking_number = ANY (%s) AND registered AND input_digest IS NOT NULL",
        (network, tracking_numbers),
    )
    return dict(rows.fetchall())


def order_digests(conn: Connection, source: str, source_keys: list[str]) -> dict[str, bytes]:
    """What the source said of each of these orders when it made them, as the digest of its words."""
    rows = conn.execute(
        "SELECT source_key, source_digest FROM orders WHERE source = %s AND source_key = ANY (%s)"
        " AND source_digest IS NOT NULL",
        (source, source_keys),
    )
    return dict(rows.fetchall())


def prepare(conn: Connection) -> None:
    """Makes the session's staging table, or empties it."""
    conn.execute(STAGING)
    conn.execute("TRUNCATE staged")


def stage(conn: Connection, records: Iterable[StagedRecord]) -> None:
    """Copies records into the session's staging table; nothing is visible to others yet."""
    with conn.cursor() as cursor, cursor.copy(COPY) as copy:
        for record in records:
            copy.write_row((*record[:-2], _array(record.warnings), *_flat(record.consignment)))


def _flat(consignment: Consignment | None) -> tuple[Any, ...]:
    if consignment is None:
        return NOTHING
    flat: list[Any] = [*consignment[:-2], *consignment.pickup, *consignment.delivery]
    flat[NUMBER] = flat[NUMBER] or None
    for place in ARRAYS:
        flat[place] = _array(flat[place])
    for place in OBJECTS:
        flat[place] = json.dumps(flat[place], default=str)
    return tuple(flat)


def _array(texts: list[str]) -> str:
    """The literal of a text[]; the driver's own takes as long as the rest of the row."""
    if not texts:
        return "{}"
    return '{"' + '","'.join([text.replace("\\", "\\\\").replace('"', '\\"') for text in texts]) + '"}'


def store(conn: Connection, batch: Batch, unchanged_before_staging: int) -> Counts:
    """Turns what is staged into orders, in one transaction with the batch, its raw records and the watermark.

    `unchanged_before_staging` counts records that were recognised by their digest and never staged.
    """
    window_from, window_to = batch.window or (None, None)
    values: dict[str, Any] = {
        **batch._asdict(),
        "window_from": window_from,
        "window_to": window_to,
        "source": f"{batch.network} {batch.stream} {batch.party}".strip(),
        "order_source": batch.order_source,
        "sent_again": quarantine.SENT_AGAIN,
    }
    rules = batch.rules
    with conn.transaction():
        # One writer of a network at a time: two runs over the same consignments cannot cross or deadlock. Order files
        # only make orders of their own, so a large one holds up other order files, and neither pulls nor dispatch.
        network_lock.hold(conn, batch.order_source)
        conn.execute("ANALYZE staged (ordinal, record_key, tracking_number, reason_code)")
        conn.execute(file_rules.MATCH_ORDERS if rules and rules.order_source else MATCH, values)
        if rules:
            file_rules.prepare_changes(conn, rules)
        echoes.keep_ours(conn)
        if batch.keeps_given:
            given_fields.keep(conn, batch.actor, values["source"])
        conn.execute(FIND_CHANGES, values)
        if rules:
            file_rules.refuse(conn, rules, values)
        echoes.forget_changed(conn)
        conn.execute(NUMBER_THE_NEW)
        staged = conn.execute(COUNT).fetchone()
        assert staged is not None  # an aggregate always gives a row
        counts = Counts(*staged)
        counts = counts._replace(
            records=counts.records + unchanged_before_staging, unchanged=counts.unchanged + unchanged_before_staging
        )
        values.update(counts._asdict())
        inserted = conn.execute(INSERT_BATCH, values).fetchone()
        assert inserted is not None  # RETURNING of one inserted row
        values["batch_id"] = inserted[0]
        if batch.file:
            # Before its rows land: who comes second is told so, and does not stumble over the rows of the first.
            files.record_read(conn, batch.file, values["batch_id"], counts.rejected)
        for statement in (
            INSERT_ORDERS,
            INSERT_CONSIGNMENTS,
            # Consignments before their orders, as everybody else who locks both.
            UPDATE_CONSIGNMENTS,
            UPDATE_ORDERS,
            FLAG_CANCELLED,
            INSERT_STOPS,
            UPDATE_STOPS,
            INSERT_PALLETS,
            UPDATE_PALLETS,
            REMOVE_PALLETS,
            INSERT_ACTIVITY,
            LAND_ROWS if rules else LAND,
        ):
            conn.execute(statement, values)
        if counts.records >= MANY:
            conn.execute(KNOW_THE_RECORDS)
        for statement in (SETTLE_REPLAYED, SETTLE_OLDER):
            conn.execute(statement, values)
        conn.execute(barcodes.EXPECTED)
        conn.execute(EXPECT_BARCODES)
        barcodes.take_over(conn, batch.actor, values["source"])
        dispatch.wake_found(conn, batch.network)
        if rules:
            conn.execute(SETTLE_SENT_AGAIN, values)
            numbered = file_rules.with_numbers_of_their_own(conn, rules, batch.actor, values["source"])
            batch.numbered(conn, numbered)
        if batch.moves_watermark:
            conn.execute(MOVE_WATERMARK, values)
    return counts
