"""The tracking number an order is given before dispatch (contract 6). Pure."""

import re
from collections.abc import Collection

NUMBER = re.compile(r"[0-9]{13}")
# What a spreadsheet makes of 13 digits: one short where a leading zero was, or a number with an exponent or a point.
DAMAGED = re.compile(r"[0-9]{12}|[0-9]+([.,][0-9]*)?[eE]\+?[0-9]+|[0-9]{13}[.,]0*")


def number_fault(number: str) -> str | None:
    """Why a text is no tracking number, whoever's it is; None when it is one. It is never repaired [PF-8.1-5]."""
    if NUMBER.fullmatch(number):
        return None
    if DAMAGED.fullmatch(number):
        return (
            f"'{number[:40]}' is not 13 digits: the file was saved by a spreadsheet, which damages long numbers; "
            "format the column as text and save it again"
        )
    return f"'{number[:40]}' is not 13 digits"


def imported_number_fault(number: str, depots: Collection[str]) -> str | None:
    """Why our order cannot have this tracking number; None when it can. `depots`: our depot codes [PF-3-5]."""
    fault = number_fault(number)
    if fault is None and number[:3] not in depots:
        fault = f"'{number}' does not begin with one of our depots ({', '.join(sorted(depots))})"
    return fault
