"""Orders of our own: made, changed, read and found; and the feed of what changed.

What its caller said of a consignment is kept beside the row (`given`), because a network fills in and changes fields
later: a caller who says the same again changes nothing, and one who changes a phone number does not take back the
delivery depot that the network has found.

Content of a consignment is JSON-able: {"network": "palletforce", "tracking_number": "", "weight_kg": 850.0,
"collection_date": "2026-07-13", "pallet_types": ["F", "F"], "pickup": {address}, ...}; the fields are CONTENT.
"""

from collections.abc import Collection, Mapping, Sequence
from typing import Any, NamedTuple

from psycopg.types.json import Jsonb

from palletflow.orders.consignment import Address
from palletflow.store import activity
from palletflow.store.connection import Connection

SOURCE = "api"
ADDRESS = Address._fields
# Fields of a consignment that its caller gives and that are columns of that name, with their SQL types.
COLUMN_TYPES = {
    "network": "text",
    "tracking_number": "text",
    "requesting_depot": "text",
    "collecting_depot": "text",
    "delivery_depot": "text",
    "account": "text",
    "service": "text",
    "surcharges": "text[]",
    "collection_date": "date",
    "delivery_date": "date",
    "weight_kg": "numeric",
    "pallet_spaces": "numeric",
    "insurance_code": "text",
    "hub_code": "text",
    "carton_count": "integer",
    "amazon_reference": "text",
    "notes": "text[]",
    "goods_description": "text",
    "notification_email": "text",
    "notification_sms": "text",
    "notification_twitter": "text",
    "northern_ireland": "jsonb",
    "additional_fields": "jsonb",
}
CONTENT = (*COLUMN_TYPES, "pallet_types", "pallet_details", "pickup", "delivery")
COLUMNS = ", ".join(COLUMN_TYPES)
# What is written: the caller's fields with their defaults, and our roles, which follow from the depots.
ROW = (
    "id bigint, order_id bigint, our_roles text[], given jsonb, pallet_types text[], pallet_details jsonb, "
    "pickup jsonb, delivery jsonb, " + ", ".join(f"{name} {kind}" for name, kind in COLUMN_TYPES.items())
)


def _written(column: str) -> str:
    return f"nullif(r.{column}, '')" if column == "tracking_number" else f"r.{column}"


VALUES = ", ".join(_written(column) for column in COLUMN_TYPES)
# Of one pallet; there may be fewer than pallets.
DETAILS = "coalesce(r.pallet_details -> (pallet.number - 1)::integer, '{}')"
OF_STOPS = ("depot", *ADDRESS, "planned_date")
STOP_COLUMNS = ", ".join(OF_STOPS)
NEW_STOP, HELD_STOP = (", ".join(f"{table}.{column}" for column in OF_STOPS) for table in ("stop", "held"))
STOPS = f"""
    ('pickup', '', {", ".join(f"r.pickup ->> '{part}'" for part in ADDRESS)}, r.collection_date),
    ('collection_depot', r.collecting_depot, {", ".join("''" for _ in ADDRESS)}, r.collection_date),
    ('delivery_depot', r.delivery_depot, {", ".join("''" for _ in ADDRESS)}, r.delivery_date),
    ('delivery', '', {", ".join(f"r.delivery ->> '{part}'" for part in ADDRESS)}, r.delivery_date)
"""

