"""The Amazon fields of a consignment as one line of its notes, written and read back (contract 5.5). Pure."""

import re
from collections.abc import Mapping

# Key on the line: field of ours, in the order they are written. BOOK has date and time together.
KEYS = {
    "ASN": "asn_number",
    "FBA": "fba_number",
    "PO": "po_number",
    "ORD": "amazon_number",
    "CTN": "carton_count",
    "UNITS": "unit_count",
}
BOOKING_DATE, BOOKING_TIME = "booking_date", "booking_time"
FIELDS = (*KEYS.values(), BOOKING_DATE, BOOKING_TIME)
LINE = re.compile(r"^[ \t]*AMZ (?P<parts>[A-Z]+=[^;\n]*(?:;[A-Z]+=[^;\n]*)*);?[ \t]*$\n?", re.MULTILINE)
# What a value must not hold, or it could not be read back.
ENDS_A_VALUE = re.compile(r"[;\s]")


def line(fields: Mapping[str, str]) -> str:
    """The line of these fields, empty ones dropped; "" when all are [NX-5-22]."""
    booked = "T".join(filter(None, (fields.get(BOOKING_DATE), fields.get(BOOKING_TIME))))
    parts = {**{key: fields.get(field, "") for key, field in KEYS.items()}, "BOOK": booked}
    listed = ";".join(f"{key}={value}" for key, value in parts.items() if value)
    return f"AMZ {listed}" if listed else ""


def read(notes: str) -> tuple[str, dict[str, str]]:
    """Notes without the line, and the fields that stood on it; none when there is no such line [NX-5-23]."""
    found = LINE.search(notes)
    if found is None:
        return notes, {}
    parts = dict(part.split("=", 1) for part in found["parts"].split(";"))
    fields = {field: parts.get(key, "").strip() for key, field in KEYS.items()}
    fields[BOOKING_DATE], _, fields[BOOKING_TIME] = parts.get("BOOK", "").strip().partition("T")
    rest = (notes[: found.start()] + notes[found.end() :]).strip("\n")
    return rest, {field: value for field, value in fields.items() if value}
