"""Pallet barcodes of Palletforce (contract 3): built from routing, read from scans and statuses. Pure."""

import re
from typing import NamedTuple

MOST_PALLETS = 99
SHAPE = re.compile(
    r"506(?P<delivery_depot>[0-9]{3})(?P<service>[A-Z])(?P<tracking_number>[0-9]{13})(?P<pallet>0[1-9]|[1-9][0-9])"
)
DEPOT, SERVICE, NUMBER = re.compile(r"[0-9]{3}"), re.compile(r"[A-Z]"), re.compile(r"[0-9]{13}")
# Positions 8 to 22, tracking number and pallet: they stay when the network changes delivery depot or service.
OF_ONE_PALLET = slice(7, 22)


class Parts(NamedTuple):
    """What a barcode says. `pallet` counts from 1."""

    delivery_depot: str
    service: str
    tracking_number: str
    pallet: int


def build(delivery_depot: str, service: str, tracking_number: str, pallet: int) -> str:
    """The 22 characters of one pallet [PF-3-10, PF-3-12].

    Raises ValueError when a part does not have its shape, a pallet above 99 included.
    """
    parts = (
        (delivery_depot, DEPOT, "3 digits"),
        (service, SERVICE, "one letter"),
        (tracking_number, NUMBER, "13 digits"),
    )
    for text, shape, means in parts:
        if not shape.fullmatch(text):
            raise ValueError(f"a pallet barcode needs {means}, not '{text}'")
    if not 1 <= pallet <= MOST_PALLETS:
        raise ValueError(f"a pallet barcode counts pallets from 1 to {MOST_PALLETS}, not {pallet}")
    return f"506{delivery_depot}{service}{tracking_number}{pallet:02d}"


def read(text: str) -> Parts | None:
    """The parts of a barcode; None when it has another shape, which is history and no error [PF-3-13, PF-3-17]."""
    found = SHAPE.fullmatch(text)
    return Parts(found[1], found[2], found[3], int(found[4])) if found else None


def of_pallets(delivery_depot: str, service: str, tracking_number: str, count: int) -> list[str]:
    """The barcodes of pallets 1 to `count`; [] while depot, service or number is unknown or has another shape.

    [PF-3-12, PF-3-14] Raises ValueError for more than 99 pallets.
    """
    if not (DEPOT.fullmatch(delivery_depot) and SERVICE.fullmatch(service) and NUMBER.fullmatch(tracking_number)):
        return []
    return [build(delivery_depot, service, tracking_number, pallet) for pallet in range(1, count + 1)]


def same_pallet(text: str, ours: str) -> bool:
    """Whether both are barcodes of the same pallet, whatever their delivery depot and service [PF-3-16]."""
    return bool(SHAPE.fullmatch(text) and SHAPE.fullmatch(ours)) and text[OF_ONE_PALLET] == ours[OF_ONE_PALLET]


def tracking_page(pattern: str, tracking_number: str) -> str:
    """Where anybody can follow a consignment [PF-3-11]. `pattern`: `labels.tracking_page` of the template."""
    return pattern.format(number=tracking_number)
