"""Everything about one consignment that a label or a dispatch is made of."""

import json
from collections.abc import Mapping, Sequence
from datetime import date
from decimal import Decimal
from typing import Any, NamedTuple

from palletflow.orders.consignment import Address
from palletflow.store.connection import Connection

ADDRESS = ", ".join(f"{{stop}}.{part}" for part in Address._fields)
FACTS = f"""
SELECT c.id, c.order_id, c.network, customer.code AS customer_code, o.source AS order_source,
       o.source_key AS order_source_key, o.reference, o.reference_2, o.copied_from,
       o.cancelled_at IS NOT NULL AS cancelled,
       coalesce(c.tracking_number, '') AS tracking_number, c.registered, c.consignment_number, c.requesting_depot,
       c.collecting_depot, c.delivery_depot, c.our_roles, c.account, c.service, c.surcharges, c.collection_date,
       c.delivery_date, c.weight_kg, c.pallet_spaces, c.insurance_code, c.hub_code, c.carton_count,
       c.amazon_reference, c.notes, c.goods_description, c.notification_email, c.notification_sms,
       c.notification_twitter, c.northern_ireland, c.additional_fields, c.dispatch_state, c.lifecycle_status,
       c.network_status,
       array(SELECT ARRAY[p.number::text, p.pallet_type, coalesce(b.barcode, ''), coalesce(b.state, ''),
                          p.details::text]
             FROM pallets p
             LEFT JOIN pallet_barcodes b ON (b.consignment_id, b.pallet_number) = (p.consignment_id, p.number)
                                        AND b.state IN ('expected', 'confirmed')
             WHERE p.consignment_id = c.id AND p.removed_at IS NULL ORDER BY p.number) AS pallets,
       {ADDRESS.format(stop="pickup")}, {ADDRESS.format(stop="delivery")}
FROM consignments c
JOIN orders o ON o.id = c.order_id
JOIN customers customer ON customer.id = o.customer_id
JOIN stops pickup ON pickup.consignment_id = c.id AND pickup.kind = 'pickup'
JOIN stops delivery ON delivery.consignment_id = c.id AND delivery.kind = 'delivery'
WHERE c.id = %s
"""  # noqa: S608 - names are our own constants


class PalletFacts(NamedTuple):
    """One pallet that is still on the consignment. `barcode`: its current one, "" if it has none yet.

    `confirmed`: the network has used that barcode itself. `details`: its measures, weight and base, as far as known.
    """

    number: int
    pallet_type: str
    barcode: str
    confirmed: bool
    details: Mapping[str, Any] = {}


class ConsignmentFacts(NamedTuple):
    """One consignment with its order, addresses and pallets as they stand now. What is unknown is "" or None.

    `order_source` and `order_source_key` say where the order came from; `northern_ireland` holds customs data by the
    network's field names, `additional_fields` what else this network alone asks or tells. Weights are kg.
    """

    id: int
    order_id: int
    network: str
    customer_code: str
    order_source: str
    order_source_key: str
    reference: str
    reference_2: str
    copied_from: int | None
    cancelled: bool
    tracking_number: str
    registered: bool
    consignment_number: str
    requesting_depot: str
    collecting_depot: str
    delivery_depot: str
    our_roles: list[str]
    account: str
    service: str
    surcharges: list[str]
    collection_date: date | None
    delivery_date: date | None
    weight_kg: Decimal | None
    pallet_spaces: Decimal | None
    insurance_code: str
    hub_code: str
    carton_count: int | None
    amazon_reference: str
    notes: list[str]
    goods_description: str
    notification_email: str
    notification_sms: str
    notification_twitter: str
    northern_ireland: Mapping[str, str]
    additional_fields: Mapping[str, str]
    dispatch_state: str
    lifecycle_status: str
    network_status: str
    pallets: list[PalletFacts]
    pickup: Address
    delivery: Address

    @property
    def pallet_types(self) -> list[str]:
        """One type a pallet, in the order of their numbers."""
        return [pallet.pallet_type for pallet in self.pallets]


NETWORKS = "SELECT network, array_agg(id ORDER BY id) FROM consignments WHERE id = ANY (%s) GROUP BY network"


class NoSuchConsignment(LookupError):
    """There is no consignment with this id."""

    def __init__(self, consignment_id: int) -> None:
        super().__init__(f"there is no consignment {consignment_id}; it may have been deleted with its order")


def by_network(conn: Connection, consignment_ids: Sequence[int]) -> dict[str, list[int]]:
    """Consignments by the network they are of."""
    return dict(conn.execute(NETWORKS, (list(consignment_ids),)).fetchall())


def lock(conn: Connection, consignment_id: int) -> bool:
    """Lets nobody else change the consignment until the caller's transaction ends; False when there is none.

    Who writes it and what belongs to it, such as its dispatch task, takes the consignment first.
    """
    return conn.execute("SELECT FROM consignments WHERE id = %s FOR NO KEY UPDATE", (consignment_id,)).rowcount == 1


def facts(conn: Connection, consignment_id: int, *, locked: bool = False) -> ConsignmentFacts:
    """Reads a consignment in one statement, so that all of it is of the same moment.

    `locked`: nobody else changes it until the caller's transaction ends. Raises NoSuchConsignment.
    """
    if locked:
        # First, so that what is read below is what the transaction before this one left.
        conn.execute("SELECT FROM consignments WHERE id = %s FOR UPDATE", (consignment_id,))
    row = conn.execute(FACTS, (consignment_id,)).fetchone()
    if row is None:
        raise NoSuchConsignment(consignment_id)
    parts = len(Address._fields)
    *columns, pallets = row[: -2 * parts]
    return ConsignmentFacts._make(
        (
            *columns,
            [
                PalletFacts(int(number), kind, code, state == "confirmed", json.loads(details))
                for number, kind, code, state, details in pallets
            ],
            Address(*row[-2 * parts : -parts]),
            Address(*row[-parts:]),
        )
    )
