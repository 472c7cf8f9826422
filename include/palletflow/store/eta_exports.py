"""When deliveries of ours are expected, as we tell networks: by trip, what is to be told and what became of it."""

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from psycopg.rows import class_row

from palletflow.store import activity
from palletflow.store.connection import Connection

# Deliveries that are ours to make, have not begun and stand on a trip with an ETA. One half a day past tells nobody
# anything: the trip is over, whether its drivers report or not, and its name may stand for another.
EXPECTED = """
SELECT c.id AS consignment_id, c.tracking_number, c.consignment_number, s.postcode, c.delivery_depot AS depot, s.route,
       s.eta_from, told.route AS told_route, told.eta_from AS told_eta, told.refused_route, told.refused_eta,
       told.refusal
FROM stops s
JOIN consignments c ON c.id = s.consignment_id
JOIN orders o ON o.id = c.order_id
LEFT JOIN eta_exports told ON told.consignment_id = c.id
WHERE s.kind = 'delivery' AND s.route <> '' AND s.eta_from IS NOT NULL
  AND s.eta_from > now() - interval '12 hours'
  AND coalesce(s.started_at, s.arrived_at, s.completed_at) IS NULL
  AND c.registered AND 'delivery' = ANY (c.our_roles) AND o.cancelled_at IS NULL
  AND c.lifecycle_status NOT IN ('DELIVERED', 'CANCELLED')
"""
OF_CONSIGNMENT = EXPECTED + "AND c.id = %s"
OF_TRIP = (
    EXPECTED
    + "AND c.network = %(network)s AND s.route = %(route)s AND c.delivery_depot = %(depot)s "
    + "ORDER BY s.route_sequence, c.id"
)
# A trip's name may be used again the next day: what happened half a day before its first ETA belongs to another.
IN_PROGRESS = """
SELECT EXISTS (
    SELECT FROM stops s JOIN consignments c ON c.id = s.consignment_id
    WHERE s.route = %(route)s
      AND (greatest(s.started_at, s.arrived_at, s.completed_at) > %(first_eta)s - interval '12 hours'
           OR s.kind = 'delivery' AND c.lifecycle_status IN ('OUT_FOR_DELIVERY', 'ARRIVED')))
"""
ACCEPTED = """
INSERT INTO eta_exports (consignment_id, route, eta_from, accepted_at)
SELECT told.id, %(route)s, told.eta, now() FROM unnest(%(ids)s::bigint[], %(etas)s::timestamptz[]) AS told (id, eta)
JOIN consignments c ON c.id = told.id
ON CONFLICT (consignment_id) DO UPDATE
SET route = excluded.route, eta_from = excluded.eta_from, accepted_at = excluded.accepted_at, refused_route = NULL,
    refused_eta = NULL, refusal = NULL, refused_at = NULL
"""
REFUSED = """
INSERT INTO eta_exports (consignment_id, refused_route, refused_eta, refusal, refused_at)
SELECT id, %(route)s, %(eta)s, %(reason)s, now() FROM consignments WHERE id = %(id)s
ON CONFLICT (consignment_id) DO UPDATE
SET refused_route = excluded.refused_route, refused_eta = excluded.refused_eta, refusal = excluded.refusal,
    refused_at = excluded.refused_at
"""


class Expected(NamedTuple):
    """A delivery that has not begun: its trip, when it is expected, and what its network was last told of it.

    `told_*`: last accepted; `refused_*` and `refusal`: refused since then, and why. None where there was nothing.
    """

    consignment_id: int
    tracking_number: str
    consignment_number: str
    postcode: str
    depot: str
    route: str
    eta_from: datetime
    told_route: str | None
    told_eta: datetime | None
    refused_route: str | None
    refused_eta: datetime | None
    refusal: str | None

    @property
    def is_refused(self) -> bool:
        """Whether it was refused as it stands."""
        return (self.refused_route, self.refused_eta) == (self.route, self.eta_from)


def of_consignment(conn: Connection, consignment_id: int) -> Expected | None:
    """What is to be told of one consignment; None when nothing is: no trip or ETA, long past, begun, not ours."""
    with conn.cursor(row_factory=class_row(Expected)) as cursor:
        return cursor.execute(OF_CONSIGNMENT, (consignment_id,)).fetchone()


def of_trip(conn: Connection, network: str, depot: str, route: str) -> list[Expected]:
    """The deliveries of a trip that one of our depots makes for a network, in the order of the trip."""
    with conn.cursor(row_factory=class_row(Expected)) as cursor:
        return cursor.execute(OF_TRIP, {"network": network, "depot": depot, "route": route}).fetchall()


def in_progress(conn: Connection, route: str, first_eta: datetime) -> bool:
    """Whether a trip has started: something on it is loaded for delivery, or one of its stops was begun."""
    [(started,)] = conn.execute(IN_PROGRESS, {"route": route, "first_eta": first_eta}).fetchall()
    return bool(started)


def accepted(conn: Connection, route: str, told: Sequence[Expected]) -> None:
    """The network took these ETAs."""
    conn.execute(
        ACCEPTED,
        {"route": route, "ids": [one.consignment_id for one in told], "etas": [one.eta_from for one in told]},
    )


def refused(conn: Connection, one: Expected, reason: str, actor: str, source: str) -> None:
    """The network refused this ETA; what it took before stays known."""
    values = {"id": one.consignment_id, "route": one.route, "eta": one.eta_from, "reason": reason}
    if conn.execute(REFUSED, values).rowcount:
        activity.record(conn, one.consignment_id, "ETA refused", actor, source, warnings=[reason])
