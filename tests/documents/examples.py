"""Labels that tests draw: an ordinary one, and ones that are hard to draw."""

from datetime import date
from decimal import Decimal

from palletflow.documents.label import Label, Service
from palletflow.orders.consignment import Address

ORDINARY = Label(
    network="Palletforce",
    delivery_depot="901",
    requesting_depot="900",
    collecting_depot="900",
    service=Service("A", "24 hours"),
    tracking_number="9000010000123",
    consignment_number="0000123",
    reference="SO-123",
    pallet=1,
    pallets=3,
    pallet_type="full",
    weight_kg=Decimal("850.00"),
    sender=Address("Sender Ltd", "1 Mill Road", "", "Leicester", "", "LE1 1AA", "GB", "0116 496 0001", "Warehouse"),
    receiver=Address(
        "Tŷ Gwyn Timber Cyf", "Unit 12", "Canal Trading Estate", "Leeds", "West Yorkshire", "LS1 1AA", "GB",
        "0113 496 0123", "Goods In",
    ),
    collection_date=date(2026, 7, 13),
    delivery_date=date(2026, 7, 14),
    surcharges=(Service("TL", "tail-lift"), Service("AM", "before 12:00")),
    notes=("CALL 30 MINS BEFORE", "FORKLIFT ON SITE"),
    barcode="506901A900001000012301",
    provisional=False,
)  # fmt: skip
NAME_50 = "Ymddiriedolaeth Ŵyddgrug & Pentrefoelas Cyf WWWWWW"
WIDE_50 = "W" * 50
LONGEST = ORDINARY._replace(
    service=Service("D", "3-5 days"),
    reference="R" * 35,
    pallet=99,
    pallets=99,
    pallet_type="oversize",
    weight_kg=Decimal("9999.99"),
    sender=Address(WIDE_50, WIDE_50, NAME_50, WIDE_50, NAME_50, "SW1A 1AA", "GB", "0" * 20, WIDE_50),
    receiver=Address(NAME_50, WIDE_50, NAME_50, WIDE_50, NAME_50, "SW1A 1AA", "IE", "0" * 20, WIDE_50),
    surcharges=tuple(
        Service(code, name)
        for code, name in (
            ("AM", "before 12:00"), ("TL", "tail-lift"), ("BI", "book in"), ("TB", "timed booking 10:00 to 16:00"),
            ("AZ", "Amazon book in"), ("PW", "paper POD required"),
        )
    ),
    notes=("W" * 36, "CALL 30 MINS BEFORE AND AT THE GATE!", "NO ARTICS, RIGID VEHICLE ONLY PLEASE", "Ŵ" * 36),
    barcode="506901D900001000012399",
)  # fmt: skip
PROVISIONAL = ORDINARY._replace(delivery_depot="", barcode="9000010000123", provisional=True)
NOWHERE = Address(*[""] * 9)
EMPTY = Label(
    "", "", "", "", Service("", ""), "", "", "", 1, 1, "", None, NOWHERE, NOWHERE, None, None, (), (), "", False
)
HOSTILE = ORDINARY._replace(
    reference="^XZ^XA~JA",
    receiver=Address(
        "^FS^XZ ~JR _5E_ 株式会社 שלום", "(\\) %PDF- endstream )Tj", "\u202eevil\x00\r\nline\u200b", "<b>&amp;\ud83d",
        "e\u0328\u0301 𝔘𝔫𝔦", "LS1 1AA\n^XZ", "GB", "'; DROP TABLE", "🚚 Παπαδόπουλος Иванова",
    ),
    surcharges=tuple(Service(f"^{letter}", "~") for letter in "ABCDEFGHIJKL"),
    notes=("^FD^FS", "_", "~", "word " * 200, "x" * 500),
)  # fmt: skip
# Every text is the longest a record may bring, 500 characters, of the widest letter.
ENDLESS = LONGEST._replace(
    network="W" * 500,
    delivery_depot="W" * 500,
    service=Service("W" * 500, "W " * 250),
    tracking_number="W" * 500,
    consignment_number="W" * 500,
    reference="W" * 500,
    pallet_type="W" * 500,
    sender=Address(*["W" * 500] * 9),
    receiver=Address(*["W" * 500] * 9),
    surcharges=(Service("W" * 500, "W" * 500),) * 12,
    notes=("W" * 500,) * 9,
)
LABELS = {
    "ordinary": ORDINARY, "longest": LONGEST, "provisional": PROVISIONAL, "empty": EMPTY, "hostile": HOSTILE,
    "endless": ENDLESS,
}  # fmt: skip
