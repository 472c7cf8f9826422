"""Start data: the three depots that hold an access key, and their customers' accounts."""

from typing import Any

# One access key per depot (section 9). Simulator values: they open nothing anywhere else.
ACCESS_KEYS: dict[str, str] = {"900": "sim-key-900", "901": "sim-key-901", "902": "sim-key-902"}

OUR_DEPOTS: tuple[str, ...] = tuple(ACCESS_KEYS)

DEPOT_OF_KEY: dict[str, str] = {key: depot for depot, key in ACCESS_KEYS.items()}

# depot: telephone numbers kept free for drama, then (account, name, notifications allowed, street, town, postcode)
_CUSTOMERS: dict[str, tuple[str, tuple[tuple[str, str, bool, str, str, str], ...]]] = {
    "900": (
        "0116 496 01",
        (
            ("acme 001", "Acme Widgets Ltd", True, "1 Mill Road", "Leicester", "LE1 1AA"),
            ("LEI 002", "Soar Valley Tiles Ltd", False, "Unit 4 Bardon Road", "Coalville", "LE67 1AA"),
            ("LEI 003", "Foxglove Garden Supplies", True, "22 Station Street", "Loughborough", "LE11 3AA"),
            ("LEI 004", "Harborough Print Works Ltd", False, "8 Rockingham Way", "Market Harborough", "LE16 7AA"),
        ),
    ),
    "901": (
        "0113 496 01",
        (
            ("LDS 001", "Aireside Joinery Ltd", True, "17 Wharf Lane", "Leeds", "LS9 8AA"),
            ("LDS 002", "Wharfedale Dairy Equipment", False, "3 Ilkley Road", "Otley", "LS21 3AA"),
            ("LDS 003", "Morley Floorings Ltd", True, "Unit 9 Howden Park", "Morley", "LS27 0AA"),
            ("LDS 004", "Northgate Fixings Ltd", False, "41 Cross Green Way", "Leeds", "LS9 0AA"),
        ),
    ),
    "902": (
        "0117 496 01",
        (
            ("BRS 001", "Severnside Ceramics Ltd", True, "12 Poplar Way", "Avonmouth", "BS11 0AA"),
            ("BRS 002", "Clifton Coffee Machines", False, "5 Feeder Row", "Bristol", "BS2 0AA"),
            ("BRS 003", "Mendip Stone and Paving", True, "Quarry House", "Weston-super-Mare", "BS23 3AA"),
            ("BRS 004", "Yate Packaging Ltd", False, "Unit 2 Armstrong Court", "Yate", "BS37 5AA"),
        ),
    ),
}

# account: {"depot", "name", "notifications", "address"}; the address has the wire's own fields (section 2.1).
ACCOUNTS: dict[str, dict[str, Any]] = {
    account: {
        "depot": depot,
        "name": name,
        "notifications": notifications,
        "address": {
            "name": name,
            "streetAddress": street,
            "location": "",
            "town": town,
            "county": "",
            "postcode": postcode,
            "countryCode": "GB",
            "phoneNumber": f"{exchange}{number:02d}",
            "contactName": "Despatch",
        },
    }
    for depot, (exchange, customers) in _CUSTOMERS.items()
    for number, (account, name, notifications, street, town, postcode) in enumerate(customers, 1)
}

ACCOUNTS_OF_DEPOT: dict[str, list[str]] = {
    depot: [account for account, facts in ACCOUNTS.items() if facts["depot"] == depot] for depot in OUR_DEPOTS
}
