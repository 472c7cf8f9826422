"""One consignment of ours as the store gives it, for tests of what is pure."""

from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from typing import Any

from palletflow.orders.consignment import Address, Consignment
from palletflow.store.consignments import ConsignmentFacts, PalletFacts

# A Monday; the earliest day of Premium, and of Economy.
MONDAY, TUESDAY, WEDNESDAY = date(2026, 7, 13), date(2026, 7, 14), date(2026, 7, 15)
PICKUP = Address(
    "Sender Ltd", "1 Mill Rd", "", "Leicester", "", "LE1 1AA", "GB", "0116 496 0001", "Warehouse"
)  # fmt: skip
DELIVERY = Address(
    "Receiver Ltd", "2 High St", "", "Leeds", "", "LS1 1AA", "GB", "0113 496 0001", "Goods In"
)  # fmt: skip
FACTS = ConsignmentFacts(
    id=1, order_id=51, network="nexus", customer_code="ACME", order_source="api", order_source_key="o51",
    reference="SO-123", reference_2="", copied_from=None, cancelled=False, tracking_number="", registered=False,
    consignment_number="", requesting_depot="PGD302", collecting_depot="", delivery_depot="",
    our_roles=["requesting"], account="", service="A", surcharges=[], collection_date=MONDAY, delivery_date=None,
    weight_kg=Decimal(850), pallet_spaces=None, insurance_code="", hub_code="", carton_count=None,
    amazon_reference="", notes=[], goods_description="Parts", notification_email="", notification_sms="",
    notification_twitter="", northern_ireland={}, additional_fields={}, dispatch_state="waiting",
    lifecycle_status="CREATED", network_status="", pallets=[], pickup=PICKUP, delivery=DELIVERY,
)  # fmt: skip
AMAZON = {"booking_date": "2026-07-15", "booking_time": "10:30", "asn_number": "ASN1"}


def facts(pallets: Sequence[str] = ("FULL", "FULL"), details: Sequence[dict[str, Any]] = (), **changes: Any):
    """A consignment with changes; of stops and additional fields only the parts that differ."""
    if changes.get("weight_kg") is not None:
        changes["weight_kg"] = Decimal(str(changes["weight_kg"]))
    for stop, held in (("pickup", PICKUP), ("delivery", DELIVERY)):
        changes[stop] = held._replace(**changes.get(stop, {}))
    changes["additional_fields"] = {"nexus_origin": "PALLEX", **changes.get("additional_fields", {})}
    known = [*details, *({} for _ in pallets)]
    listed = [PalletFacts(number, kind, "", False, known[number - 1]) for number, kind in enumerate(pallets, 1)]
    return FACTS._replace(pallets=listed, **changes)


def given(**changes: Any) -> Consignment:
    """The same as a caller gives it at entry."""
    made = facts(**changes)
    shared = {name: getattr(made, name) for name in Consignment._fields if name in ConsignmentFacts._fields}
    return Consignment(
        **shared,
        network_updated_at=None,
        pallet_types=made.pallet_types,
        pallet_details=[dict(pallet.details) for pallet in made.pallets],
        barcodes=[],
    )
