"""What only Palletforce's CSV files hold: its tracking numbers, and a template that names columns by their headings."""

from collections.abc import Mapping
from typing import Any

from palletflow.intake.cells import BadCell
from palletflow.intake.file_kinds import Source
from palletflow.networks.palletforce.imported_numbers import number_fault


def tracking_number(cell: str) -> str:
    """A tracking number, whoever's it is."""
    fault = number_fault(cell)
    if fault:
        raise BadCell("BAD_TRACKING_NUMBER", fault)
    return cell


def sources(columns: Mapping[str, Any]) -> dict[str, Source]:
    """A column map of the template: canonical field to heading, list of headings, or {constant: text}."""
    found = {}
    for field, given in columns.items():
        if isinstance(given, Mapping):
            found[field] = Source((field,), str(given["constant"]))
        else:
            found[field] = Source((given,) if isinstance(given, str) else tuple(given))
    return found
