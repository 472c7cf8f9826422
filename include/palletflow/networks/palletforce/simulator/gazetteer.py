"""Depots of the sample network and the towns they serve.

The depot codes are invented; the postcode areas are the real ones, so that a postcode anywhere in the United Kingdom
finds a depot. The Channel Islands (GY, JE) have none on purpose: their postcodes are refused as section 2.1 says.
Telephone numbers come from the ranges kept free for drama, e-mail addresses from example.com.
"""

import random
import re
from typing import NamedTuple


class Depot(NamedTuple):
    """A member depot: three-digit code, town, the postcode areas it delivers, and places for sample addresses."""

    code: str
    name: str
    areas: tuple[str, ...]
    places: tuple[tuple[str, str], ...]  # (town, outward postcode)


# code, name, postcode areas, "Town outward outward; Town outward"
_DEPOTS = (
    (
        "900",
        "Leicester",
        "LE",
        "Leicester LE1 LE2 LE3 LE4 LE5; Loughborough LE11; Hinckley LE10; Coalville LE67; Lutterworth LE17;"
        " Market Harborough LE16; Melton Mowbray LE13; Wigston LE18",
    ),
    (
        "901",
        "Leeds",
        "LS",
        "Leeds LS1 LS7 LS9 LS10 LS11 LS12 LS15; Morley LS27; Pudsey LS28; Otley LS21; Wetherby LS22; Garforth LS25",
    ),
    (
        "902",
        "Bristol",
        "BS",
        "Bristol BS1 BS2 BS3 BS4 BS5 BS16; Avonmouth BS11; Portishead BS20; Clevedon BS21; Keynsham BS31; Yate BS37;"
        " Weston-super-Mare BS22 BS23",
    ),
    ("903", "Birmingham", "B WS WV DY", "Birmingham B6 B7 B11 B24; Walsall WS2; Wolverhampton WV1; Dudley DY2"),
    ("904", "Manchester", "M OL SK BL WN", "Manchester M11 M17 M40; Oldham OL9; Stockport SK3; Bolton BL3; Wigan WN5"),
    ("905", "Nottingham", "NG DE", "Nottingham NG2 NG7; Mansfield NG18; Newark NG24; Derby DE21 DE24"),
    ("906", "Coventry", "CV", "Coventry CV3 CV6; Rugby CV21; Nuneaton CV11; Leamington Spa CV31"),
    ("907", "Northampton", "NN MK LU", "Northampton NN3 NN4; Kettering NN15; Milton Keynes MK9 MK12; Luton LU4"),
    ("908", "Peterborough", "PE CB", "Peterborough PE1 PE2; Spalding PE11; Wisbech PE13; Cambridge CB1 CB4"),
    ("909", "Norwich", "NR IP", "Norwich NR3 NR6; Great Yarmouth NR31; Ipswich IP1 IP3; Thetford IP24"),
    ("910", "Chelmsford", "CM CO SS RM IG", "Chelmsford CM2; Colchester CO4; Basildon SS14; Romford RM7; Ilford IG6"),
    ("911", "Bow", "E EC N SE BR DA", "London E3 E16 EC1M N17 SE16; Bromley BR2; Dartford DA1"),
    ("912", "Park Royal", "W WC NW SW HA UB TW SL WD EN", "London NW10 W3 SW18 WC2B; Slough SL1; Watford WD24"),
    (
        "913",
        "Croydon",
        "CR SM KT RH GU",
        "Croydon CR0; Sutton SM1; Kingston upon Thames KT1; Crawley RH10; Guildford GU1",
    ),
    ("914", "Maidstone", "ME CT TN", "Maidstone ME15; Rochester ME2; Canterbury CT1; Ashford TN24"),
    ("915", "Southampton", "SO PO BH SP", "Southampton SO15; Portsmouth PO3; Bournemouth BH8; Salisbury SP2"),
    ("916", "Brighton", "BN", "Brighton BN1 BN2; Worthing BN14; Eastbourne BN23; Lewes BN7"),
    ("917", "Reading", "RG OX SN HP", "Reading RG2; Basingstoke RG24; Oxford OX4; Swindon SN3; Aylesbury HP19"),
    ("918", "Cardiff", "CF NP", "Cardiff CF10 CF24; Bridgend CF31; Newport NP19; Cwmbran NP44"),
    ("919", "Swansea", "SA LD", "Swansea SA1 SA5; Llanelli SA15; Llandrindod Wells LD1"),
    (
        "920",
        "Exeter",
        "EX PL TQ TR TA DT",
        "Exeter EX2; Plymouth PL4; Torquay TQ2; Truro TR1; Taunton TA2; Dorchester DT1",
    ),
    ("921", "Gloucester", "GL HR WR BA", "Gloucester GL1; Cheltenham GL51; Hereford HR2; Worcester WR4; Bath BA2"),
    ("922", "Stoke-on-Trent", "ST CW TF SY", "Stoke-on-Trent ST4; Crewe CW1; Telford TF1; Shrewsbury SY1"),
    ("923", "Liverpool", "L WA CH IM", "Liverpool L3 L20 L24; Warrington WA1; Chester CH1; Douglas IM2"),
    ("924", "Wrexham", "LL", "Wrexham LL13; Bangor LL57; Rhyl LL18"),
    ("925", "Preston", "PR BB FY LA", "Preston PR2; Blackburn BB1; Blackpool FY4; Lancaster LA1"),
    ("926", "Sheffield", "S DN", "Sheffield S4 S9; Rotherham S60; Barnsley S70; Doncaster DN4; Scunthorpe DN15"),
    ("927", "Bradford", "BD HX HD WF HG", "Bradford BD4; Halifax HX3; Huddersfield HD1; Wakefield WF2; Harrogate HG1"),
    ("928", "Hull", "HU YO LN", "Hull HU3 HU9; York YO30; Scarborough YO12; Lincoln LN6"),
    ("929", "Middlesbrough", "TS DL", "Middlesbrough TS2; Stockton-on-Tees TS18; Darlington DL1"),
    ("930", "Gateshead", "NE SR DH", "Gateshead NE11; Newcastle upon Tyne NE6; Sunderland SR5; Durham DH1"),
    ("931", "Carlisle", "CA DG", "Carlisle CA2; Penrith CA11; Dumfries DG1"),
    ("932", "Glasgow", "G KA ML PA FK", "Glasgow G5 G33 G51; Kilmarnock KA3; Motherwell ML1; Paisley PA3; Falkirk FK2"),
    ("933", "Edinburgh", "EH TD KY", "Edinburgh EH6 EH11; Livingston EH54; Galashiels TD1; Kirkcaldy KY1"),
    ("934", "Aberdeen", "AB DD", "Aberdeen AB12 AB21; Dundee DD2; Arbroath DD11"),
    ("935", "Inverness", "IV PH KW HS ZE", "Inverness IV1; Perth PH1; Wick KW1; Stornoway HS1; Lerwick ZE1"),
    ("936", "Belfast", "BT", "Belfast BT3 BT12; Lisburn BT28; Newry BT35; Ballymena BT42"),
    ("937", "Stevenage", "SG AL", "Stevenage SG1; Hitchin SG4; St Albans AL1; Hatfield AL10"),
)


