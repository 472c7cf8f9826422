"""What the customer view says of a consignment: plain words for statuses, reasons and kinds of documents."""

from datetime import date, datetime
from typing import NamedTuple

from palletflow.desk.pages.render import LONDON
from palletflow.orders.lifecycle import RANKS, Reason, Status
from palletflow.store.customer_links import Facts

STATUSES = {
    Status.CREATED: "Booked, and not collected yet",
    Status.COLLECTED: "Collected",
    Status.AT_COLLECTION_DEPOT: "At the depot that collected it",
    Status.TRUNKED: "On its way to the hub",
    Status.AT_HUB: "At the hub",
    Status.LEFT_HUB: "On its way from the hub to the depot that delivers it",
    Status.AT_DELIVERY_DEPOT: "At the depot that delivers it",
    Status.OUT_FOR_DELIVERY: "Out for delivery",
    Status.ARRIVED: "Arrived at the delivery address",
    Status.DELIVERED: "Delivered",
    Status.CANCELLED: "Cancelled",
    Status.EXCEPTION: "Held up",
    Status.UNKNOWN: "No news yet",
}
REASONS = {
    Reason.REFUSED: "The delivery was refused.",
    Reason.NOT_DELIVERED: "A delivery was tried and could not be made.",
    Reason.DAMAGED: "Damage was reported.",
    Reason.SHORT: "Something was reported missing.",
    Reason.RETURNED: "The goods are on their way back.",
    Reason.HELD: "The goods are being held.",
}
DAY = "%a %-d %B %Y"
UNCLEAR = "Please ask whoever gave you this link."
DOCUMENTS = {
    "POD": "Proof of delivery",
    "SIGNATURE": "Signature",
    "PHOTO": "Photo",
    "PAPERWORK": "Paperwork",
    "LABEL": "Label",
    "NETWORK_LABEL": "Label",
    "OTHER": "Document",
}
# The way of every consignment, in steps that mean something to whoever waits for it.
STEPS = (
    ("Booked", Status.CREATED),
    ("Collected", Status.COLLECTED),
    ("On its way", Status.TRUNKED),
    ("At the delivery depot", Status.AT_DELIVERY_DEPOT),
    ("Out for delivery", Status.OUT_FOR_DELIVERY),
    ("Delivered", Status.DELIVERED),
)


class Said(NamedTuple):
    """Where it is; `more` says what is the matter; `tone` is "good", "bad" or ""."""

    words: str
    more: str
    tone: str


class Step(NamedTuple):
    """One step of the way: whether it was reached, and whether it is the last that was."""

    words: str
    reached: bool
    current: bool


class Milestone(NamedTuple):
    """A stop, and when it was made or is expected."""

    words: str
    when: str


def status(facts: Facts) -> Said:
    """Where the goods are."""
    found = Status.CANCELLED if facts.cancelled else Status(facts.status)
    if found is Status.CANCELLED:
        return Said(STATUSES[found], "", "bad")
    unclean = found is Status.EXCEPTION or facts.reason is not None
    more = REASONS.get(Reason(facts.reason), UNCLEAR) if facts.reason else UNCLEAR if unclean else ""
    return Said(STATUSES[found], more, "bad" if unclean else "good" if found is Status.DELIVERED else "")


def steps(facts: Facts) -> list[Step]:
    """The way so far; empty for what is cancelled, held up or not known."""
    rank = 0 if facts.cancelled else RANKS.get(Status(facts.status), 0)
    if not rank or facts.status == Status.CANCELLED:
        return []
    reached = [rank >= RANKS[at] for _, at in STEPS]
    return [
        Step(words, reached[place], reached[place] and not any(reached[place + 1 :]))
        for place, (words, _) in enumerate(STEPS)
    ]


def milestones(facts: Facts) -> list[Milestone]:
    """Collection and delivery; none for what is cancelled."""
    found = Status(facts.status)
    if facts.cancelled or found is Status.CANCELLED:
        return []
    collected, delivered = RANKS.get(found, 0) >= RANKS[Status.COLLECTED], found is Status.DELIVERED
    if facts.collected_at:
        collection = _moment(facts.collected_at)
    else:
        collection = "Done" if collected else _planned(facts.collection_date)
    if delivered:
        delivery = _moment(facts.delivered_at) if facts.delivered_at else "Done"
    elif found is Status.EXCEPTION:
        delivery = "Not settled yet"
    elif facts.eta_from:
        delivery = f"Expected {_window(facts.eta_from, facts.eta_to or facts.eta_from)}"
    else:
        delivery = _planned(facts.delivery_date)
    return [Milestone("Collection", collection), Milestone("Delivery", delivery)]


def _planned(day: date | None) -> str:
    return f"Planned for {day:{DAY}}" if day else "No day known yet"


def _moment(moment: datetime) -> str:
    return f"{moment.astimezone(LONDON):{DAY}, %H:%M}"


def _window(start: datetime, end: datetime) -> str:
    first, last = start.astimezone(LONDON), end.astimezone(LONDON)
    if first == last:
        return f"about {_moment(first)}"
    return f"{_moment(first)} to {f'{last:%H:%M}' if first.date() == last.date() else _moment(last)}"
