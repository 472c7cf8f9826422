"""Which delivered consignments still lack a proof of delivery that we owe our customers."""

from datetime import datetime
from typing import NamedTuple

from psycopg.rows import class_row

from palletflow.store.connection import Connection

# Conditions on a consignment `c`. Where the delivery is ours too, the POD is our own driver's.
WE_OWE_POD = "c.our_roles && ARRAY['requesting', 'collecting'] AND 'delivery' <> ALL (c.our_roles)"
# A POD of an order counts for all of its consignments; one with the bytes of another document is linked to that.
LACKS_POD = """
NOT EXISTS (SELECT FROM documents d WHERE d.kind = 'POD' AND d.order_id = c.order_id
            AND coalesce(d.consignment_id, c.id) = c.id)
AND NOT EXISTS (SELECT FROM document_exchanges e WHERE e.consignment_id = c.id AND e.kind = 'POD'
                AND e.direction = 'fetched' AND e.document_id IS NOT NULL)
"""
MISSING = f"""
SELECT c.id AS consignment_id, c.order_id, c.network, coalesce(c.tracking_number, '') AS tracking_number,
       c.consignment_number, o.reference, c.delivery_depot, delivered.at AS delivered_at,
       array(SELECT e.reason FROM document_exchanges e
             WHERE e.consignment_id = c.id AND e.direction = 'fetched' AND e.done_at IS NULL AND e.reason IS NOT NULL
             ORDER BY e.id) AS parked
FROM consignments c
JOIN orders o ON o.id = c.order_id
JOIN stops s ON (s.consignment_id, s.kind) = (c.id, 'delivery')
CROSS JOIN LATERAL (
    SELECT coalesce(s.completed_at, (
        SELECT max(t.occurred_at) FROM tracking_events t
        WHERE (t.consignment_id, t.direction, t.status) = (c.id, 'imported', 'DELIVERED'))) AS at
) delivered
WHERE c.lifecycle_status = 'DELIVERED' AND c.network = coalesce(%(network)s, c.network)
  AND {WE_OWE_POD} AND delivered.at <= %(delivered_before)s AND {LACKS_POD}
ORDER BY delivered.at, c.id
"""  # noqa: S608 - names are our own constants


class MissingPod(NamedTuple):
    """A consignment whose POD nobody has. `parked`: why files that its network has of it could not be used."""

    consignment_id: int
    order_id: int
    network: str
    tracking_number: str
    consignment_number: str
    reference: str
    delivery_depot: str
    delivered_at: datetime
    parked: list[str]


def missing_pods(conn: Connection, delivered_before: datetime, network: str | None = None) -> list[MissingPod]:
    """What was delivered before that moment by others for us, and has no POD; the longest delivered first.

    Where the delivery is ours too, the POD is our own driver's. `network` None means all of them.
    """
    with conn.cursor(row_factory=class_row(MissingPod)) as cursor:
        return cursor.execute(MISSING, {"network": network, "delivered_before": delivered_before}).fetchall()
