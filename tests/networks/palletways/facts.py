"""One consignment of ours as the store gives it, for tests of what is pure."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from palletflow.orders.consignment import Address, Consignment
from palletflow.store.consignments import ConsignmentFacts, PalletFacts

PICKUP = Address(
    "Acme Widgets Ltd", "1 Mill Road", "", "Leicester", "", "LE1 1AA", "GB", "0116 496 0101", "Despatch"
)  # fmt: skip
DELIVERY = Address(
    "Aireside Joinery", "17 Wharf Lane", "Cross Green", "Leeds", "", "LS9 8AA", "GB", "0113 496 0101", "Goods In"
)  # fmt: skip
FACTS = ConsignmentFacts(
    id=1, order_id=51, network="palletways", customer_code="ACME", order_source="api", order_source_key="o51",
    reference="SO-123", reference_2="", copied_from=None, cancelled=False, tracking_number="", registered=False,
    consignment_number="", requesting_depot="123", collecting_depot="", delivery_depot="", our_roles=["requesting"],
    account="", service="PRE", surcharges=[], collection_date=None, delivery_date=None, weight_kg=Decimal(640),
    pallet_spaces=None, insurance_code="", hub_code="", carton_count=None, amazon_reference="", notes=[],
    goods_description="", notification_email="", notification_sms="", notification_twitter="", northern_ireland={},
    additional_fields={}, dispatch_state="waiting", lifecycle_status="CREATED", network_status="", pallets=[],
    pickup=PICKUP, delivery=DELIVERY,
)  # fmt: skip


def facts(pallets: Sequence[str] = ("FULL", "HALF"), **changes: Any) -> ConsignmentFacts:
    """A consignment with changes; of stops only the parts that differ."""
    if changes.get("weight_kg") is not None:
        changes["weight_kg"] = Decimal(str(changes["weight_kg"]))
    for stop, held in (("pickup", PICKUP), ("delivery", DELIVERY)):
        changes[stop] = held._replace(**changes.get(stop, {}))
    listed = [PalletFacts(number, kind, "", False) for number, kind in enumerate(pallets, 1)]
    return FACTS._replace(pallets=listed, **changes)


def given(**changes: Any) -> Consignment:
    """The same as a caller gives it at entry."""
    made = facts(**changes)
    shared = {name: getattr(made, name) for name in Consignment._fields if name in ConsignmentFacts._fields}
    return Consignment(
        **shared, network_updated_at=None, pallet_types=made.pallet_types, pallet_details=[{} for _ in made.pallets],
        barcodes=[],
    )  # fmt: skip
