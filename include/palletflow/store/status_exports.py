"""What we have to tell a network of a consignment, what we told it, and which consignments miss what is mandatory."""

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Any, NamedTuple

from palletflow.store.connection import Connection

FACTS = """
SELECT coalesce(tracking_number, ''), registered, dispatch_state, our_roles, collecting_depot, delivery_depot,
       array(SELECT ARRAY[p.number::text, coalesce(b.barcode, '')]
             FROM pallets p
             LEFT JOIN pallet_barcodes b ON (b.consignment_id, b.pallet_number) = (p.consignment_id, p.number)
                                        AND b.state IN ('expected', 'confirmed')
             WHERE p.consignment_id = c.id AND p.removed_at IS NULL ORDER BY p.number)
FROM consignments c WHERE id = %s
"""
MOVEMENTS = """
SELECT id, event, coalesce(stop, scan), pallet_number, at, outcome, reason, signatory,
       coalesce(trim_scale(latitude)::text, ''), coalesce(trim_scale(longitude)::text, '')
FROM movements WHERE consignment_id = %s ORDER BY at, id
"""
TOLD = """
SELECT pallet_number, code, occurred_at FROM tracking_events
WHERE consignment_id = %s AND direction = 'exported' AND sent_at IS NOT NULL
"""
# Deliveries of one route that are the network's: its stops in order, and its consignments in order.
DELIVERY_ORDER = """
SELECT stop_number, count(*) FILTER (WHERE is_first) OVER (), consignment_number, count(*) OVER ()
FROM (
    SELECT s.consignment_id, dense_rank() OVER (ORDER BY s.route_sequence) AS stop_number,
           row_number() OVER (ORDER BY s.route_sequence, s.consignment_id) AS consignment_number,
           row_number() OVER (PARTITION BY s.route_sequence ORDER BY s.consignment_id) = 1 AS is_first
    FROM stops mine
    JOIN stops s ON s.kind = 'delivery' AND s.route = mine.route AND s.route_sequence IS NOT NULL
    JOIN consignments c ON c.id = s.consignment_id
    JOIN orders o ON o.id = c.order_id
    JOIN consignments own ON own.id = mine.consignment_id
    WHERE mine.consignment_id = %(id)s AND mine.kind = 'delivery' AND mine.route <> ''
      AND c.network = own.network AND 'delivery' = ANY (c.our_roles) AND c.registered
      AND (o.cancelled_at IS NULL OR c.id = own.id)
) numbered
ORDER BY consignment_id = %(id)s DESC LIMIT 1
"""
WRITE = """
INSERT INTO tracking_events AS held (consignment_id, direction, pallet_number, barcode, code, status, reason,
                                     occurred_at, depot, signatory, note, latitude, longitude, delivery_order,
                                     total_deliveries, movement_id)
VALUES (%(consignment_id)s, 'exported', %(pallet)s, %(barcode)s, %(code)s, %(status)s, %(reason)s, %(at)s, %(depot)s,
        %(signatory)s, %(note)s, %(latitude)s, %(longitude)s, %(delivery_order)s, %(total_deliveries)s,
        %(movement_id)s)
ON CONFLICT (consignment_id, pallet_number, code, occurred_at) WHERE direction = 'exported' DO UPDATE
SET barcode = excluded.barcode, depot = excluded.depot, signatory = excluded.signatory, note = excluded.note,
    latitude = excluded.latitude, longitude = excluded.longitude, delivery_order = excluded.delivery_order,
    total_deliveries = excluded.total_deliveries, movement_id = excluded.movement_id
WHERE held.sent_at IS NULL
RETURNING id
"""
SENT = """
UPDATE tracking_events SET sent_at = now(), refused_at = NULL, refusal = NULL WHERE id = ANY (%s) AND sent_at IS NULL
"""
REFUSED = "UPDATE tracking_events SET refused_at = now(), refusal = %s WHERE id = %s AND sent_at IS NULL"
KEPT = """
SELECT id, code, status, occurred_at, sent_at IS NOT NULL, coalesce(refusal, '') FROM tracking_events
WHERE consignment_id = %s AND direction = 'exported' ORDER BY id
"""
HOLD = "UPDATE tracking_events SET refused_at = NULL, refusal = %s WHERE id = ANY (%s) AND sent_at IS NULL"
# A pallet has a code when we sent it, or when the network showed it to us; delivery order and total only we can give.
COMPLIANCE = """
SELECT c.id, c.tracking_number, c.our_roles, c.requesting_depot, delivery.completed_at, pickup.completed_at,
       array(SELECT number FROM pallets p WHERE p.consignment_id = c.id AND p.removed_at IS NULL ORDER BY number),
       coalesce((
           SELECT jsonb_agg(jsonb_build_array(t.pallet_number, t.barcode = '', t.code,
                                              t.direction = 'exported' AND t.delivery_order > 0
                                              AND t.total_deliveries > 0))
           FROM tracking_events t
           WHERE t.consignment_id = c.id AND (t.direction = 'imported' OR t.sent_at IS NOT NULL)), '[]')
FROM (
    SELECT DISTINCT id FROM (
        SELECT c.id FROM stops s JOIN consignments c ON c.id = s.consignment_id
        WHERE s.kind IN ('pickup', 'delivery') AND s.completed_at >= %(since)s AND c.network = %(network)s
          AND c.registered
          AND CASE s.kind WHEN 'delivery' THEN 'delivery' = ANY (c.our_roles)
                   ELSE 'collecting' = ANY (c.our_roles) AND c.requesting_depot <> ALL (%(ours)s) END
        ORDER BY s.completed_at DESC LIMIT %(most)s
    ) last
) ours
JOIN consignments c USING (id)
JOIN stops delivery ON delivery.consignment_id = c.id AND delivery.kind = 'delivery'
JOIN stops pickup ON pickup.consignment_id = c.id AND pickup.kind = 'pickup'
ORDER BY coalesce(delivery.completed_at, pickup.completed_at), c.id
"""


