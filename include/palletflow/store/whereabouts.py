"""Where the goods of a consignment are: settled anew from our own reports and what its network says (design 2)."""

from typing import Any

from palletflow.orders.lifecycle import Reason, Status
from palletflow.orders.progress import Happening, reported, whereabouts
from palletflow.store.connection import Connection

LOCK = """
SELECT lifecycle_status, exception_reason FROM consignments WHERE id = %s FOR NO KEY UPDATE
"""
PALLETS = "SELECT number FROM pallets WHERE consignment_id = %s AND removed_at IS NULL"
MOVEMENTS = "SELECT at, event, coalesce(stop, scan), outcome, pallet_number FROM movements WHERE consignment_id = %s"
# Where both legs are ours our own reports say it all; a barcode of another shape belongs to no pallet.
STATUSES = """
SELECT t.occurred_at, t.status, t.reason, t.pallet_number
FROM tracking_events t JOIN consignments c ON c.id = t.consignment_id
WHERE t.consignment_id = %s AND t.direction = 'imported' AND NOT t.echo AND (t.barcode = '' OR t.pallet_number > 0)
  AND NOT c.our_roles @> ARRAY['collecting', 'delivery']
"""
UPDATE = """
UPDATE consignments SET lifecycle_status = %s, exception_reason = %s, updated_at = now() WHERE id = %s
"""


def settle(conn: Connection, consignment_id: int) -> dict[str, list[Any]]:
    """Writes the lifecycle status that follows from everything known, within the caller's transaction.

    Gives what changed, field to [before, after], for the activity history. A delivered or cancelled consignment stays
    so, whatever becomes known later.
    """
    row = conn.execute(LOCK, (consignment_id,)).fetchone()
    if row is None or row[0] == Status.CANCELLED:
        return {}
    held = (Status(row[0]), Reason(row[1]) if row[1] else None)
    found = whereabouts(
        [number for (number,) in conn.execute(PALLETS, (consignment_id,))],
        [
            *(
                Happening(at, *reported(event, place, outcome), pallet)
                for at, event, place, outcome, pallet in conn.execute(MOVEMENTS, (consignment_id,))
            ),
            *(
                Happening(at, Status(status), Reason(reason) if reason else None, pallet)
                for at, status, reason, pallet in conn.execute(STATUSES, (consignment_id,))
            ),
        ],
    )
    if found == held or (held[0] is Status.DELIVERED and found[0] is not Status.DELIVERED):
        return {}
    conn.execute(UPDATE, (*found, consignment_id))
    shown = [(status.value, reason.value if reason else None) for status, reason in (held, found)]
    fields = ("lifecycle_status", "exception_reason")
    return {field: [before, after] for field, before, after in zip(fields, *shown, strict=True) if before != after}
