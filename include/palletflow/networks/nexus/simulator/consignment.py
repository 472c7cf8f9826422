"""A consignment as the network holds it, with pallets, events and files. Names, never ids: ids are for the wire."""

import hashlib
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import Any

from .lookups import BEFORE_COLLECTION
from .times import day_of


@dataclass(slots=True)
class Pallet:
    """One pallet; centimetres and kilograms."""

    type: str
    base: str = "Standard"
    length: float = 120
    width: float = 120
    height: float = 220
    weight: float = 400
    do_not_stack: bool = False
    pallet_id: int = 0
    barcode: str = ""


@dataclass(slots=True)
class Address:
    """An address; ``country`` is a name of the lookup."""

    name: str
    line1: str
    line2: str
    town: str
    postcode: str
    contact: str = ""
    telephone: str = ""
    email: str = ""
    country: str = "United Kingdom"


@dataclass(slots=True)
class Event:
    """A status in the history. ``barcode`` None speaks of all pallets; ``source`` is ``network`` or a depot code."""

    event_id: int
    status: str
    at: datetime
    depot: str | None
    barcode: str | None
    signatory: str | None
    notes: str | None
    source: str
    status_id: int | None = None  # shown instead of the lookup's id


@dataclass
class File:
    """An attachment. It is there from ``at`` on; ``source`` as for events."""

    file_id: int
    type: str
    name: str
    content: bytes
    at: datetime
    source: str

    @cached_property
    def sha256(self) -> str:
        return hashlib.sha256(self.content).hexdigest()


@dataclass(slots=True)
class Consignment:
    """One consignment. Days are ``yyyy-MM-dd`` and times ``HH:mm`` in Europe/London."""

    network: str
    customer_id: int
    number: str
    reference: str | None
    originating: str
    collecting: str
    delivery: str
    created: datetime
    collection_due: str
    due: str | None
    pickup: Address
    receiver: Address
    pallets: list[Pallet]
    type: str = "Domestic"
    collection_service: str = "Standard Collection"
    delivery_service: str = "Premium"
    goods: str = ""
    limited: bool = False
    notes: str = ""
    start_window: str | None = None
    end_window: str | None = None
    estimated_day: str | None = None
    estimated_time: str | None = None
    consignment_id: int = 0
    events: list[Event] = field(default_factory=list)
    files: list[File] = field(default_factory=list)
    labels_fetched: int = 0
    calculated_at: datetime | None = None  # of the last ETA taken in
    payload: Any = None  # the create call's body
    overrides: dict[str, Any] = field(default_factory=dict)  # path: value served instead
    absent: list[str] = field(default_factory=list)  # paths not served
    # What follows from the events, kept by ``settle``.
    status: str = "Booked"
    status_event: Event | None = None
    manifest_day: str | None = None
    collection_day: str | None = None
    delivered_at: datetime | None = None
    row: bytes | None = None  # the list row's JSON text, until something changes

    @property
    def depots(self) -> set[str]:
        """Who sees it (section 2.3)."""
        return {self.originating, self.collecting, self.delivery}

    @property
    def collected(self) -> bool:
        """Whether any event says that goods have been fetched; no cancelling from then on (section 2.5)."""
        return any(event.status not in BEFORE_COLLECTION for event in self.events)

    def settle(self) -> None:
        """Work out status and days anew: the latest status that all pallets have counts, whatever came in last."""
        self.row = None
        barcodes = {pallet.barcode for pallet in self.pallets}
        having: dict[str, set[str]] = {}
        complete: dict[str, tuple[datetime, int, Event]] = {}
        for place, event in enumerate(self.events):
            scanned = having.setdefault(event.status, set())
            scanned |= barcodes if event.barcode is None else {event.barcode}
            if scanned >= barcodes:
                complete[event.status] = max(complete.get(event.status, (event.at, 0, event)), (event.at, place, event))
        if complete:
            # Whatever else is known goes before the booking, even when it is told of an earlier time.
            _, _, self.status_event = max(
                complete.values(), key=lambda entry: (entry[2].status != "Booked", *entry[:2])
            )
            self.status = self.status_event.status
        days = {name: day_of(entry[0]) for name, entry in complete.items()}
        self.manifest_day, self.collection_day = days.get("Manifested"), days.get("Collected")
        self.delivered_at = complete["Delivered"][0] if "Delivered" in complete else None

    def day(self, kind: str) -> str | None:
        """The day that a window of section 2.2 speaks of."""
        match kind:
            case "created":
                return day_of(self.created)
            case "manifest":
                return self.manifest_day
            case "estimatedcollection":
                return self.collection_due
            case "estimateddelivery":
                return self.estimated_day or self.due
            case "collection":
                return self.collection_day
            case _:
                return day_of(self.delivered_at) if self.delivered_at else None
