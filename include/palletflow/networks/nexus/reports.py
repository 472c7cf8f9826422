"""What our own people's reports oblige us to tell Nexus (contract 8.3). Pure: the names are data in the template.

A status goes out once for a consignment and a stop. When a delivery failed and is tried again, that is another stop.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from palletflow.networks.nexus.statuses import Rules, same_name
from palletflow.orders.consignment import Role
from palletflow.orders.lifecycle import RANKS, Outcome, Reason, Status
from palletflow.orders.tracking import Event
from palletflow.store.status_exports import ExportFacts, Kept, Movement

# What a report says, by our role, the event and its stop or scan. How a delivery ended, its outcome says.
REPORTED: Mapping[str, Mapping[tuple[str, str], Status]] = {
    Role.COLLECTING: {
        ("completed", "pickup"): Status.COLLECTED,
        ("arrived", "collection_depot"): Status.AT_COLLECTION_DEPOT,
        ("completed", "collection_depot"): Status.AT_COLLECTION_DEPOT,
    },
    Role.DELIVERY: {
        ("arrived", "delivery_depot"): Status.AT_DELIVERY_DEPOT,
        ("scanned", "receipt"): Status.AT_DELIVERY_DEPOT,
        ("scanned", "trunk_arrival"): Status.AT_DELIVERY_DEPOT,
        ("completed", "delivery_depot"): Status.OUT_FOR_DELIVERY,
        ("scanned", "onto_delivery_vehicle"): Status.OUT_FOR_DELIVERY,
        ("completed", "delivery"): Status.DELIVERED,
    },
}
# What was dropped is not sent any more, whatever happens.
DROPPED = "not sent any more: "


class Owed(NamedTuple):
    """A status that Nexus should have from us. `name` is Nexus's, `key` that of the template's `status_export`.

    `kept`: its row in the order store, None when there is none yet.
    """

    status: Status
    reason: Reason | None
    key: str
    name: str
    at: datetime
    movement: Movement
    kept: Kept | None


def telling_role(roles: Collection[str]) -> Role | None:
    """The role in which we tell Nexus anything: none where both legs are ours, or neither is [NX-8-12]."""
    legs = [role for role in (Role.COLLECTING, Role.DELIVERY) if role in roles]
    return legs[0] if len(legs) == 1 else None


class Attempts:
    """Which attempt at the delivery a moment belongs to: one that failed ends it, and what comes after is the next."""

    def __init__(self, movements: Iterable[Movement]) -> None:
        self._failures = [movement.at for movement in movements if movement.outcome == Outcome.NOT_DELIVERED]

    def of(self, at: datetime) -> int:
        """Counted from 0."""
        return sum(failure < at for failure in self._failures)


def owed(facts: ExportFacts, role: Role, kept: Sequence[Kept], rules: Rules, names: Mapping[str, str]) -> list[Owed]:
    """Everything that our reports oblige us to tell and Nexus has not taken, in the order it happened [NX-8-26].

    `names`: the template's `status_export`; an empty one is never sent [NX-8-18].
    """
    attempts = Attempts(facts.movements)
    found = []
    for (status, attempt), movement in _reports(facts, role, attempts).items():
        reason = _reason(movement, rules, names) if status is Status.EXCEPTION else None
        key = reason or status
        held = [one for one in kept if one.status == status and attempts.of(one.at) == attempt]
        if not names[key] or any(one.is_sent or one.refusal.startswith(DROPPED) for one in held):
            continue
        row = next((one for one in held if one.code == names[key]), None)
        # One that may have gone keeps its time: it must be known again.
        at = held[0].at if held else movement.at
        found.append(Owed(status, reason, key, names[key], at, movement, row))
    return sorted(found, key=lambda one: (one.at, RANKS.get(one.status, RANKS[Status.DELIVERED])))


def _reports(facts: ExportFacts, role: Role, attempts: Attempts) -> dict[tuple[Status, int], Movement]:
    """The report by which each status of each attempt came true for the whole consignment: the first one of a stop,
    or the scan of the last pallet."""
    whole: dict[tuple[Status, int], Movement] = {}
    scans: dict[tuple[Status, int], dict[int, Movement]] = {}
    for movement in sorted(facts.movements, key=lambda one: (one.at, one.id)):
        status = REPORTED[role].get((movement.event, movement.place))
        if status is None:
            continue
        if movement.outcome == Outcome.NOT_DELIVERED:
            status = Status.EXCEPTION
        key = status, attempts.of(movement.at)
        if movement.pallet is not None:
            pallets = scans.setdefault(key, {})
            pallets.setdefault(movement.pallet, movement)
            if not pallets.keys() >= facts.barcodes.keys():
                continue
        whole.setdefault(key, movement)
    return whole


def _reason(movement: Movement, rules: Rules, names: Mapping[str, str]) -> Reason:
    """Why a delivery failed: what the driver's words mean, as far as there is a name for it to tell."""
    meaning = rules.meaning(movement.reason)
    if meaning.status is Status.EXCEPTION and meaning.reason and names.get(meaning.reason):
        return meaning.reason
    return Reason.NOT_DELIVERED


def element(one: Owed, depot: str, note_most: int) -> dict[str, Any]:
    """A status as columns of the order store; it speaks of all pallets."""
    ends = one.status in (Status.DELIVERED, Status.EXCEPTION)
    return {
        "pallet": None,
        "barcode": "",
        "code": one.name,
        "status": one.status.value,
        "reason": one.reason.value if one.reason else None,
        "at": one.at,
        "depot": depot,
        "signatory": one.movement.signatory if ends else "",
        "note": one.movement.reason[:note_most] if ends else "",
        "latitude": "",
        "longitude": "",
        "delivery_order": None,
        "total_deliveries": None,
        "movement_id": one.movement.id,
    }


def body(kept: Mapping[str, Any], status_id: int, rules: Rules, names: Mapping[str, str]) -> dict[str, Any]:
    """What goes to Nexus (contract 2.8). `kept`: an element; `names`: the template's `status_post`."""
    return {
        names["status_id"]: status_id,
        names["at"]: rules.formats.write_moment(kept["at"]),
        names["depot"]: kept["depot"],
        names["signatory"]: kept["signatory"] or None,
        names["note"]: kept["note"] or None,
    }


def in_history(one: Owed, events: Iterable[Event], pallets: int, attempts: Attempts) -> bool:
    """Whether Nexus's history has a status, of all pallets, in the attempt it belongs to [NX-8-27]."""
    attempt = attempts.of(one.at)
    barcodes = {
        event.barcode for event in events if same_name(event.code, one.name) and attempts.of(event.at) == attempt
    }
    return "" in barcodes or len(barcodes) >= pallets


def in_status(one: Owed, shown: Event | None) -> bool:
    """Whether the consignment's own status says that Nexus has a status, where there is no history [NX-8-28].

    Of one that may have gone, everything beyond it says so too: what was there in between nobody can see.
    """
    if shown is None:
        return False
    may_have_gone = one.kept is not None and not one.kept.refusal
    is_beyond = one.status in RANKS and shown.status in RANKS and RANKS[shown.status] >= RANKS[one.status]
    return same_name(shown.code, one.name) or (may_have_gone and is_beyond)