INSERT_ORDERS = f"""
INSERT INTO orders (customer_id, source, source_key, reference, reference_2, copied_from)
SELECT customer.id, '{SOURCE}', o.key, o.reference, o.reference_2, o.copied_from
FROM jsonb_to_recordset(%s) o (key text, customer text, reference text, reference_2 text, copied_from bigint)
JOIN customers customer ON customer.code = o.customer
-- Two callers who make the same orders wait for each other in one order.
ORDER BY o.key
ON CONFLICT (source, source_key) DO NOTHING
RETURNING source_key, id
"""  # noqa: S608 - names are our own constants
INSERT_CONSIGNMENTS = f"""
WITH given_rows AS MATERIALIZED (
    SELECT nextval(pg_get_serial_sequence('consignments', 'id')) AS new_id, r.*
    FROM ROWS FROM (jsonb_to_recordset(%(rows)s) AS ({ROW})) WITH ORDINALITY r
    ORDER BY r.ordinality
), made AS (
    INSERT INTO consignments (id, order_id, our_roles, given, {COLUMNS}, registered, consignment_number,
                              network_status, dispatch_state, lifecycle_status) OVERRIDING SYSTEM VALUE
    SELECT new_id, order_id, our_roles, given, {VALUES}, false, '', '', 'not_needed', 'CREATED'
    FROM given_rows r
), made_stops AS (
    INSERT INTO stops (consignment_id, kind, {STOP_COLUMNS})
    SELECT r.new_id, stop.* FROM given_rows r CROSS JOIN LATERAL (VALUES {STOPS}) AS stop
), made_pallets AS (
    INSERT INTO pallets (consignment_id, number, pallet_type, details)
    SELECT r.new_id, pallet.number, pallet.pallet_type, {DETAILS}
    FROM given_rows r
    CROSS JOIN LATERAL unnest(r.pallet_types) WITH ORDINALITY AS pallet (pallet_type, number)
), told AS (
    INSERT INTO activity (consignment_id, kind, actor, source, warnings)
    SELECT new_id, %(kind)s, %(actor)s, %(source)s, '{{}}' FROM given_rows ORDER BY new_id
)
SELECT order_id, new_id FROM given_rows ORDER BY new_id
"""  # noqa: S608
UPDATE_CONSIGNMENT = f"""
WITH r AS MATERIALIZED (SELECT * FROM jsonb_to_record(%s) AS r ({ROW})), changed AS (
    UPDATE consignments c
    SET ({COLUMNS}, our_roles, given, updated_at) = ROW({VALUES}, r.our_roles, r.given, now()),
        -- A number was made for the network that it went through.
        consignment_number = CASE c.network WHEN r.network THEN c.consignment_number ELSE '' END
    FROM r WHERE c.id = r.id
), changed_stops AS (
    UPDATE stops held SET ({STOP_COLUMNS}) = ROW({NEW_STOP})
    FROM r CROSS JOIN LATERAL (VALUES {STOPS}) AS stop (kind, {STOP_COLUMNS})
    WHERE held.consignment_id = r.id AND held.kind = stop.kind
      AND ({HELD_STOP}) IS DISTINCT FROM ({NEW_STOP})
), changed_pallets AS (
    INSERT INTO pallets AS held (consignment_id, number, pallet_type, details)
    SELECT r.id, pallet.number, pallet.pallet_type, {DETAILS}
    FROM r CROSS JOIN LATERAL unnest(r.pallet_types) WITH ORDINALITY AS pallet (pallet_type, number)
    ON CONFLICT (consignment_id, number) DO UPDATE
    SET pallet_type = excluded.pallet_type, details = excluded.details, removed_at = NULL
    WHERE (held.pallet_type, held.details) <> (excluded.pallet_type, excluded.details) OR held.removed_at IS NOT NULL
)
UPDATE pallets p SET removed_at = now()
FROM r WHERE p.consignment_id = r.id AND p.number > cardinality(r.pallet_types) AND p.removed_at IS NULL
"""  # noqa: S608


def _stored_address(kind: str) -> str:
    parts = ", ".join(f"'{part}', s.{part}" for part in ADDRESS)
    return f"(SELECT jsonb_build_object({parts}) FROM stops s WHERE s.consignment_id = c.id AND s.kind = '{kind}')"  # noqa: S608


def _stored(column: str) -> str:
    return f"coalesce(c.{column}, '')" if column == "tracking_number" else f"c.{column}"


# Content as it stands now, of consignment c.
STORED = f"""
jsonb_build_object(
    {", ".join(f"'{column}', {_stored(column)}" for column in COLUMN_TYPES)},
    'pallet_types', array(SELECT p.pallet_type FROM pallets p
                          WHERE p.consignment_id = c.id AND p.removed_at IS NULL ORDER BY p.number),
    -- Nothing said of any pallet is an empty list.
    'pallet_details', (SELECT CASE WHEN bool_or(p.details <> jsonb_build_object())
                                   THEN jsonb_agg(p.details ORDER BY p.number) ELSE '[]' END
                       FROM pallets p WHERE p.consignment_id = c.id AND p.removed_at IS NULL),
    'pickup', {_stored_address("pickup")},
    'delivery', {_stored_address("delivery")})
"""  # noqa: S608
HELD = f"""
SELECT o.id, o.source, o.source_key, customer.code, o.reference, o.reference_2, o.cancelled_at IS NOT NULL,
       o.copied_from, (SELECT jsonb_agg(jsonb_build_object(
            'id', c.id, 'registered', c.registered, 'dispatch_state', c.dispatch_state,
            'content', {STORED}, 'given', c.given) ORDER BY c.id)
        FROM consignments c WHERE c.order_id = o.id)
FROM orders o JOIN customers customer ON customer.id = o.customer_id
WHERE {{found}}
"""  # noqa: S608
BY_KEYS = HELD.format(found=f"o.source = '{SOURCE}' AND o.source_key = ANY (%s)")
BY_ID = HELD.format(found="o.id = %s")

