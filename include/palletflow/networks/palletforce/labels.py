"""Our own labels of a consignment (contract 6 item 5): which depot they show, and what stands on them. Pure."""

import re
from collections.abc import Callable, Mapping
from typing import Any

from palletflow.documents.label import BARCODE, Label, Service
from palletflow.intake.template import Template
from palletflow.networks.palletforce import barcodes
from palletflow.store.consignments import ConsignmentFacts, PalletFacts

NAME = "Palletforce"
# A postcode of the United Kingdom, or its first half: area LS, district LS1; in London also EC1A.
POSTCODE = re.compile(r"(?P<outward>(?P<area>[A-Z]{1,2})[0-9][0-9A-Z]?)([0-9][A-Z]{2})?")


def depot_of_postcode(table: Mapping[str, str], postcode: str) -> str:
    """The depot that a table of postcode areas and districts names for a postcode; "" if none.

    A district goes before its area. LS1 in the table is not LS10, and L is not LE.
    """
    found = POSTCODE.fullmatch("".join(postcode.upper().split()))
    if not found:
        return ""
    outward = found["outward"]
    for key in (outward, outward.rstrip("ABCDEFGHIJKLMNOPQRSTUVWXYZ"), found["area"]):
        if key in table:
            return table[key]
    return ""


def delivery_depot(facts: ConsignmentFacts, settings: Mapping[str, Any], fetch: Callable[[], str]) -> str:
    """The delivery depot from the sources of `labels.depot_sources` in turn; "" when none knows it [PF-6-5].

    `fetch` asks the network, and only when the sources before it did not know.
    """
    sources: Mapping[str, Callable[[], str]] = {
        "order": lambda: facts.delivery_depot,
        "postcode": lambda: depot_of_postcode(settings["postcode_depots"], facts.delivery.postcode),
        "fetch": fetch,
    }
    for name in settings["depot_sources"]:
        depot = sources[name]()
        if depot:
            return depot
    return ""


def of_consignment(facts: ConsignmentFacts, template: Template, depot: str, *, unanswered: bool = False) -> list[Label]:
    """One label a pallet; without a tracking number there is none yet.

    `depot` "" makes them provisional: the tracking number alone is their barcode [PF-6-10]. `unanswered`: the network
    could not be asked for the depot; until it can, the barcodes expected so far stand.
    """
    if not facts.tracking_number:
        return []
    codes = template.codes
    return [
        Label(
            network=NAME,
            delivery_depot=_depot_in(barcode),
            requesting_depot=facts.requesting_depot,
            collecting_depot=facts.collecting_depot,
            service=_named(codes["services"], facts.service),
            tracking_number=facts.tracking_number,
            consignment_number=facts.consignment_number,
            reference=facts.reference,
            pallet=pallet.number,
            pallets=facts.pallets[-1].number,
            pallet_type=_named(codes["pallet_types"], pallet.pallet_type).name or pallet.pallet_type,
            weight_kg=facts.weight_kg,
            sender=facts.pickup,
            receiver=facts.delivery,
            collection_date=facts.collection_date,
            delivery_date=facts.delivery_date,
            surcharges=tuple(_named(codes["surcharges"], code) for code in facts.surcharges),
            notes=tuple(facts.notes),
            barcode=barcode or _alone(facts.tracking_number),
            provisional=not barcode,
        )
        for pallet in facts.pallets
        for barcode in [_barcode(facts, pallet, depot, unanswered)]
    ]


def _barcode(facts: ConsignmentFacts, pallet: PalletFacts, depot: str, unanswered: bool) -> str:
    """The network's own barcode once it has used one, else the one we expect; "" while that cannot be built."""
    if pallet.confirmed and _is_of(facts, pallet):
        return pallet.barcode
    built = barcodes.of_pallets(depot, facts.service, facts.tracking_number, pallet.number)
    if built:
        return built[-1]
    return pallet.barcode if unanswered and _is_of(facts, pallet) else ""


def _is_of(facts: ConsignmentFacts, pallet: PalletFacts) -> bool:
    parts = barcodes.read(pallet.barcode)
    return parts is not None and (parts.tracking_number, parts.pallet) == (facts.tracking_number, pallet.number)


def _alone(tracking_number: str) -> str:
    """The number as a barcode of its own; "" when the network gave one of another shape that no barcode can carry."""
    return tracking_number if BARCODE.fullmatch(tracking_number) else ""


def _depot_in(barcode: str) -> str:
    parts = barcodes.read(barcode)
    return parts.delivery_depot if parts else ""


def _named(table: Mapping[str, Any], code: str) -> Service:
    """A code with its name; one that the network knows and our table does not stands alone."""
    return Service(code, table[code]["name"] if code in table else "")
