"""Draws one believable consignment of UK palletised freight (section 2.3).

Everything comes from the generator passed in. Names, streets and references are made up; telephone numbers are drama
numbers.
"""

import random
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Literal

from palletflow.simulation.clock import LONDON, add_working_days

from .consignment import Address, Consignment
from .members import ACCOUNTS, DEPOTS, OTHERS_ACCOUNT, OUR_DEPOTS, SERVICES, TIMED

Role = Literal["requesting", "collecting", "delivering", "none"]
ROLES: tuple[Role, ...] = ("requesting", "collecting", "delivering", "none")
_ROLE_SHARES = (40, 10, 50, 0)
LEAD_DAYS = {"PRE": 1, "ECO": 2, "TIM": 1, "AMD": 1}
_SERVICE_SHARES = (55, 30, 5, 10)
_DELIVERY_SERVICES = tuple(service for service in SERVICES if service.type == "Delivery")
_COLLECTION = next((s.type, s.group, s.code) for s in SERVICES if s.type == "Collection")
_MIXES: tuple[tuple[tuple[str, int], ...], ...] = (
    (("FP", 1),), (("FP", 2),), (("HP", 1),), (("QP", 1),), (("FP", 1), ("HP", 1)), (("MQP", 1),), (("LP", 1),),
)  # fmt: skip
_MIX_SHARES = (40, 18, 16, 12, 6, 5, 3)
_KILOGRAMS = {"FP": (220, 1000), "LP": (180, 700), "HP": (110, 480), "QP": (50, 240), "MQP": (30, 140)}
_STEMS = ("Alder", "Bluebell", "Cotswold", "Dalesman", "Everley", "Fairway", "Harrier", "Kestrel", "Pennine")
_TRADES = ("Builders Merchants", "Catering Supplies", "Flooring", "Garden Centre", "Print", "Timber", "Tiles")
_STREETS = ("Canal Street", "Forge Lane", "Mill Road", "Station Road", "Wharf Street", "York Way")
_CONTACTS = ("Goods In", "Warehouse", "Despatch", "Site Office", "Trade Counter")
_NOTES = ("", "", "", "Call 30 minutes before", "Forklift on site", "Use rear gate", "No artics")


def consignment(
    rng: random.Random,
    *,
    depot: str,
    created: datetime,
    number: str,
    role: Role | None = None,
    given: Mapping[str, Any] | None = None,
) -> Consignment:
    """Return a consignment that ``depot`` has ``role`` on, created then; what is not given is drawn.

    ``given`` replaces fields of the consignment.
    """
    role = role or rng.choices(ROLES, _ROLE_SHARES)[0]
    # Not between two depots of ours unless that is asked for: both would fetch and upload.
    collector, receiver = rng.sample([number for number in DEPOTS if number not in OUR_DEPOTS], 2)
    requesting, collecting, delivering = {
        "requesting": (depot, depot, receiver),
        "collecting": (collector, depot, receiver),
        "delivering": (collector, collector, depot),
        "none": (collector, collector, receiver),
    }[role]
    given = dict(given or {})
    collecting = given.setdefault("collection_depot", collecting)
    delivering = given.setdefault("delivery_depot", delivering)
    accounts = [account.code for account in ACCOUNTS.values() if account.depot == requesting] or [OTHERS_ACCOUNT]
    account = given.setdefault("account", rng.choice(accounts))
    service = rng.choices(_DELIVERY_SERVICES, _SERVICE_SHARES)[0]
    services = [(service.type, service.group, service.code)]
    kind = "D" if requesting == collecting else "C" if requesting == delivering else "3"
    if kind != "D":
        services.insert(0, _COLLECTION)
    units = list(rng.choices(_MIXES, _MIX_SHARES)[0])
    day = add_working_days(created.astimezone(LONDON).date(), 0)
    pickup = address(rng, "Collection", collecting)
    pickup.company = ACCOUNTS[account].name
    drawn: dict[str, Any] = {
        "type": kind,
        "reference": f"{rng.choice(('SO-', 'PO-', 'INV', 'DEL-'))}{rng.randint(10000, 999999)}",
        "collection_date": day.isoformat(),
        "due_date": add_working_days(day, LEAD_DAYS[service.code]).isoformat(),
        "due_time": "12:00" if service.code == "AMD" else "17:00",
        "delivery_time": "10:30" if service.code == TIMED else "",
        "addresses": [pickup, address(rng, "Delivery", delivering)],
        "services": services,
        "bill_units": units,
        "lifts": sum(amount for _, amount in units),
        "weight": float(sum(amount * rng.randint(*_KILOGRAMS[unit]) for unit, amount in units)),
        "tail_lift": rng.random() < 0.3,
        "handball": rng.random() < 0.05,
        "manifest_note": rng.choice(_NOTES),
        "collection_reference": f"COL{rng.randint(1000, 9999)}" if kind != "D" else "",
    }
    return Consignment(number=number, depot=requesting, created=created, **{**drawn, **given})


def address(rng: random.Random, type_: str, depot: str) -> Address:
    """An address in the area of ``depot``."""
    member = DEPOTS[depot]
    town, outward = rng.choice(member.places)
    return Address(
        type=type_,
        company=f"{rng.choice(_STEMS)} {rng.choice(_TRADES)}",
        contact=rng.choice(_CONTACTS),
        telephone=f"{member.telephone}{rng.randint(100, 999)}",
        lines=[f"{rng.randint(1, 180)} {rng.choice(_STREETS)}"],
        town=town,
        postcode=f"{outward} {rng.randint(1, 9)}{rng.choice('ABDEFGHJLN')}{rng.choice('PQRSTUWXYZ')}",
    )
