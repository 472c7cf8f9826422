"""Draws one believable consignment of UK palletised freight, as the wire shows it (sections 2.1 and 2.4).

Everything comes from the generator passed in, so the same generator state gives the same consignment. Names, streets
and references are made up.
"""

import random
from datetime import date, datetime, timedelta
from typing import Any, Literal

from palletflow.simulation.clock import LONDON, add_working_days

from .gazetteer import DEPOTS, phone, postcode
from .members import ACCOUNTS, ACCOUNTS_OF_DEPOT
from .times import wire_date

Role = Literal["requested", "collected", "delivered"]
ROLES: tuple[Role, ...] = ("requested", "collected", "delivered")
_ROLE_SHARES = (40, 15, 45)

# Working days from collection to delivery (section 4.1); a return has no promise and is shown as three.
SERVICE_LEAD_DAYS = {"A": 1, "B": 2, "C": 3, "D": 5, "R": 3}
_SERVICE_SHARES = (70, 20, 5, 4, 1)

# Pallets per type and how often such a consignment comes.
_PALLET_MIXES: tuple[tuple[int, dict[str, int]], ...] = (
    (34, {"F": 1}),
    (14, {"F": 2}),
    (6, {"F": 3}),
    (3, {"F": 5}),
    (1, {"F": 8}),
    (14, {"H": 1}),
    (12, {"Q": 1}),
    (4, {"H": 2}),
    (4, {"F": 1, "H": 1}),
    (3, {"F": 1, "Q": 1}),
    (1, {"F": 1, "H": 1, "Q": 1}),
    (4, {"O": 1}),
)
_PALLET_MIX_SHARES = [share for share, _ in _PALLET_MIXES]
PALLET_TYPES = ("F", "H", "Q", "O")
_KILOGRAMS = {"F": (220, 1000), "H": (110, 480), "Q": (50, 240), "O": (350, 1100)}

# Surcharges and how often such a set comes (section 4.2).
_SURCHARGES = (
    ("", 62),
    ("TL", 16),
    ("AM", 6),
    ("AM TL", 3),
    ("BI", 4),
    ("TB", 2),
    ("TA", 1),
    ("BW", 1),
    ("PW", 1),
    ("CD", 1),
    ("EB", 1),
    ("AZ", 2),
)
_SURCHARGE_SETS = [codes for codes, _ in _SURCHARGES]
_SURCHARGE_SHARES = [share for _, share in _SURCHARGES]

_STEMS = (
    "Ashdown", "Beckford", "Calderbank", "Dunmore", "Ellwood", "Fairholme", "Garrick", "Hazelwood", "Ingleby",
    "Jarrow Lane", "Kestrel", "Langdale", "Marlbrook", "Netherby", "Oakhurst", "Penhallow", "Quayside", "Ridgeway",
    "Silverdale", "Thornfield", "Underhill", "Valeview", "Westerby", "Yewtree", "Copperfield", "Moorgate",
)  # fmt: skip
_TRADES = (
    "Timber", "Bathrooms", "Garden Centre", "Plumbing Supplies", "Fine Foods", "Brewing Co", "Tiles", "Packaging",
    "Paper", "Catering Equipment", "Animal Feeds", "Electrical Wholesale", "Flooring", "Furniture", "Hardware",
    "Motor Factors", "Roofing Supplies", "Café Supplies", "Engineering", "Paints", "Kitchens", "Office Interiors",
)  # fmt: skip
_SUFFIXES = ("Ltd", "Ltd", "Limited", "& Sons", "(UK) Ltd", "")
_STREETS = (
    "Mill Lane", "Station Road", "Park Street", "Victoria Way", "Foundry Road", "Canal Street", "Brook Lane",
    "Albion Street", "Chapel Road", "Wharf Road", "Meadow Lane", "Church Street", "Queens Road", "Tanner Row",
)  # fmt: skip
_ESTATES = ("Canal Trading Estate", "Kingsway Business Park", "Riverside Industrial Estate", "Airfield Park")
_CONTACTS = ("Goods In", "Warehouse", "Stores", "Reception", "Site Office", "Trade Counter")
_NOTES = (
    "CALL 30 MINS BEFORE", "FORKLIFT ON SITE", "USE REAR GATE", "NO ARTICS", "CLOSED 12:30-13:15", "REPORT TO OFFICE",
    "FRAGILE DO NOT STACK", "RIGID VEHICLE ONLY", "DELIVER TO SIDE OF BUILDING", "HARD HAT AND HI VIS ON SITE",
)  # fmt: skip


def draw_role(rng: random.Random) -> Role:
    """What one of our depots is to a consignment."""
    return rng.choices(ROLES, _ROLE_SHARES)[0]