def _places(text: str) -> tuple[tuple[str, str], ...]:
    found = []
    for entry in text.split(";"):
        words = entry.split()
        outward = [word for word in words if re.fullmatch(r"[A-Z]{1,2}\d[0-9A-Z]?", word)]
        town = " ".join(words[: len(words) - len(outward)])
        found += [(town, code) for code in outward]
    return tuple(found)


DEPOTS: dict[str, Depot] = {
    code: Depot(code, name, tuple(areas.split()), _places(places)) for code, name, areas, places in _DEPOTS
}
_DEPOT_BY_AREA = {area: depot.code for depot in DEPOTS.values() for area in depot.areas}

_AREA = re.compile(r"\s*([A-Za-z]{1,2})\d")

# Exchanges with a block of drama numbers of their own; everywhere else the non-geographic 01632 960 block.
_DRAMA_EXCHANGES = {
    "LE": "0116 496 0",
    "LS": "0113 496 0",
    "BS": "0117 496 0",
    "B": "0121 496 0",
    "M": "0161 496 0",
    "L": "0151 496 0",
    "S": "0114 496 0",
    "NG": "0115 496 0",
    "G": "0141 496 0",
    "EH": "0131 496 0",
    "RG": "0118 496 0",
    "NE": "0191 498 0",
    "CF": "029 2018 0",
    "BT": "028 9649 6",
}


def depot_for(postcode: str) -> str | None:
    """Return the code of the depot that delivers ``postcode``, or None when no depot does."""
    match = _AREA.match(postcode)
    return _DEPOT_BY_AREA.get(match[1].upper()) if match else None


def postcode(rng: random.Random, outward: str) -> str:
    """Complete an outward code with an inward one."""
    letters = "ABDEFGHJLNPQRSTUWXYZ"
    return f"{outward} {rng.randint(1, 9)}{rng.choice(letters)}{rng.choice(letters)}"


def phone(rng: random.Random, outward: str) -> str:
    """Return a drama number that fits the outward code."""
    area = outward[: 1 if outward[1].isdigit() else 2]
    return f"{_DRAMA_EXCHANGES.get(area, '01632 960')}{rng.randint(100, 999)}"