SHARED_NUMBERS = """
WITH shared AS (
    SELECT c.id AS one, other.id AS other, c.tracking_number
    FROM consignments c
    JOIN consignments other ON (other.network, other.tracking_number) = (c.network, c.tracking_number)
                           AND other.id <> c.id
    WHERE c.id = ANY (%(ids)s)
), both_sides AS (
    SELECT one, other, tracking_number FROM shared UNION SELECT other, one, tracking_number FROM shared
)
INSERT INTO activity (consignment_id, kind, actor, source, warnings)
SELECT b.one, 'number shared', %(actor)s, %(source)s, ARRAY[format(
           'Tracking number %%s is also on order %%s; the network takes it once: clear it on the copy before dispatch',
           b.tracking_number, string_agg(o.source_key, ', ' ORDER BY o.id))]
FROM both_sides b JOIN consignments c ON c.id = b.other JOIN orders o ON o.id = c.order_id
GROUP BY b.one, b.tracking_number ORDER BY b.one
RETURNING consignment_id, warnings[1]
"""


class HeldConsignment(NamedTuple):
    """A consignment as stored. `given`: what its caller said last, None when it came from elsewhere."""

    id: int
    registered: bool
    dispatch_state: str
    content: dict[str, Any]
    given: dict[str, Any] | None

    @property
    def network(self) -> str:
        """The network it goes through."""
        return str(self.content["network"])

    @property
    def dispatched(self) -> bool:
        """Whether the network has it, or may have it."""
        return self.registered or self.dispatch_state in ("waiting", "completed", "unknown")


class HeldOrder(NamedTuple):
    """An order as stored, its consignments oldest first."""

    id: int
    source: str
    key: str
    customer: str
    reference: str
    reference_2: str
    cancelled: bool
    copied_from: int | None
    consignments: list[HeldConsignment]

    @property
    def of_a_network(self) -> bool:
        """Whether a network told us of it, so that it is changed there and not here."""
        return any(self.source == consignment.network for consignment in self.consignments)


class Made(NamedTuple):
    """An order that was made, and the ids of its consignments in the order given."""

    key: str
    id: int
    consignments: list[int]


def identify(conn: Connection, key: str) -> int | None:
    """Our id of the order that has this key of its caller's."""
    row = conn.execute("SELECT id FROM orders WHERE (source, source_key) = (%s, %s)", (SOURCE, key)).fetchone()
    return row[0] if row else None


def exists(conn: Connection, order_id: int) -> bool:
    """Whether there is an order with our id."""
    return conn.execute("SELECT FROM orders WHERE id = %s", (order_id,)).fetchone() is not None


def insert(
    conn: Connection, new: Sequence[Mapping[str, Any]], actor: str, source: str, kind: str = "created"
) -> list[Made]:
    """Makes orders within the caller's transaction; those whose key is taken already are left out.

    Each is {"key", "customer": code, "reference", "reference_2", "copied_from": id or None, "consignments": [content
    with "our_roles" and "given"]}; the customers must be in the store.
    """
    heads = [{name: value for name, value in order.items() if name != "consignments"} for order in new]
    ids: dict[str, int] = dict(conn.execute(INSERT_ORDERS, (Jsonb(heads),)).fetchall())
    rows = [
        {**row, "order_id": ids[order["key"]]} for order in new if order["key"] in ids for row in order["consignments"]
    ]
    consignments: dict[int, list[int]] = {order_id: [] for order_id in ids.values()}
    for order_id, consignment_id in add_consignments(conn, rows, actor, source, kind):
        consignments[order_id].append(consignment_id)
    return [Made(key, order_id, consignments[order_id]) for key, order_id in ids.items()]


def add_consignments(
    conn: Connection, rows: Sequence[Mapping[str, Any]], actor: str, source: str, kind: str = "created"
) -> list[tuple[int, int]]:
    """Adds consignments (as in insert(), with "order_id"); (order id, new id) of each, in the order given."""
    values = {"rows": Jsonb(list(rows)), "kind": kind, "actor": actor, "source": source}
    return conn.execute(INSERT_CONSIGNMENTS, values).fetchall()


