"""What the rows of files may do to the orders we hold, decided in SQL between the staged rows and the order store.

An order file makes each of its orders once: the same again is unchanged, another content is refused. A manifest tells
of consignments by their number: what it leaves blank stays as we hold it, and once the delivery has started it changes
nothing. An announcement makes consignments by their number, and changes none that is known. Works on the tables
`staged` and `matched` of palletflow.store.imports, within its transaction.
"""

from typing import Any, NamedTuple

from palletflow.orders.consignment import Address
from palletflow.store import orders
from palletflow.store.connection import Connection


class FileRules(NamedTuple):
    """How the rows of a kind of file land. `key_column` and `number_column` are its words for the refusals.

    `order_source`: rows make orders of this source, known by their source key; None: they tell of consignments by
    tracking number. `duplicates_warn`: a number that another order has already is warned about on both and lands;
    otherwise it is refused. `announces`: rows make consignments, and those that are known stay as they are.
    """

    order_source: str | None
    key_column: str
    number_column: str
    duplicates_warn: bool = False
    announces: bool = False


# Every order of the file stands for itself; one we hold is either the same or refused, and never changed.
MATCH_ORDERS = """
CREATE TEMP TABLE matched ON COMMIT DROP AS
SELECT s.ordinal, NULL::jsonb AS changes,
       CASE WHEN o.id IS NULL THEN nextval((SELECT pg_get_serial_sequence('orders', 'id')::regclass))
            ELSE o.id END AS order_id,
       CASE WHEN o.id IS NULL THEN nextval((SELECT pg_get_serial_sequence('consignments', 'id')::regclass))
            ELSE held.consignment_id END AS consignment_id,
       CASE
           WHEN o.id IS NULL THEN 'created'
           WHEN o.source_digest = s.input_digest THEN 'unchanged'
           ELSE 'updated'
       END AS outcome,
       NULL::text AS reason_code, NULL::text AS field, NULL::text AS reason
FROM staged s
LEFT JOIN orders o ON o.source = %(order_source)s AND o.source_key = s.source_key
LEFT JOIN LATERAL (SELECT id AS consignment_id FROM consignments WHERE order_id = o.id ORDER BY id LIMIT 1) held ON true
WHERE s.reason_code IS NULL AND s.part_of IS NULL
"""
KEEP_KNOWN = "UPDATE matched SET outcome = 'unchanged' WHERE outcome = 'updated'"
# Fields that a manifest need not have, and those it never has.
BLANK_STAYS = (
    "consignment_number", "amazon_reference",
    *(f"{stop}_{part}" for stop in ("pickup", "delivery") for part in Address._fields if part != "country"),
)  # fmt: skip
NULL_STAYS = ("collection_date", "pallet_spaces", "carton_count", "network_updated_at")
ALWAYS_STAYS = ("account", "insurance_code", "hub_code", "network_status")


def _stop(column: str) -> str:
    stop, _, part = column.partition("_")
    return f"{stop}_stop.{part}" if stop in ("pickup", "delivery") and part in Address._fields else f"c.{column}"


