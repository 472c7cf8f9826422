"""One consignment of ours as the store gives it, for tests of what is pure."""

from datetime import date
from decimal import Decimal
from typing import Any

from palletflow.orders.consignment import Address
from palletflow.store.consignments import ConsignmentFacts, PalletFacts

PICKUP = Address(
    "Sender Ltd", "1 Mill Rd", "", "Leicester", "", "LE1 1AA", "GB", "0116 496 0001", "Warehouse"
)  # fmt: skip
DELIVERY = Address(
    "Receiver", "2 High St", "", "Leeds", "", "LS1 1AA", "GB", "0113 496 0001", "Goods In"
)  # fmt: skip
FACTS = ConsignmentFacts(
    id=1, order_id=51, network="palletforce", customer_code="ACME", order_source="api", order_source_key="o51",
    reference="SO-123", reference_2="", copied_from=None, cancelled=False, tracking_number="", registered=False,
    consignment_number="0000123", requesting_depot="900", collecting_depot="", delivery_depot="",
    our_roles=["requesting"], account="acme 001", service="A", surcharges=["AM", "TL"],
    collection_date=date(2026, 7, 13), delivery_date=date(2026, 7, 14), weight_kg=Decimal(850), pallet_spaces=None,
    insurance_code="01", hub_code="", carton_count=None, amazon_reference="", notes=["CALL FIRST"],
    goods_description="", notification_email="", notification_sms="", notification_twitter="", northern_ireland={},
    additional_fields={},
    dispatch_state="waiting", lifecycle_status="CREATED", network_status="", pallets=[], pickup=PICKUP,
    delivery=DELIVERY,
)  # fmt: skip


def facts(pallets: str = "FF", **changes: Any) -> ConsignmentFacts:
    """The consignment of the contract's example with changes; `pallets` has one letter a pallet."""
    if "weight_kg" in changes and changes["weight_kg"] is not None:
        changes["weight_kg"] = Decimal(str(changes["weight_kg"]))
    for stop, held in (("pickup", PICKUP), ("delivery", DELIVERY)):
        changes[stop] = held._replace(**changes.get(stop, {}))
    listed = [PalletFacts(number, kind, "", False) for number, kind in enumerate(pallets, 1)]
    return FACTS._replace(pallets=listed, **changes)
