"""What a source says of one consignment, in our own words and not yet in the order store."""

from collections.abc import Collection
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any, NamedTuple


class Role(StrEnum):
    """Our part in a consignment; one depot of ours may hold several."""

    REQUESTING = "requesting"
    COLLECTING = "collecting"
    DELIVERY = "delivery"


class Address(NamedTuple):
    """A place goods are fetched from or brought to. Unknown parts are empty text; country is ISO 2."""

    name: str
    street: str
    locality: str
    town: str
    county: str
    postcode: str
    country: str
    phone: str
    contact: str


class Consignment(NamedTuple):
    """One shipment as its source tells it: text is trimmed, weights are kg, dates are the network's local days.

    `registered`: the network has accepted it, so its tracking number is taken for good.
    `pallet_types` has one element a pallet, in the order of the pallet numbers, at most 99; `barcodes` as well, or is
    empty while they cannot be built. Unknown codes are kept as they came. `additional_fields`: what this network alone
    asks or tells, by field. `pallet_details`: measures, weight and base of each pallet, or empty when nobody says.
    """

    customer_code: str
    reference: str
    reference_2: str
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
    network_status: str
    network_updated_at: datetime | None
    goods_description: str
    notification_email: str
    notification_sms: str
    notification_twitter: str
    additional_fields: dict[str, str]
    pallet_types: list[str]
    pallet_details: list[dict[str, Any]]
    barcodes: list[str]
    pickup: Address
    delivery: Address


def roles(ours: frozenset[str], requesting: str, collecting: str, delivery: str) -> list[str]:
    """Our roles on a consignment, from the depots that are ours and its three depots."""
    held = ((Role.REQUESTING, requesting), (Role.COLLECTING, collecting), (Role.DELIVERY, delivery))
    return [role.value for role, depot in held if depot in ours]


def is_ours_throughout(roles: Collection[str]) -> bool:
    """Whether collecting and delivery depot are both ours: then a network's statuses are echoes of our own people's."""
    return {Role.COLLECTING, Role.DELIVERY} <= set(roles)
