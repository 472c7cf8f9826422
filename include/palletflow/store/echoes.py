"""What a network gives back of what we sent it is no news: our order keeps its own, finer values.

A manifest says less than our order does: weights are rounded, instructions cut to the notes, delivery dates left out.
Whoever took over such an echo would lose what the customer said. So what will come back is kept with the dispatch task
when a consignment is sent; an import that brings just that leaves our value alone, and anything else is a change that
somebody made in the network.
"""

from datetime import date
from typing import Any

from psycopg.types.json import Jsonb

from palletflow.orders.consignment import Address, Consignment
from palletflow.store.connection import Connection

FIELDS = (
    "surcharges", "collection_date", "delivery_date", "weight_kg", "pallet_spaces", "insurance_code", "hub_code",
    "carton_count", "amazon_reference", "notes",
)  # fmt: skip
STOPS = ("pickup", "delivery")
# Echoed field: our own value of it, in the tables c, pickup_stop and delivery_stop.
HELD = {
    **{field: f"c.{field}" for field in FIELDS},
    **{f"{stop}_{part}": f"{stop}_stop.{part}" for stop in STOPS for part in Address._fields},
}
EXPECT = "UPDATE dispatch_tasks SET echo = %s WHERE consignment_id = %s"


def _kept(field: str, held: str) -> str:
    said = f"coalesce(to_jsonb(s.{field}), 'null')"
    return f"{field} = CASE WHEN {said} = t.echo -> '{field}' THEN {held} ELSE s.{field} END"


KEEP_OURS = f"""
UPDATE staged s SET {", ".join(_kept(field, held) for field, held in HELD.items())}
FROM matched m
JOIN consignments c ON c.id = m.consignment_id
JOIN dispatch_tasks t ON t.consignment_id = c.id AND t.echo <> '{{}}'
JOIN stops pickup_stop ON pickup_stop.consignment_id = c.id AND pickup_stop.kind = 'pickup'
JOIN stops delivery_stop ON delivery_stop.consignment_id = c.id AND delivery_stop.kind = 'delivery'
WHERE m.ordinal = s.ordinal AND m.outcome = 'updated'
"""  # noqa: S608 - names are our own constants
FORGET_CHANGED = """
UPDATE dispatch_tasks t SET echo = t.echo - ARRAY(SELECT jsonb_object_keys(m.changes))
FROM matched m WHERE t.consignment_id = m.consignment_id AND m.outcome = 'updated' AND t.echo <> '{}'
"""


def expect(conn: Connection, consignment_id: int, given_back: Consignment | None) -> None:
    """Keeps what the network will show of a consignment that is being sent; None when that cannot be said."""
    echo: dict[str, Any] = {}
    if given_back is not None:
        echo = {field: _plain(getattr(given_back, field)) for field in FIELDS}
        for stop in STOPS:
            echo |= {f"{stop}_{part}": text for part, text in getattr(given_back, stop)._asdict().items()}
    conn.execute(EXPECT, (Jsonb(echo), consignment_id))


def keep_ours(conn: Connection) -> None:
    """Puts our own values in place of echoes among the import's staged records that have been matched."""
    conn.execute(KEEP_OURS)


def forget_changed(conn: Connection) -> None:
    """What the network has changed once is followed from then on, whatever it is changed to."""
    conn.execute(FORGET_CHANGED)


def _plain(value: Any) -> Any:
    """A value as JSON writes it."""
    if value is None or isinstance(value, str | list | int):
        return value
    if isinstance(value, date):
        return value.isoformat()
    return int(value) if value == int(value) else float(value)
