"""Start data: the member depots, their customers' accounts, the API keys and the logins of the file servers.

Depots, codes and names are invented; postcode areas are the real ones. Telephone numbers are drama numbers.
"""

import re
from typing import NamedTuple

HUB = "H1"
REST = "777"  # delivers every area that no other depot has


class Depot(NamedTuple):
    """A member depot. ``internal``: the id that the glossary's ``i_...syscardep`` fields hold instead of the number."""

    number: str
    name: str
    internal: str
    areas: tuple[str, ...]
    places: tuple[tuple[str, str], ...]  # (town, outward postcode)
    telephone: str  # drama numbers of the area, without the last three digits


class Account(NamedTuple):
    """A customer of a depot."""

    code: str
    name: str
    depot: str


class Key(NamedTuple):
    """Whose API key it is; ``account`` empty = a depot key."""

    user: str
    depot: str
    account: str = ""

    @property
    def is_customer(self) -> bool:
        return bool(self.account)


class Service(NamedTuple):
    """A service: ``Type``, ``Code`` (service group) and ``Surcharge`` (service code) of the wire."""

    type: str
    group: str
    code: str
    name: str


_DEPOTS = (
    ("123", "Leicester", "9123", "LE NG DE CV", "Leicester LE1; Coalville LE67; Nottingham NG7", "0116 496 0"),
    ("124", "Leeds", "9124", "LS BD WF HG HX", "Leeds LS9; Morley LS27; Otley LS21; Wakefield WF2", "0113 496 0"),
    ("456", "Manchester", "9456", "M OL SK BL WN WA", "Manchester M17; Stockport SK3; Wigan WN5", "0161 496 0"),
    ("457", "Bristol", "9457", "BS BA GL SN", "Bristol BS2; Avonmouth BS11; Bath BA2; Gloucester GL1", "0117 496 0"),
    (REST, "Croydon", "9777", "CR SE BR DA RH TN", "Croydon CR0; Bromley BR2; Dartford DA1; Crawley RH10", "01632 960"),
)  # fmt: skip


def _places(text: str) -> tuple[tuple[str, str], ...]:
    return tuple((town.strip(), outward) for town, _, outward in (entry.rpartition(" ") for entry in text.split(";")))


DEPOTS: dict[str, Depot] = {
    number: Depot(number, name, internal, tuple(areas.split()), _places(places), telephone)
    for number, name, internal, areas, places, telephone in _DEPOTS
}
OUR_DEPOTS = ("123", "124")

ACCOUNTS: dict[str, Account] = {
    account.code: account
    for account in (
        Account("ACM001", "Acme Widgets Ltd", "123"),
        Account("FOX002", "Foxglove Garden Supplies", "123"),
        Account("AIR003", "Aireside Joinery Ltd", "124"),
        Account("OTH900", "Trent Valley Castings", "456"),
    )
}
# Account of consignments that a depot requests when none is named.
ACCOUNT_OF = {"123": "ACM001", "124": "AIR003"}
OTHERS_ACCOUNT = "OTH900"

# Simulator values: they open nothing anywhere else. Their shape is that of real keys (section 1.1).
KEYS: dict[str, Key] = {
    "sim/123+depot=,$": Key("sim.123", "123"),
    "sim/124+depot=": Key("sim.124", "124"),
    "sim/cust+123=": Key("sim.customer.123", "123", "ACM001"),
}
UPLOAD_USERS: dict[str, str] = {"pw123": "123", "pw124": "124"}
UPLOAD_PASSWORD = "sim"  # noqa: S105

SERVICES: tuple[Service, ...] = (
    Service("Collection", "C", "STD", "Standard collection"),
    Service("Delivery", "D", "PRE", "Premium"),
    Service("Delivery", "D", "ECO", "Economy"),
    Service("Delivery", "D", "TIM", "Timed, pre-booked"),
    Service("Delivery", "D", "AMD", "AM"),
)
TIMED = "TIM"
BILL_UNITS = ("MQP", "QP", "SELP", "HP", "ELP", "LP", "FP")

_AREA = re.compile(r"\s*([A-Za-z]{1,2})\d")


def depot_for(postcode: str) -> str:
    """The number of the depot that serves ``postcode``."""
    match = _AREA.match(postcode)
    area = match[1].upper() if match else ""
    return next((number for number, depot in DEPOTS.items() if area in depot.areas), REST)
