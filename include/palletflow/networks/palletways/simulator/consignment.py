"""What the network holds of a consignment (sections 2.3 to 2.8 and 4.1)."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple

from .pictures import photo

# Section 4.1.
STATUS_NAMES: dict[int, str] = {
    15: "REJECTED",
    25: "TO REQUEST",
    30: "AWAITING ACCEPT",
    50: "REQUESTED",
    100: "NOT BARCODED",
    300: "IN COLLECTION DEPOT",
    350: "TRUNKED TO HUB",
    500: "AT THE HUB",
    525: "AT INTERNATIONAL HUB",
    530: "DEPART INTERNATIONAL HUB",
    550: "DEPARTED HUB",
    675: "STOCK HELD",
    700: "AT DELIVERY DEPOT",
    800: "OUT FOR DELIVERY",
    900: "JOB COMPLETE",
}
DELIVERED = 900


@dataclass
class Address:
    """``type``: Collection or Delivery; ``country``: ISO-2."""

    type: str
    company: str
    contact: str
    telephone: str
    lines: list[str]
    town: str
    postcode: str
    county: str = ""
    country: str = "GB"


class Status(NamedTuple):
    """A status code and the instant it was reached."""

    code: int
    at: datetime


@dataclass
class Note:
    """A note (section 2.6). ``delta``: when it was entered or last changed; ``fields``: the others of the wire."""

    sys_note: int
    delta: datetime
    fields: dict[str, str]


class Page(NamedTuple):
    """A POD image, to be seen from ``at`` on: JPEG, PNG or one-page PDF, or the sample photo of that label.

    ``source``: network or upload.
    """

    at: datetime
    data: bytes = b""
    label: str = ""
    source: str = "network"

    @property
    def image(self) -> bytes:
        return self.data or photo(self.label)


@dataclass
class Consignment:
    """``depot`` requests and pays; ``number`` is the bare consignment number of whoever entered it.

    ``tracking_id`` is empty until the depot has accepted it, which needs ``released``. ``services``: (type, group,
    code); ``bill_units``: (type, amount); ``response_id`` 0 = never submitted; ``overrides``: what getConsignment shows
    instead, by name of the node in ``Consignment``; ``payload``: the submission it came from.
    """

    number: str
    depot: str
    account: str
    created: datetime
    collection_depot: str
    delivery_depot: str
    addresses: list[Address]
    services: list[tuple[str, str, str]]
    bill_units: list[tuple[str, int]]
    due_date: str
    type: str = "D"
    reference: str = ""
    import_id: str = ""
    classification: str = "B2B"
    lifts: int = 1
    weight: float = 100.0
    handball: bool = False
    tail_lift: bool = False
    manifest_note: str = ""
    due_time: str = "17:00"
    delivery_time: str = ""
    collection_date: str = ""
    collection_reference: str = ""
    book_in: bool = False
    book_in_contact: str = ""
    book_in_reference: str = ""
    released: bool = True
    deleted: bool = False
    response_id: int = 0
    tracking_id: str = ""
    barcodes: list[str] = field(default_factory=list)
    statuses: list[Status] = field(default_factory=list)
    notes: list[Note] = field(default_factory=list)
    pages: list[Page] = field(default_factory=list)
    overrides: dict[str, Any] = field(default_factory=dict)
    payload: str = ""

    @property
    def depots(self) -> tuple[str, str, str]:
        """Requesting, collecting, delivering."""
        return self.depot, self.collection_depot, self.delivery_depot

    @property
    def decorated(self) -> str:
        """The consignment number as most answers give it (section 3)."""
        return f"{self.number}-{self.depot}"

    @property
    def status(self) -> Status:
        """The one reached last."""
        return self.statuses[-1]

    @property
    def completed_at(self) -> datetime | None:
        """When it was first reported delivered."""
        return next((status.at for status in self.statuses if status.code == DELIVERED), None)
