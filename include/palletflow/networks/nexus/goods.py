"""The pallets of a Nexus consignment as ours: type, measures, weight, base and barcode (contract 2.3, 3, 5.3). Pure."""

import re
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal, InvalidOperation
from typing import Any, NamedTuple

from palletflow.intake.template import MOST_PALLETS, Fault
from palletflow.networks.nexus.lookups import folded
from palletflow.networks.nexus.record import INTERNATIONAL, Reply

# Part of a pallet: the detail of ours, and what is credible, in cm or kg. 0 says that nobody knows.
MEASURES = {
    "length": ("length_cm", 1000),
    "width": ("width_cm", 1000),
    "height": ("height_cm", 1000),
    "weight": ("weight_kg", 9999),
    "limited_quantity": ("limited_quantity_kg", 9999),
}
LONGEST = 100
WHOLE = ("length_cm", "width_cm", "height_cm")
BARCODE = re.compile("[0-9]{16}")
WEIGHT_KG = "weight_kg"


class Goods(NamedTuple):
    """Types, details and barcodes by pallet; `barcodes` is empty unless every pallet has one of its own.

    `weight_kg` None when no pallet says what it weighs.
    """

    types: list[str]
    details: list[dict[str, Any]]
    barcodes: list[str]
    weight_kg: Decimal | None


class GoodsReader:
    """Reads pallets by the template's sections `pallet_types` and `pallet_bases`."""

    def __init__(self, sections: Mapping[str, Any]) -> None:
        types = sections["pallet_types"]
        self._types = {folded(entry["name"]): code for code, entry in types.items()}
        self._international = {folded(entry["name"]) for entry in types.values() if entry["scope"] == "international"}
        self._bases = {folded(name): code for code, name in sections["pallet_bases"]["names"].items()}

    def international(self, reply: Reply) -> str:
        """The name of a pallet type that the template or Nexus itself calls international; "" without one [NX-5-11]."""
        for pallet in reply.pallets:
            told = reply.looked_up(INTERNATIONAL, pallet["type_id"])
            name = _type_name(reply, pallet)
            if told or folded(name) in self._international:
                return name or told
        return ""

    def read(self, reply: Reply, faults: list[Fault], warnings: list[str]) -> Goods:
        """The pallets; what makes them unusable goes to `faults`, what was left out to `warnings`."""
        if len(reply.pallets) > MOST_PALLETS:
            faults.append(
                Fault(
                    "BAD_FORMAT", "pallets", f"pallets: {len(reply.pallets)}, at most {MOST_PALLETS} fit a consignment"
                )
            )
            return Goods([], [], [], None)
        types, details = [], []
        for number, pallet in enumerate(reply.pallets, 1):
            types.append(self._type(reply, number, pallet, faults, warnings))
            details.append(dict(self._details(reply, number, pallet, warnings)))
        weights = [Decimal(str(one[WEIGHT_KG])) for one in details if WEIGHT_KG in one]
        return Goods(types, details, _barcodes(reply.barcodes, warnings), sum(weights, Decimal(0)) if weights else None)

    def _type(
        self, reply: Reply, number: int, pallet: Mapping[str, str], faults: list[Fault], warnings: list[str]
    ) -> str:
        name = _type_name(reply, pallet)
        if not _is_name(name):
            said = "has no type" if not name else f"has a type that is none, {name[:LONGEST]!a}"
            faults.append(Fault("MISSING_VALUE", "pallets", f"pallets: pallet {number} {said}"))
            return ""
        code = self._types.get(folded(name))
        if code is None:
            warnings.append(f"palletType: '{name}' is not among pallet_types of the template; kept as it came")
        return code or name

    def _details(
        self, reply: Reply, number: int, pallet: Mapping[str, str], warnings: list[str]
    ) -> Iterator[tuple[str, Any]]:
        for part, (detail, most) in MEASURES.items():
            value = _measure(pallet[part])
            if value is None or value > most:
                warnings.append(f"{part} of pallet {number}: '{pallet[part][:40]}' is no measure; left out")
            elif value:
                yield detail, round(value) if detail in WHOLE else float(value)
        base = pallet["base"] or reply.looked_up("palletBases", pallet["base_id"])
        if _is_name(base):
            yield "base", self._bases.get(folded(base), base)
        if pallet["do_not_stack"].casefold() in ("true", "false"):
            yield "do_not_stack", pallet["do_not_stack"].casefold() == "true"


def odd_barcodes(barcodes: Sequence[str]) -> list[str]:
    """A sentence for each barcode that is not of the usual form; they are kept all the same [NX-3-5]."""
    return [
        f"the barcode of pallet {number}, '{barcode}', is not of 16 digits"
        for number, barcode in enumerate(barcodes, 1)
        if barcode and not BARCODE.fullmatch(barcode)
    ]


def _type_name(reply: Reply, pallet: Mapping[str, str]) -> str:
    return pallet["type"] or reply.looked_up("palletTypes", pallet["type_id"])


def _is_name(text: str) -> bool:
    """Whether a text can be kept: not empty, and nothing in it that the order store does not take."""
    return 0 < len(text) <= LONGEST and text.isprintable()


def _measure(text: str) -> Decimal | None:
    """A number with two places at most, 0 for none; None for what is no measure."""
    try:
        value = round(Decimal(text or 0), 2)
    except InvalidOperation:
        return None
    return value if value.is_finite() and value >= 0 else None


def _barcodes(found: Sequence[str], warnings: list[str]) -> list[str]:
    if not any(found):
        return []
    if not all(map(_is_name, found)) or len(set(found)) < len(found):
        warnings.append("pallets: not every pallet has a barcode of its own; none is kept")
        return []
    return list(found)
