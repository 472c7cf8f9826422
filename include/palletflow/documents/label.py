"""A pallet label in words: what stands on it, whatever network it is for and however it is drawn."""

import re
from datetime import date
from decimal import Decimal
from typing import NamedTuple

from palletflow.orders.consignment import Address

MOST_BARCODE_CHARACTERS = 30
BARCODE = re.compile(rf"[0-9A-Z]{{1,{MOST_BARCODE_CHARACTERS}}}")


class Service(NamedTuple):
    """A service level or surcharge: the network's code, large, and what it means in a few words."""

    code: str
    name: str


class Label(NamedTuple):
    """One label of one pallet. Unknown text is "", unknown values are None; long text is made to fit.

    `provisional`: the route is not known yet. Such a label says so in place of the delivery depot, and its `barcode`
    is at most the tracking number. `barcode`: capital letters and digits, at most 30; "" draws none.
    `weight_kg` is the consignment's, all pallets together. `pallet` counts from 1.
    """

    network: str
    delivery_depot: str
    requesting_depot: str
    collecting_depot: str
    service: Service
    tracking_number: str
    consignment_number: str
    reference: str
    pallet: int
    pallets: int
    pallet_type: str
    weight_kg: Decimal | None
    sender: Address
    receiver: Address
    collection_date: date | None
    delivery_date: date | None
    surcharges: tuple[Service, ...]
    notes: tuple[str, ...]
    barcode: str
    provisional: bool
