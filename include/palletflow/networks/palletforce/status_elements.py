"""What we tell Palletforce of our own people's reports (contract 2.6 and PF-5-21 to PF-5-25). Pure.

A pallet on which several things happened is told of each of them, in the order they happened.
"""

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any, NamedTuple

from palletflow.networks.palletforce.statuses import Rules
from palletflow.orders.consignment import Role
from palletflow.store.status_exports import DeliveryOrder, ExportFacts, Movement


class Owed(NamedTuple):
    """One status of one pallet that the network should know. `role` is the part of ours that tells it."""

    pallet: int
    code: str
    at: datetime
    role: str
    movement: Movement


class Elements(NamedTuple):
    """What can go now, as columns of the order store; what is missing for the rest; what waits for a barcode."""

    ready: list[dict[str, Any]]
    missing: list[str]
    waiting: int


def owed(facts: ExportFacts, rules: Rules) -> list[Owed]:
    """Everything that our reports oblige us to tell, told already or not, in order [PF-5-21, PF-5-22, PF-5-23]."""
    found = [one for pallet in facts.barcodes for one in _of_pallet(pallet, facts, rules)]
    return sorted(found, key=lambda one: (one.at, rules.codes[one.code].rank, one.pallet))


def _of_pallet(pallet: int, facts: ExportFacts, rules: Rules) -> Iterator[Owed]:
    """The statuses of one pallet, attempt by attempt."""
    table = rules.section["export_codes"]
    derived = rules.section["derived"] if rules.derives_loading else {}
    reports = [
        (movement, role, code)
        for movement in facts.movements
        if movement.pallet in (None, pallet)
        for role in (Role.COLLECTING, Role.DELIVERY)
        if role in facts.roles and (code := table.get(role, {}).get(_key(movement))) in rules.codes
    ]
    of_this_attempt: set[str] = set()
    for movement, role, code in sorted(reports, key=lambda report: (report[0].at, rules.codes[report[2]].rank)):
        first = derived.get(code)
        if first and first not in of_this_attempt:
            of_this_attempt.add(first)
            yield Owed(pallet, first, movement.at, role, movement)
        yield Owed(pallet, code, movement.at, role, movement)
        of_this_attempt.add(code)
        if code in rules.section["reopened"]["after"]:
            of_this_attempt.clear()


def _key(movement: Movement) -> str:
    """What the template's export_codes call a report: a scan, an outcome, or a stop and what happened there."""
    if movement.event == "scanned":
        return movement.place
    return movement.outcome or f"{movement.place}_{movement.event}"


def elements(facts: ExportFacts, order: DeliveryOrder | None, rules: Rules) -> Elements:
    """What the network has not taken yet, complete elements apart from those that miss something mandatory.

    `order`: where the delivery stands on its route, None while it is on none.
    """
    ready: list[dict[str, Any]] = []
    missing: list[str] = []
    waiting = 0
    unsent = [
        one for one in owed(facts, rules) if not {(one.pallet, one.code, one.at), (None, one.code, one.at)} & facts.told
    ]
    of_all = _of_all_pallets(unsent, facts)
    for one in unsent:
        lacks = list(_lacks(one, order, rules))
        if lacks:
            missing += [f"{one.code} needs {what}" for what in lacks]
        elif facts.barcodes[one.pallet]:
            ready.append(_element(one, one.pallet, facts, order, rules))
        elif (one.code, one.at) not in of_all:
            waiting += 1  # without a barcode it would speak of all pallets
        elif one.pallet == min(facts.barcodes):
            ready.append(_element(one, None, facts, order, rules))
    return Elements(ready, list(dict.fromkeys(missing)), waiting)


def _of_all_pallets(unsent: Iterable[Owed], facts: ExportFacts) -> set[tuple[str, datetime]]:
    """Codes and times that all pallets share while none has a barcode."""
    pallets: dict[tuple[str, datetime], set[int]] = {}
    for one in unsent:
        pallets.setdefault((one.code, one.at), set()).add(one.pallet)
    if any(facts.barcodes.values()):
        return set()
    return {key for key, of in pallets.items() if of == facts.barcodes.keys()}


def _lacks(one: Owed, order: DeliveryOrder | None, rules: Rules) -> Iterator[str]:
    needs = rules.codes[one.code].needs
    if "delivery_order" in needs and order is None:
        yield "the delivery order: put the delivery stop on a route"
    if "signatory" in needs and not one.movement.signatory:
        yield "a signatory: report the delivery again with who signed"
    if "note" in needs and not one.movement.reason:
        yield "a note: report the delivery again with the reason"


def _element(
    one: Owed, pallet: int | None, facts: ExportFacts, order: DeliveryOrder | None, rules: Rules
) -> dict[str, Any]:
    code, movement = rules.codes[one.code], one.movement
    number, total = None, None
    if order and "delivery_order" in code.needs:
        counts_stops = rules.section["delivery_count"] == "stops"
        number, total = (order.stop, order.stops) if counts_stops else (order.consignment, order.consignments)
    return {
        "pallet": pallet,
        "barcode": facts.barcodes[pallet] if pallet else "",
        "code": one.code,
        "status": code.status.value,
        "reason": code.reason.value if code.reason else None,
        "at": one.at,
        "depot": facts.collecting_depot if one.role == Role.COLLECTING else facts.delivery_depot,
        "signatory": movement.signatory if "signatory" in code.needs else "",
        "note": movement.reason[: int(rules.section["note_most"])] if "note" in code.needs else "",
        "latitude": movement.latitude,
        "longitude": movement.longitude,
        "delivery_order": number,
        "total_deliveries": total,
        "movement_id": movement.id,
    }


def wire_element(element: Mapping[str, Any], tracking_number: str, rules: Rules) -> dict[str, str]:
    """An element with the names of the contract; every scalar a text [PF-2.6-2 to PF-2.6-6]."""
    return {
        "trackingNumber": tracking_number,
        "barcode": element["barcode"],
        "eventCode": element["code"],
        "eventDateTime": rules.local_time.write(element["at"]),
        "depot": element["depot"],
        "deliveryOrder": str(element["delivery_order"] or ""),
        "totalDeliveries": str(element["total_deliveries"] or ""),
        "signatory": element["signatory"],
        "note": element["note"],
        "latitude": element["latitude"],
        "longitude": element["longitude"],
    }