def by_keys(conn: Connection, keys: Collection[str]) -> dict[str, HeldOrder]:
    """The orders among these keys that are held, by key."""
    return {order.key: order for order in map(_held, conn.execute(BY_KEYS, (list(keys),)))}


def locked(conn: Connection, order_id: int) -> HeldOrder | None:
    """An order that nobody else changes until the caller's transaction ends; None when there is none."""
    # Consignments first, as everybody else who changes them does. Without the key: who writes an activity entry or a
    # copy of the order meanwhile refers to the rows, which must not wait, and we must not wait for him.
    conn.execute("SELECT FROM consignments WHERE order_id = %s ORDER BY id FOR NO KEY UPDATE", (order_id,))
    conn.execute("SELECT FROM orders WHERE id = %s FOR NO KEY UPDATE", (order_id,))
    row = conn.execute(BY_ID, (order_id,)).fetchone()
    return _held(row) if row else None


def _held(row: tuple[Any, ...]) -> HeldOrder:
    *head, consignments = row
    return HeldOrder._make((*head, [HeldConsignment(**consignment) for consignment in consignments or ()]))


def update_order(conn: Connection, order_id: int, customer: str, reference: str, reference_2: str) -> None:
    """Writes an order's own fields; the customer must be in the store."""
    conn.execute(
        "UPDATE orders o SET customer_id = customer.id, reference = %s, reference_2 = %s, updated_at = now() "
        "FROM customers customer WHERE o.id = %s AND customer.code = %s",
        (reference, reference_2, order_id, customer),
    )


def update_consignment(conn: Connection, row: Mapping[str, Any]) -> None:
    """Writes a consignment's content whole: content with "id", "our_roles" and "given"."""
    conn.execute(UPDATE_CONSIGNMENT, (Jsonb(dict(row)),))


def remove_consignment(conn: Connection, consignment_id: int) -> None:
    """Deletes a consignment with all that hangs on it, its history included; tell of it on another of the order."""
    conn.execute("DELETE FROM consignments WHERE id = %s", (consignment_id,))


def warn_of_shared_numbers(
    conn: Connection, consignment_ids: Collection[int], actor: str, source: str
) -> dict[int, str]:
    """Warns on every consignment that holds the same tracking number as one of these [PF-6-6]; id to warning.

    Both sides are warned, so there may be ids that were not asked for.
    """
    values = {"ids": list(consignment_ids), "actor": actor, "source": source}
    return dict(conn.execute(SHARED_NUMBERS, values).fetchall())


def ask_for_review(conn: Connection, order_id: int, reason: str) -> bool:
    """Flags an order for a person; the latest reason counts. False when it was flagged for that reason already."""
    flagged = conn.execute(
        "UPDATE orders SET review_reason = %(why)s, updated_at = now() "
        "WHERE id = %(id)s AND review_reason IS DISTINCT FROM %(why)s",
        {"why": reason, "id": order_id},
    )
    return flagged.rowcount == 1


def end_review(conn: Connection, order: HeldOrder, actor: str, source: str) -> bool:
    """Takes the flag off after a person has seen to it; False when there was none."""
    row = conn.execute("SELECT review_reason FROM orders WHERE id = %s", (order.id,)).fetchone()
    if row is None or row[0] is None:
        return False
    conn.execute("UPDATE orders SET review_reason = NULL, updated_at = now() WHERE id = %s", (order.id,))
    _record(conn, order, "reviewed", actor, source, {"review_reason": [row[0], None]})
    return True


def cancel(conn: Connection, order: HeldOrder, reason: str, actor: str, source: str) -> None:
    """Marks an order as cancelled. Its dispatch task stays as it is, so that it can be restored."""
    conn.execute("UPDATE orders SET cancelled_at = now(), updated_at = now() WHERE id = %s", (order.id,))
    _record(conn, order, "cancelled", actor, source, {"cancelled": [False, True], "reason": [None, reason]})


def restore(conn: Connection, order: HeldOrder, actor: str, source: str) -> None:
    """Takes a cancellation back."""
    conn.execute("UPDATE orders SET cancelled_at = NULL, updated_at = now() WHERE id = %s", (order.id,))
    _record(conn, order, "restored", actor, source, {"cancelled": [True, False]})


def _record(conn: Connection, order: HeldOrder, kind: str, actor: str, source: str, changes: Mapping[str, Any]) -> None:
    for consignment in order.consignments:
        activity.record(conn, consignment.id, kind, actor, source, changes)
