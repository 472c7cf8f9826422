"""The network's lookups (section 2.9). Everything else here speaks of names; only the wire has ids.

All ids are the simulator's own: none is one that public examples show, and the option ``shift_ids`` moves them all.
"""

from collections.abc import Iterator
from typing import Any

from .members import CUSTOMERS, DEPOTS

STATUSES = (
    "Booked", "Manifested", "Collected", "At Collecting Depot", "At Hub", "In Transit", "At Delivery Depot",
    "Out for Delivery", "Delivered", "Refused", "Failed Delivery", "Damaged", "Short", "Returned", "Cancelled",
)  # fmt: skip
# Before these a consignment can still be cancelled, and only the network itself gives them (sections 2.5 and 2.8).
BEFORE_COLLECTION = ("Booked", "Manifested", "Cancelled")

DOMESTIC = "Domestic"
COLLECTION_SERVICES = ("Standard Collection",)
LEVELS = ("Premium", "Economy", "Specific Day")
WINDOWS = ("", "AM", "Timed", "Book In")
DELIVERY_SERVICES = tuple(f"{level} {window}".rstrip() for level in LEVELS for window in WINDOWS)
PALLET_TYPES = ("Full", "Light", "Half", "Quarter", "Mini Quarter", "Megafull", "P7", "P8")
INTERNATIONAL_TYPES = ("Euro Full", "Euro Half")
PALLET_BASES = ("Standard", "Euro", "CHEP")
ATTACHMENT_TYPES = ("MPOD", "POD", "MPODPHOTOE", "Delivery Note")
COUNTRIES = {"United Kingdom": "GB", "Ireland": "IE", "France": "FR"}

# Lookup: (id of the first name, names).
_TABLES: dict[str, tuple[int, tuple[str, ...]]] = {
    "consignmentStatuses": (9001, STATUSES),
    "consignmentTypes": (5101, (DOMESTIC, "International")),
    "consignmentAttachmentTypes": (7101, ATTACHMENT_TYPES),
    "countries": (8826, tuple(COUNTRIES)),
    "currencyTypes": (8901, ("Pound Sterling", "Euro")),
    "services": (4001, COLLECTION_SERVICES + DELIVERY_SERVICES),
    "palletTypes": (6101, PALLET_TYPES + INTERNATIONAL_TYPES),
    "palletBases": (6201, PALLET_BASES),
    "depots": (3301, tuple(depot.name for depot in DEPOTS.values())),
}
LOOKUPS = (*_TABLES, "customers")


class Ids:
    """The ids of names, moved by ``shift``; a status name nobody knew before gets the next free id."""

    def __init__(self) -> None:
        self.shift = 0
        self._names = {lookup: list(names) for lookup, (_, names) in _TABLES.items()}

    def id_of(self, lookup: str, name: str) -> int:
        """The present id of a name the lookup has."""
        return _TABLES[lookup][0] + self._names[lookup].index(name) + self.shift

    def named(self, lookup: str, id_: Any) -> str | None:
        """The name behind a present id, or None."""
        place = id_ - _TABLES[lookup][0] - self.shift if type(id_) is int else -1
        return self._names[lookup][place] if 0 <= place < len(self._names[lookup]) else None

    def pair(self, lookup: str, name: str) -> dict[str, Any]:
        """``{id, name}`` as replies show it."""
        return {"id": self.id_of(lookup, name), "name": name}

    def add_status(self, name: str) -> None:
        """Make sure the list of statuses has ``name``."""
        if name not in self._names["consignmentStatuses"]:
            self._names["consignmentStatuses"].append(name)

    def rows(self, lookup: str, depot: str) -> Iterator[dict[str, Any]]:
        """All rows of a lookup as the user of ``depot`` sees them."""
        if lookup == "customers":
            for customer in CUSTOMERS.values():
                if customer.ours and customer.network in DEPOTS[depot].networks:
                    yield {"customerID": customer.customer_id, "name": customer.name, "network": customer.network}
            return
        codes = list(DEPOTS)
        for place, name in enumerate(self._names[lookup]):
            row = self.pair(lookup, name)
            match lookup:
                case "depots":
                    row["code"] = codes[place]
                case "palletTypes":
                    row["isInternational"] = name in INTERNATIONAL_TYPES
                case "countries":
                    row["isoCode"] = COUNTRIES[name]
            yield row
