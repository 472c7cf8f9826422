"""Start data: the member depots of both networks, who may log in, and the customers (sections 3, 4 and 11.1).

Depot codes, names and numbers are invented; postcode areas are the real ones. Where no depot of a network has an
area, ``REST`` delivers it.
"""

import re
from typing import NamedTuple

NETWORKS = ("PALLEX", "FORTEC")
REST = "PGD310"


class Depot(NamedTuple):
    """A member depot; its code's prefix says of which networks: PGD both, UKD Pall-Ex, FTD Fortec."""

    code: str
    name: str
    areas: tuple[str, ...]
    places: tuple[tuple[str, str], ...]  # (town, outward postcode)
    telephone: str  # drama numbers of the area, without the last three digits

    @property
    def networks(self) -> tuple[str, ...]:
        return {"UKD": NETWORKS[:1], "FTD": NETWORKS[1:]}.get(self.code[:3], NETWORKS)


class Customer(NamedTuple):
    """A customer account on one network; ``ours`` = of the member that runs our depots."""

    customer_id: int
    name: str
    network: str
    ours: bool


_DEPOTS = (
    ("PGD302", "Leicester", "LE NG DE CV", "Leicester LE1; Coalville LE67; Nottingham NG7; Rugby CV21", "0116 496 0"),
    ("UKD101", "Leeds", "LS BD WF HG HX", "Leeds LS9; Morley LS27; Otley LS21; Wakefield WF2", "0113 496 0"),
    ("FTD201", "Bristol", "BS BA GL SN", "Bristol BS2; Avonmouth BS11; Bath BA2; Gloucester GL1", "0117 496 0"),
    ("PGD310", "Birmingham", "B WS WV DY", "Birmingham B7; Walsall WS2; Wolverhampton WV1; Dudley DY2", "0121 496 0"),
    ("UKD115", "Manchester", "M OL SK BL WN WA", "Manchester M17; Stockport SK3; Wigan WN5; Widnes WA8", "0161 496 0"),
    ("UKD120", "Gateshead", "NE SR DH TS EH G", "Gateshead NE11; Sunderland SR5; Durham DH1; Leith EH6", "0191 498 0"),
    ("FTD205", "Motherwell", "ML G EH FK", "Motherwell ML1; Glasgow G33; Falkirk FK2; Livingston EH54", "0141 496 0"),
    ("FTD215", "Croydon", "CR SE BR DA RH TN", "Croydon CR0; Bromley BR2; Dartford DA1; Crawley RH10", "01632 960"),
)  # fmt: skip


def _places(text: str) -> tuple[tuple[str, str], ...]:
    return tuple((town.strip(), outward) for town, _, outward in (entry.rpartition(" ") for entry in text.split(";")))


DEPOTS: dict[str, Depot] = {
    code: Depot(code, name, tuple(areas.split()), _places(places), telephone)
    for code, name, areas, places, telephone in _DEPOTS
}

# One user a depot (section 11.1). Simulator values: they open nothing anywhere else.
USERS: dict[str, str] = {"sim_pgd302": "PGD302", "sim_ukd101": "UKD101", "sim_ftd201": "FTD201"}
PASSWORD = "sim"  # noqa: S105
OPTIMIZE_KEY = "sim-optimize"
OUR_DEPOTS: tuple[str, ...] = tuple(USERS.values())

CUSTOMERS: dict[int, Customer] = {
    customer.customer_id: customer
    for customer in (
        Customer(20001, "Acme Widgets Ltd", "PALLEX", True),
        Customer(20002, "Foxglove Garden Supplies", "PALLEX", True),
        Customer(30001, "Acme Widgets Ltd", "FORTEC", True),
        Customer(30002, "Wharfedale Dairy Equipment", "FORTEC", True),
        Customer(20901, "Trent Valley Castings", "PALLEX", False),
        Customer(30901, "Clyde Bathrooms", "FORTEC", False),
    )
}

_AREA = re.compile(r"\s*([A-Za-z]{1,2})\d")


def depot_for(postcode: str, network: str) -> str:
    """The code of the depot that serves ``postcode`` on ``network``."""
    match = _AREA.match(postcode)
    area = match[1].upper() if match else ""
    return next((code for code, depot in DEPOTS.items() if network in depot.networks and area in depot.areas), REST)


def depots_of(network: str) -> list[str]:
    """The codes of the network's members."""
    return [code for code, depot in DEPOTS.items() if network in depot.networks]