def consignment(rng: random.Random, *, depot: str, role: Role, booked: datetime, serial: str) -> dict[str, Any]:
    """Return one element of ``manifests[]``, accepted, without ``lastUpdated``.

    ``depot`` is one of ours and holds ``role``; ``booked`` is the instant of booking and decides the collection date;
    ``serial`` is system id 3 + sequence 7 and becomes the tracking number behind the requesting depot (section 3).
    """
    others = [code for code in DEPOTS if code != depot]
    requesting = depot if role == "requested" else rng.choice(others)
    collecting = depot
    if role == "delivered":
        collecting = requesting
    elif role == "requested" and rng.random() < 0.1:
        collecting = rng.choice(others)  # our customer's supplier, fetched by the depot of that area
    delivery = depot if role == "delivered" else rng.choice(others)

    if requesting in ACCOUNTS_OF_DEPOT:
        account = rng.choice(ACCOUNTS_OF_DEPOT[requesting])
        notified = bool(ACCOUNTS[account]["notifications"])
    else:
        account, notified = f"{requesting} {rng.randint(1, 60):03d}", rng.random() < 0.5
    at_customer = account in ACCOUNTS and collecting == requesting
    collection = dict(ACCOUNTS[account]["address"]) if at_customer else _address(rng, collecting)
    delivered_to = _address(rng, delivery)

    service = rng.choices(list(SERVICE_LEAD_DAYS), _SERVICE_SHARES)[0]
    surcharges = rng.choices(_SURCHARGE_SETS, _SURCHARGE_SHARES)[0]
    for_fulfilment = surcharges == "AZ"
    if for_fulfilment:
        delivered_to["name"] = f"Fulfilment Centre {rng.randint(2, 9)}"
    pallets = rng.choices(_PALLET_MIXES, _PALLET_MIX_SHARES)[0][1]
    total = sum(pallets.values())
    weight = sum(count * rng.randint(*_KILOGRAMS[kind]) for kind, count in pallets.items())
    collected = _collection_date(booked)
    dates = [{"dateTimeType": "COLD", "value": wire_date(collected)}]
    if rng.random() < 0.15:
        promised = add_working_days(collected, SERVICE_LEAD_DAYS[service])
        dates.append({"dateTimeType": "DELD", "value": wire_date(promised)})

    return {
        "uniqueTransactionNumber": "",
        "collectionAddress": collection,
        "deliveryAddress": delivered_to,
        "consignments": [
            {
                "requestingDepot": requesting,
                "collectingDepot": collecting,
                "deliveryDepot": delivery,
                "trackingNumber": requesting + serial,
                "consignmentNumber": serial[-7:],
                "CustomerAccountNumber": account,
                "datesAndTimes": dates,
                "pallets": [{"palletType": kind, "numberofPallets": str(count)} for kind, count in pallets.items()],
                "palletSpaces": str(total),
                "weight": str(min(weight, 9999)),
                "serviceName": service,
                "surcharges": surcharges,
                "customersUniqueReference": f"{rng.choice(('SO-', 'PO ', 'INV', 'DEL-'))}{rng.randint(10000, 999999)}",
                "customersUniqueReference2": f"JOB{rng.randint(1000, 9999)}" if rng.random() < 0.2 else "",
                "notes": _notes(rng),
                "insuranceCode": "01",
                "customerCharge": "",
                "nonPalletforceConsignment": "N",
                "deliveryVehicleCode": "",
                "consignmentType": "",
                "hubIdentifyingCode": "",
                "notifications": _notifications(rng) if notified and rng.random() < 0.6 else [],
                "cartonCount": str(rng.randint(4, 60) * total) if for_fulfilment else "",
                "aSNFBABOLReferenceNumber": f"FBA15{rng.randint(100000, 999999)}" if for_fulfilment else "",
                "additionalDetails": {"lines": _northern_ireland(rng, delivered_to)},
                "consignmentStatus": "ACCEPTED",
            }
        ],
    }


def _collection_date(booked: datetime) -> date:
    """Today when booked by two in the afternoon of a working day, else the next working day."""
    local = booked.astimezone(LONDON)
    day = local.date() if local.hour < 14 else local.date() + timedelta(days=1)
    return add_working_days(day, 0)


def _address(rng: random.Random, depot: str) -> dict[str, str]:
    town, outward = rng.choice(DEPOTS[depot].places)
    in_estate = rng.random() < 0.4
    return {
        "name": f"{rng.choice(_STEMS)} {rng.choice(_TRADES)} {rng.choice(_SUFFIXES)}".rstrip(),
        "streetAddress": f"Unit {rng.randint(1, 40)}" if in_estate else f"{rng.randint(1, 180)} {rng.choice(_STREETS)}",
        "location": rng.choice(_ESTATES) if in_estate else "",
        "town": town,
        "county": "",
        "postcode": postcode(rng, outward),
        "countryCode": "GB",
        "phoneNumber": phone(rng, outward),
        "contactName": rng.choice(_CONTACTS),
    }


def _notes(rng: random.Random) -> list[dict[str, str]]:
    """Up to three notes; none is one pair of two empty texts (section 2.1)."""
    texts = rng.sample(_NOTES, rng.choices((0, 1, 2, 3), (55, 30, 10, 5))[0])
    return [{"noteName": f"NOTE{i}", "value": text} for i, text in enumerate(texts, 1)] or [
        {"noteName": "", "value": ""}
    ]


def _notifications(rng: random.Random) -> list[dict[str, str]]:
    if rng.random() < 0.7:
        return [{"notificationType": "EMAIL", "value": "goodsin@example.com"}]
    return [{"notificationType": "SMS", "value": f"07700 900{rng.randint(100, 999)}"}]


def _northern_ireland(rng: random.Random, address: dict[str, str]) -> list[dict[str, Any]]:
    """Goods for Northern Ireland carry one line of customs data (section 2.1, additionalDetails)."""
    if not address["postcode"].startswith("BT"):
        return []
    data = {
        "ni_company_name": address["name"],
        "ni_description": "Palletised goods",
        "ni_gbeori": f"GB{rng.randint(0, 999_999):012d}",
        "ni_tss_job_reference": f"TSS{rng.randint(100000, 999999)}",
        "ni_tss_registration": "",
    }
    return [{"fields": [{"fieldName": name, "value": value} for name, value in data.items()]}]