class Movement(NamedTuple):
    """One report of our own people. `place` is the stop or the scan; `pallet` None means all of them."""

    id: int
    event: str
    place: str
    pallet: int | None
    at: datetime
    outcome: str | None
    reason: str
    signatory: str
    latitude: str
    longitude: str


class ExportFacts(NamedTuple):
    """A consignment as far as its statuses need it. `barcodes`: by pallet, "" while there is none.

    `told`: (pallet, code, time) of what the network has taken from us; pallet None was told of all of them.
    """

    tracking_number: str
    registered: bool
    dispatch_state: str
    roles: list[str]
    collecting_depot: str
    delivery_depot: str
    barcodes: dict[int, str]
    movements: list[Movement]
    told: set[tuple[int | None, str, datetime]]


class Kept(NamedTuple):
    """A status that the network has, or should have, from us. `status` is ours for it.

    `refusal`: why it has not gone, "" when it has or may have.
    """

    id: int
    code: str
    status: str
    at: datetime
    is_sent: bool
    refusal: str


class DeliveryOrder(NamedTuple):
    """Where a delivery stands on its route among those of the network: as a stop and as a consignment, from 1."""

    stop: int
    stops: int
    consignment: int
    consignments: int


class Delivered(NamedTuple):
    """A consignment that we delivered, or collected for others, and what the network knows of its pallets.

    `known`: (pallet or None, whether of all pallets, code, whether with delivery order and total).
    """

    consignment_id: int
    tracking_number: str
    roles: list[str]
    requesting_depot: str
    delivered_at: datetime | None
    collected_at: datetime | None
    pallets: list[int]
    known: list[tuple[int | None, bool, str, bool]]


def facts(conn: Connection, consignment_id: int) -> ExportFacts | None:
    """Everything that decides what is to be told; None when there is no such consignment any more."""
    with conn.transaction():
        row = conn.execute(FACTS, (consignment_id,)).fetchone()
        if row is None:
            return None
        movements = [Movement(*movement) for movement in conn.execute(MOVEMENTS, (consignment_id,))]
        told = {(pallet, code, at) for pallet, code, at in conn.execute(TOLD, (consignment_id,))}
    *columns, pallets = row
    return ExportFacts._make((*columns, {int(number): barcode for number, barcode in pallets}, movements, told))


def delivery_order(conn: Connection, consignment_id: int) -> DeliveryOrder | None:
    """Its place among the deliveries of its route; None while its delivery stop is on no route."""
    row = conn.execute(DELIVERY_ORDER, {"id": consignment_id}).fetchone()
    return DeliveryOrder(*row) if row else None


def write(conn: Connection, consignment_id: int, elements: Sequence[Mapping[str, Any]]) -> dict[int, int]:
    """Keeps what is about to be sent, before it is; what was not taken last time gets today's content.

    Each element has the columns pallet, barcode, code, status, reason, at, depot, signatory, note, latitude, longitude,
    delivery_order, total_deliveries and movement_id. Gives the id by position of those not sent yet.
    """
    rows = (conn.execute(WRITE, {**element, "consignment_id": consignment_id}).fetchone() for element in elements)
    return {position: int(row[0]) for position, row in enumerate(rows) if row}


def kept(conn: Connection, consignment_id: int) -> list[Kept]:
    """What was ever kept to be told of a consignment, oldest first."""
    return [Kept(*row) for row in conn.execute(KEPT, (consignment_id,))]


def hold(conn: Connection, ids: Sequence[int], reason: str | None) -> None:
    """Keeps why statuses have not gone yet; None: they go now, so that from here on they may have arrived."""
    conn.execute(HOLD, (reason, list(ids)))


def answered(conn: Connection, sent: Sequence[int], refused: Mapping[int, str]) -> None:
    """Keeps what became of elements, by id: taken, or refused with a reason."""
    conn.execute(SENT, (list(sent),))
    for id_, reason in refused.items():
        conn.execute(REFUSED, (reason, id_))


def delivered(
    conn: Connection, network: str, ours: Sequence[str], since: date, most: int | None = None
) -> list[Delivered]:
    """Consignments that we delivered since a day, or collected for other members, oldest first.

    `most`: those of so many of our stops that were completed last.
    """
    found = []
    values = {"network": network, "ours": list(ours), "since": since, "most": most}
    for *columns, known in conn.execute(COMPLIANCE, values):
        found.append(Delivered._make((*columns, [tuple(one) for one in known])))
    return found