# The customer and the order of the pallets stay too: a manifest knows neither.
FILL_IN = f"""
UPDATE staged s
SET customer_code = customer.code,
    reference = coalesce(nullif(s.reference, ''), o.reference),
    reference_2 = coalesce(nullif(s.reference_2, ''), o.reference_2),
    notes = CASE WHEN s.notes = '{{}}' THEN c.notes ELSE s.notes END,
    pickup_country = pickup_stop.country,
    pallet_types = CASE WHEN held.sorted = (SELECT array_agg(t ORDER BY t) FROM unnest(s.pallet_types) t)
                        THEN held.types ELSE s.pallet_types END,
    {", ".join(f"{column} = coalesce(nullif(s.{column}, ''), {_stop(column)})" for column in BLANK_STAYS)},
    {", ".join(f"{column} = coalesce(s.{column}, c.{column})" for column in NULL_STAYS)},
    {", ".join(f"{column} = c.{column}" for column in ALWAYS_STAYS)}
FROM matched m
JOIN consignments c ON c.id = m.consignment_id
JOIN orders o ON o.id = c.order_id
JOIN customers customer ON customer.id = o.customer_id
JOIN stops pickup_stop ON pickup_stop.consignment_id = c.id AND pickup_stop.kind = 'pickup'
JOIN stops delivery_stop ON delivery_stop.consignment_id = c.id AND delivery_stop.kind = 'delivery'
CROSS JOIN LATERAL (
    SELECT array_agg(pallet_type ORDER BY number) AS types, array_agg(pallet_type ORDER BY pallet_type) AS sorted
    FROM pallets p WHERE p.consignment_id = c.id AND p.removed_at IS NULL
) held
WHERE m.outcome = 'updated' AND m.ordinal = s.ordinal
"""  # noqa: S608 - names are our own constants
DIFFERS = "(SELECT string_agg(key, ', ' ORDER BY key) FROM jsonb_object_keys(m.changes) key)"
REFUSE_OTHER_CONTENT = f"""
UPDATE matched m
SET outcome = 'rejected', reason_code = 'DUPLICATE_ORDER', field = %(key_column)s,
    reason = %(key_column)s || ': this order is here already with another content (' || coalesce({DIFFERS}, 'changed')
             || '); a file makes an order once, change it in the order desk'
WHERE m.outcome = 'updated'
"""  # noqa: S608
REFUSE_STARTED = f"""
UPDATE matched m
SET outcome = 'rejected', reason_code = 'LOCKED', field = %(key_column)s,
    reason = %(key_column)s || ': its delivery has started, and this row differs in ' || {DIFFERS}
             || '; nothing is changed, settle it with the network'
FROM consignments c JOIN stops delivery ON delivery.consignment_id = c.id AND delivery.kind = 'delivery'
WHERE m.outcome = 'updated' AND c.id = m.consignment_id
  AND (c.lifecycle_status IN ('OUT_FOR_DELIVERY', 'ARRIVED', 'DELIVERED')
       OR delivery.arrived_at IS NOT NULL OR delivery.completed_at IS NOT NULL)
"""  # noqa: S608
REFUSE_TAKEN_NUMBERS = """
UPDATE matched m
SET outcome = 'rejected', reason_code = 'DUPLICATE_TRACKING', field = %(number_column)s,
    reason = %(number_column)s || ': ' || taken.tracking_number || ' is on another order already'
             || coalesce(' (' || nullif(taken.holder, '') || ')', '')
FROM (
    SELECT m.ordinal, s.tracking_number, other.holder, other.id IS NOT NULL AS held,
           row_number() OVER (PARTITION BY s.tracking_number ORDER BY m.ordinal) > 1 AS again
    FROM matched m JOIN staged s USING (ordinal)
    LEFT JOIN LATERAL (
        SELECT c.id, o.reference AS holder
        FROM consignments c JOIN orders o ON o.id = c.order_id
        WHERE c.network = %(network)s AND c.tracking_number = s.tracking_number LIMIT 1
    ) other ON true
    WHERE m.outcome = 'created' AND s.tracking_number IS NOT NULL
) taken
WHERE taken.ordinal = m.ordinal AND (taken.held OR taken.again)
"""
NUMBERED = """
SELECT m.consignment_id FROM matched m JOIN staged s USING (ordinal)
WHERE m.outcome = 'created' AND s.tracking_number IS NOT NULL AND (%(announces)s OR NOT s.registered)
ORDER BY m.ordinal
"""


def prepare_changes(conn: Connection, rules: FileRules) -> None:
    """Before what differs is looked for: what a row leaves blank is taken from what we hold."""
    if rules.announces:
        conn.execute(KEEP_KNOWN)
    elif not rules.order_source:
        conn.execute(FILL_IN)


def refuse(conn: Connection, rules: FileRules, values: dict[str, Any]) -> None:
    """After what differs is known: refuses what the file's rules do not allow. `values` are the import's."""
    values = {**values, "key_column": rules.key_column, "number_column": rules.number_column}
    if rules.order_source:
        conn.execute(REFUSE_OTHER_CONTENT, values)
        if not rules.duplicates_warn:
            conn.execute(REFUSE_TAKEN_NUMBERS, values)
    else:
        conn.execute(REFUSE_STARTED, values)


def with_numbers_of_their_own(conn: Connection, rules: FileRules, actor: str, source: str) -> list[int]:
    """The consignments just made that hold an imported or announced tracking number.

    Warns where another order has the same.
    """
    values = {"announces": rules.announces}
    wanted = rules.announces or rules.order_source
    made = [consignment_id for (consignment_id,) in conn.execute(NUMBERED, values)] if wanted else []
    if made and rules.duplicates_warn:
        orders.warn_of_shared_numbers(conn, made, actor, source)
    return made
