"""What the caller of an order of our own gave stays his, whatever a network has: the difference goes to a person.

Works on the tables `staged` and `matched` of palletflow.store.imports, within its transaction, after echoes were taken
out. What the caller left empty, the network may fill in.
"""

from palletflow.orders.consignment import Address
from palletflow.store.connection import Connection

FIELDS = (
    "account", "service", "surcharges", "collection_date", "delivery_date", "weight_kg", "pallet_spaces",
    "insurance_code", "hub_code", "carton_count", "amazon_reference", "notes",
)  # fmt: skip
STOPS = ("pickup", "delivery")
KIND = "differs in the network"
EMPTY = """('null', '""', '[]', '{}')"""
PALLET_TYPES = (
    "(SELECT array_agg(pallet_type ORDER BY number) FROM pallets p"
    " WHERE p.consignment_id = c.id AND removed_at IS NULL)"
)
SORTED = "(SELECT array_agg(one ORDER BY one) FROM unnest({}) one)"
# Field: what the caller gave as JSON, and what we hold.
HELD = {
    **{field: (f"c.given -> '{field}'", f"c.{field}") for field in FIELDS},
    "pallet_types": ("c.given -> 'pallet_types'", PALLET_TYPES),
    **{
        f"{stop}_{part}": (f"c.given -> '{stop}' -> '{part}'", f"{stop}_stop.{part}")
        for stop in STOPS
        for part in Address._fields
    },
}
JOINED = """
FROM matched m
JOIN consignments c ON c.id = m.consignment_id AND c.given IS NOT NULL
JOIN stops pickup_stop ON pickup_stop.consignment_id = c.id AND pickup_stop.kind = 'pickup'
JOIN stops delivery_stop ON delivery_stop.consignment_id = c.id AND delivery_stop.kind = 'delivery'
"""


def _is_given(given: str) -> str:
    return f"coalesce({given}, 'null') NOT IN {EMPTY}"


def _compared(field: str) -> str:
    given, held = HELD[field]
    said = f"s.{field}"
    if field == "pallet_types":  # whoever counts pallets by type does not say in which order they were given
        said, held = map(SORTED.format, (said, held))
    return f"('{field}', to_jsonb({said}), to_jsonb({held}), {_is_given(given)})"


def _kept(field: str) -> str:
    given, held = HELD[field]
    return f"{field} = CASE WHEN {_is_given(given)} THEN {held} ELSE s.{field} END"


# Consignments before their orders, as everybody else who locks both.
LOCK = """
SELECT FROM matched m JOIN consignments c ON c.id = m.consignment_id
WHERE m.outcome = 'updated' AND c.given IS NOT NULL ORDER BY c.id FOR NO KEY UPDATE OF c
"""

# An empty or absent value of the network's contradicts nobody. Said once: the same difference does not come back to
# the person who has seen to it.
FLAG = f"""
WITH differing AS (
    SELECT c.id AS consignment_id, m.order_id,
           string_agg(compared.name || ': ' || (said #>> '{{}}') || ' in the network, '
                      || coalesce(held #>> '{{}}', 'nothing') || ' here', '; ' ORDER BY compared.name) AS what
    {JOINED}
    JOIN staged s ON s.ordinal = m.ordinal
    CROSS JOIN LATERAL (VALUES
        {", ".join(_compared(field) for field in HELD)}
    ) AS compared (name, said, held, is_given)
    WHERE m.outcome = 'updated' AND is_given AND said IS DISTINCT FROM held AND coalesce(said, 'null') NOT IN {EMPTY}
    GROUP BY c.id, m.order_id
), told AS (
    INSERT INTO activity (consignment_id, kind, actor, source, warnings)
    SELECT consignment_id, '{KIND}', %(actor)s, %(source)s, ARRAY[what] FROM differing
    WHERE NOT EXISTS (SELECT FROM activity a WHERE a.consignment_id = differing.consignment_id AND a.kind = '{KIND}'
                                               AND a.warnings = ARRAY[what])
    RETURNING consignment_id
)
UPDATE orders o SET review_reason = 'The network has other values: ' || what, updated_at = now()
FROM differing JOIN told USING (consignment_id) WHERE o.id = differing.order_id
"""  # noqa: S608 - names are our own constants
KEEP = f"""
UPDATE staged s
SET {", ".join(_kept(field) for field in HELD)},
    additional_fields = s.additional_fields || (
        SELECT coalesce(jsonb_object_agg(key, value), '{{}}') FROM jsonb_each(c.given -> 'additional_fields')
        WHERE value NOT IN {EMPTY}),
    pallet_details = CASE WHEN {_is_given("c.given -> 'pallet_details'")} THEN '[]' ELSE s.pallet_details END
{JOINED} WHERE m.outcome = 'updated' AND m.ordinal = s.ordinal
"""  # noqa: S608


def keep(conn: Connection, actor: str, source: str) -> None:
    """Puts what callers gave in place of what the network has of it, and flags the orders where the two differ."""
    values = {"actor": actor, "source": source}
    conn.execute(LOCK)
    conn.execute(FLAG, values)
    conn.execute(KEEP)
