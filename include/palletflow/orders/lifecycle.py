"""Where the goods are: one vocabulary for every network (design: lifecycle status), and how it moves."""

from enum import StrEnum


class Status(StrEnum):
    """Lifecycle status of a consignment; RANKS says how far along each one is."""

    CREATED = "CREATED"
    COLLECTED = "COLLECTED"
    AT_COLLECTION_DEPOT = "AT_COLLECTION_DEPOT"
    TRUNKED = "TRUNKED"
    AT_HUB = "AT_HUB"
    LEFT_HUB = "LEFT_HUB"
    AT_DELIVERY_DEPOT = "AT_DELIVERY_DEPOT"
    OUT_FOR_DELIVERY = "OUT_FOR_DELIVERY"
    ARRIVED = "ARRIVED"
    DELIVERED = "DELIVERED"
    CANCELLED = "CANCELLED"
    EXCEPTION = "EXCEPTION"
    UNKNOWN = "UNKNOWN"


class Reason(StrEnum):
    """Why a consignment is an EXCEPTION, or what was unclean about a delivery."""

    REFUSED = "REFUSED"
    NOT_DELIVERED = "NOT_DELIVERED"
    DAMAGED = "DAMAGED"
    SHORT = "SHORT"
    RETURNED = "RETURNED"
    HELD = "HELD"
    REJECTED = "REJECTED"
    OTHER = "OTHER"


class Outcome(StrEnum):
    """How a delivery ended, kept beside "completed"."""

    CLEAN = "CLEAN"
    DAMAGED = "DAMAGED"
    EXCEPTION = "EXCEPTION"
    NOT_DELIVERED = "NOT_DELIVERED"


# EXCEPTION and UNKNOWN have no rank: the one is left by any status, the other never counts as progress.
RANKS = {
    Status.CREATED: 10,
    Status.COLLECTED: 20,
    Status.AT_COLLECTION_DEPOT: 30,
    Status.TRUNKED: 35,
    Status.AT_HUB: 40,
    Status.LEFT_HUB: 45,
    Status.AT_DELIVERY_DEPOT: 50,
    Status.OUT_FOR_DELIVERY: 60,
    Status.ARRIVED: 70,
    Status.DELIVERED: 90,
    Status.CANCELLED: 95,
}


def moved(held: Status, heard: Status) -> Status:
    """The status after hearing one: up by rank, never down; after EXCEPTION a lower rank is accepted."""
    if heard is Status.UNKNOWN:
        return held
    if heard is Status.EXCEPTION:
        return held if held in (Status.DELIVERED, Status.CANCELLED) else heard
    if held in (Status.EXCEPTION, Status.UNKNOWN):
        return heard
    return heard if RANKS[heard] > RANKS[held] else held
