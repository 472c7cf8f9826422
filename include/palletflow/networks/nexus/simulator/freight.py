"""Draws one believable consignment of UK palletised freight (sections 2.3 and 5).

Everything comes from the generator passed in. Names, streets and references are made up; telephone numbers are drama
numbers.
"""

import random
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Literal

from palletflow.simulation.clock import LONDON, add_working_days

from .consignment import Address, Consignment, Pallet
from .lookups import DELIVERY_SERVICES
from .members import CUSTOMERS, DEPOTS, OUR_DEPOTS, depots_of

Role = Literal["requesting", "collecting", "delivery", "none"]
ROLES: tuple[Role, ...] = ("requesting", "collecting", "delivery", "none")
_ROLE_SHARES = (45, 10, 45, 0)
LEAD_DAYS = {"Premium": 1, "Economy": 2, "Specific Day": 3}
_SERVICE_SHARES = (50, 8, 4, 4, 20, 2, 1, 2, 5, 1, 1, 2)
_MIXES = (
    ("Full",),
    ("Full", "Full"),
    ("Half",),
    ("Quarter",),
    ("Light",),
    ("Full", "Half"),
    ("Mini Quarter",),
    ("Megafull",),
)
_MIX_SHARES = (40, 15, 14, 10, 8, 6, 4, 3)
_KILOGRAMS = {"Half": (110, 480), "Quarter": (50, 240), "Mini Quarter": (30, 140), "Light": (80, 430)}
_HEIGHTS = {"Half": 110, "Quarter": 70, "Mini Quarter": 50}
_STEMS = (
    "Alder",
    "Bluebell",
    "Cotswold",
    "Dalesman",
    "Everley",
    "Fairway",
    "Harrier",
    "Kestrel",
    "Pennine",
    "Ridgeway",
)
_TRADES = ("Builders Merchants", "Catering Supplies", "Flooring", "Garden Centre", "Print", "Timber", "Tiles")
_STREETS = ("Canal Street", "Forge Lane", "Mill Road", "Station Road", "Wharf Street", "York Way")
_GOODS = ("Parts", "Paving slabs", "Boxed tiles", "Printed matter", "Flat-pack furniture", "Compost", "Paint")
_CONTACTS = ("Goods In", "Warehouse", "Despatch", "Site Office", "Trade Counter")
_NOTES = ("", "", "", "Call 30 minutes before", "Forklift on site", "Use rear gate", "No artics")


def consignment(
    rng: random.Random,
    *,
    depot: str,
    created: datetime,
    number: str,
    role: Role | None = None,
    network: str | None = None,
    pallets: list[Pallet] | None = None,
    given: Mapping[str, Any] | None = None,
) -> Consignment:
    """Return a consignment that ``depot`` has ``role`` on, created then; what is not given is drawn.

    ``given`` replaces fields of the consignment last. Raises ValueError when the depot is no member of the network.
    """
    member = DEPOTS[depot]
    network = network or rng.choice(member.networks)
    if network not in member.networks:
        raise ValueError(f"{depot} is not a member of {network}")
    role = role or rng.choices(ROLES, _ROLE_SHARES)[0]
    # Not between two depots of ours unless that is asked for: other rules hold then (section 8.1).
    others = [code for code in depots_of(network) if code not in OUR_DEPOTS]
    collector, receiver = rng.sample(others, 2)
    originating, collecting, delivery = {
        "requesting": (depot, depot, receiver),
        "collecting": (collector, depot, receiver),
        "delivery": (collector, collector, depot),
        "none": (collector, collector, receiver),
    }[role]
    ours = role == "requesting"
    customer = rng.choice([one for one in CUSTOMERS.values() if one.network == network and one.ours == ours])
    service = rng.choices(DELIVERY_SERVICES, _SERVICE_SHARES)[0]
    local = created.astimezone(LONDON)
    # Booked by noon for the same day, later for the day after the next (section 5.4).
    collection = add_working_days(local.date(), 0 if local.hour < 12 and local.weekday() < 5 else 2)
    lead = next(days for level, days in LEAD_DAYS.items() if service.startswith(level))
    pickup = _address(rng, collecting)
    if ours:
        pickup.name = customer.name
    timed = service.endswith("Timed")
    start, end = ("10:00", "12:00") if timed else (None, "12:00") if service.endswith("AM") else (None, None)
    fields: dict[str, Any] = {
        "network": network,
        "customer_id": customer.customer_id,
        "number": number,
        "reference": f"{rng.choice(('SO-', 'PO ', 'INV', 'DEL-'))}{rng.randint(10000, 999999)}",
        "originating": originating,
        "collecting": collecting,
        "delivery": delivery,
        "created": created,
        "collection_due": collection.isoformat(),
        "due": add_working_days(collection, lead).isoformat(),
        "pickup": pickup,
        "receiver": _address(rng, delivery),
        "pallets": pallets or _pallets(rng),
        "delivery_service": service,
        "goods": rng.choice(_GOODS),
        "notes": rng.choice(_NOTES),
        "start_window": start,
        "end_window": end,
    }
    return Consignment(**{**fields, **(given or {})})


def _pallets(rng: random.Random) -> list[Pallet]:
    return [
        Pallet(
            kind,
            rng.choices(("Standard", "Euro", "CHEP"), (85, 10, 5))[0],
            height=_HEIGHTS.get(kind, 220),
            weight=rng.randint(*_KILOGRAMS.get(kind, (220, 1000))),
            do_not_stack=rng.random() < 0.1,
        )
        for kind in rng.choices(_MIXES, _MIX_SHARES)[0]
    ]


def _address(rng: random.Random, depot: str) -> Address:
    member = DEPOTS[depot]
    town, outward = rng.choice(member.places)
    return Address(
        name=f"{rng.choice(_STEMS)} {rng.choice(_TRADES)}",
        line1=f"{rng.randint(1, 180)} {rng.choice(_STREETS)}",
        line2="",
        town=town,
        postcode=f"{outward} {rng.randint(1, 9)}{rng.choice('ABDEFGHJLN')}{rng.choice('PQRSTUWXYZ')}",
        contact=rng.choice(_CONTACTS),
        telephone=f"{member.telephone}{rng.randint(100, 999)}",
        email="goodsin@example.com",
    )
