"""How far a consignment is, from everything that happened to its pallets: our own reports and a network's statuses.

A consignment is as far as its last pallet. The answer depends on what happened and when, not on when we heard of it.
"""

from collections.abc import Collection, Iterable, Mapping
from datetime import datetime
from typing import NamedTuple

from palletflow.orders.lifecycle import RANKS, Outcome, Reason, Status, moved

ENDED = (Status.DELIVERED, Status.EXCEPTION)
# Worst first: what a consignment shows of pallets that ended differently.
SEVERITY = (
    Reason.NOT_DELIVERED, Reason.REFUSED, Reason.RETURNED, Reason.DAMAGED, Reason.SHORT, Reason.HELD, Reason.REJECTED,
    Reason.OTHER,
)  # fmt: skip

# What our own people report, by event and stop or scan. A finished delivery stop says it by its outcome.
REPORTED: Mapping[tuple[str, str], Status] = {
    ("completed", "pickup"): Status.COLLECTED,
    ("arrived", "collection_depot"): Status.AT_COLLECTION_DEPOT,
    ("completed", "collection_depot"): Status.TRUNKED,
    ("arrived", "delivery_depot"): Status.AT_DELIVERY_DEPOT,
    ("completed", "delivery_depot"): Status.OUT_FOR_DELIVERY,
    ("arrived", "delivery"): Status.ARRIVED,
    ("scanned", "onto_trunk"): Status.TRUNKED,
    ("scanned", "receipt"): Status.AT_DELIVERY_DEPOT,
    ("scanned", "trunk_arrival"): Status.AT_DELIVERY_DEPOT,
    ("scanned", "onto_delivery_vehicle"): Status.OUT_FOR_DELIVERY,
}
ENDINGS: Mapping[Outcome, tuple[Status, Reason | None]] = {
    Outcome.CLEAN: (Status.DELIVERED, None),
    Outcome.DAMAGED: (Status.DELIVERED, Reason.DAMAGED),
    Outcome.EXCEPTION: (Status.DELIVERED, Reason.OTHER),
    Outcome.NOT_DELIVERED: (Status.EXCEPTION, Reason.NOT_DELIVERED),
}


class Happening(NamedTuple):
    """One thing that happened to a pallet, or with `pallet` None to all of them."""

    at: datetime
    status: Status
    reason: Reason | None
    pallet: int | None


def reported(event: str, place: str, outcome: str | None) -> tuple[Status, Reason | None]:
    """What a report of our own people says of the goods; UNKNOWN when it says nothing new of them."""
    if outcome:
        return ENDINGS[Outcome(outcome)]
    return REPORTED.get((event, place), Status.UNKNOWN), None


def whereabouts(pallets: Collection[int], happenings: Iterable[Happening]) -> tuple[Status, Reason | None]:
    """Lifecycle status of a consignment and what was unclean.

    While any pallet is under way the consignment is as far as the one that is least far. Once all have ended it is
    DELIVERED, or EXCEPTION when one of them is not.
    """
    held: dict[int, tuple[Status, Reason | None]] = dict.fromkeys(pallets, (Status.CREATED, None))
    for happening in sorted(happenings, key=_order):
        for pallet in pallets if happening.pallet is None else {happening.pallet} & held.keys():
            status = moved(held[pallet][0], happening.status)
            ends = happening.status in ENDED
            held[pallet] = status, happening.reason if ends else (held[pallet][1] if status in ENDED else None)
    under_way = [status for status, _ in held.values() if status not in ENDED]
    if under_way or not held:
        return min(under_way, key=RANKS.__getitem__, default=Status.CREATED), None
    excepted = [reason for status, reason in held.values() if status is Status.EXCEPTION]
    reasons = [reason for reason in excepted or (reason for _, reason in held.values()) if reason]
    worst = min(reasons, key=SEVERITY.index, default=None)
    return (Status.EXCEPTION, worst or Reason.OTHER) if excepted else (Status.DELIVERED, worst)


def _order(happening: Happening) -> tuple[datetime, int, int]:
    """By time; of the same moment by how far it is, the worst ending last."""
    severity = -SEVERITY.index(happening.reason) if happening.reason else -len(SEVERITY)
    return happening.at, RANKS.get(happening.status, RANKS[Status.DELIVERED]), severity
