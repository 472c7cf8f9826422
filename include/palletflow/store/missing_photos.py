"""Which deliveries still have no photo, though they were looked for."""

from datetime import datetime
from typing import NamedTuple

from psycopg.rows import class_row

from palletflow.store.connection import Connection

# Conditions on a search `w` of a consignment `c` of an order `o`. A photo of an order counts for all its consignments.
LACKS_PHOTO = """
w.state <> 'skipped' AND NOT w.found AND o.cancelled_at IS NULL
AND NOT EXISTS (SELECT FROM documents d WHERE d.kind = 'PHOTO' AND d.order_id = c.order_id
                AND coalesce(d.consignment_id, c.id) = c.id)
"""
MISSING = f"""
SELECT c.id AS consignment_id, c.order_id, c.network, coalesce(c.tracking_number, '') AS tracking_number,
       c.consignment_number, o.reference, c.delivery_depot, w.begun_at AS seen_delivered_at, w.attempts,
       array(SELECT DISTINCT q.reason FROM quarantined_files q
             WHERE (q.network, q.tracking_number) = (c.network, c.tracking_number) ORDER BY q.reason) AS quarantined
FROM photo_windows w
JOIN consignments c ON c.id = w.consignment_id
JOIN orders o ON o.id = c.order_id
WHERE w.begun_at <= %(before)s AND c.network = coalesce(%(network)s, c.network) AND {LACKS_PHOTO}
ORDER BY w.begun_at, c.id
"""  # noqa: S608 - names are our own constants


class MissingPhoto(NamedTuple):
    """A delivery without a photo. `quarantined`: why files that its network gave for photos could not be used."""

    consignment_id: int
    order_id: int
    network: str
    tracking_number: str
    consignment_number: str
    reference: str
    delivery_depot: str
    seen_delivered_at: datetime
    attempts: int
    quarantined: list[str]


def missing_photos(conn: Connection, seen_before: datetime, network: str | None = None) -> list[MissingPhoto]:
    """What was seen to be delivered before that moment and has no photo; the longest delivered first.

    `network` None means all of them.
    """
    with conn.cursor(row_factory=class_row(MissingPhoto)) as cursor:
        return cursor.execute(MISSING, {"network": network, "before": seen_before}).fetchall()
