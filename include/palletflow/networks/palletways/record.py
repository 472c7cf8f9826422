"""Takes what getConsignment shows apart and reads its identifiers (contract 2.3 and 3). Pure.

Nothing is refused here: what is not there, or of another shape, is empty.
"""

import re
from collections.abc import Mapping
from typing import Any

from palletflow.intake.folding import fold, folded_key

Part = Mapping[str, Any]

TRACKING_ID = "[0-9]{6,14}"
# Nodes that may stand several times in a consignment; any other counts once [PW-1.2-10].
REPEATED = ("address", "billunit", "hub", "pallet", "product", "service")
# From the manifest down to the consignments in it.
DOWN = ("depot", "account", "consignment")
LONGEST_ID = 100
# 1.2
TRUE, FALSE = ("true", "t", "yes", "y", "on", "1"), ("false", "f", "no", "n", "off", "0")


def consignments(manifest: Any) -> list[Any]:
    """One record a consignment, each with the manifest, depot and account it stands in.

    A manifest with one consignment, or of another shape, is a record as it came.
    """
    found = _split(manifest, DOWN)
    return found if len(found) > 1 else [manifest]


def _split(node: Any, down: tuple[str, ...]) -> list[Any]:
    if not down:
        return [node]
    name = _name(node, down[0])
    if name is None:
        return []
    return [{**node, name: part} for inner in _listed(node[name]) for part in _split(inner, down[1:])]


def flat(record: Any, aliases: Mapping[str, str]) -> dict[str, Any]:
    """The consignment of a record, keys in lower case and scalars as text; {} when the record has not exactly one.

    Beside its own nodes stand `manifest`, `depot` and `account`, without what they hold. Nodes that may repeat are
    lists of objects, any other counts once. An address has its first line as `line1` and the others as `line2`; hubs
    are in the order of their sequence, and billing units that count nothing are left out.
    """
    folded = fold(record, aliases)
    held = _split(folded, DOWN)
    if len(held) != 1:
        return {}
    manifest: Part = held[0]
    depot = manifest["depot"]
    account = depot["account"]
    consignment = account["consignment"]
    if not isinstance(consignment, dict) or not consignment:
        return {}
    return {
        **{name: value if name in REPEATED else _once(value) for name, value in consignment.items()},
        "manifest": _without(manifest, "depot"),
        "depot": _without(depot, "account"),
        "account": _without(account, "consignment"),
        "address": [_address(one) for one in _objects(consignment, "address")],
        "billunit": [one for one in _objects(consignment, "billunit") if _counts(one)],
        "hub": sorted(_objects(consignment, "hub"), key=_sequence),
        "pallet": [{"barcode": one} for one in _listed(consignment.get("pallet")) if isinstance(one, str)],
        "service": _objects(consignment, "service"),
    }


def tracking_id(record: Any, pattern: str = TRACKING_ID) -> str:
    """The tracking ID of a record as far as one can be made out; "" otherwise [PW-3-1]."""
    text = text_of(flat(record, {}), "trackingid")
    return text if is_tracking_id(text, pattern) else ""


def entered_id(data: Any, pattern: str = TRACKING_ID) -> str:
    """The tracking ID of an answer of conStatus or consEntered; "" until the depot has accepted it [PW-2.4-2]."""
    text = text_of(fold(data, {}), "dc_syscon")
    return text if is_tracking_id(text, pattern) else ""


def is_tracking_id(text: str, pattern: str = TRACKING_ID) -> bool:
    """Whether a text can be a tracking ID. It stays text, whatever digits it has [PW-3-1]."""
    return len(text) <= LONGEST_ID and text.isascii() and re.fullmatch(pattern, text) is not None


def bare_number(number: str, *depots: str) -> str:
    """A consignment number without the depot it was decorated with, `<n>-<depot>` or `<depot>-<n>` [PW-3-3].

    One part of three digits is taken off; when `depots` are given, only if it is one of them.
    """
    head, dash, tail = number.rpartition("-")
    if dash and head and _is_depot(tail, depots):
        return head
    head, dash, tail = number.partition("-")
    return tail if dash and tail and _is_depot(head, depots) else number


def same_number(one: str, other: str) -> bool:
    """Whether two consignment numbers may be the same one, decorated or not; an empty one is nobody's [PW-3-3].

    Numbers are not unique: never the only reason to attach anything to a consignment [PW-3-4].
    """
    one, other = one.strip().casefold(), other.strip().casefold()
    return bool(one and other) and (
        one == other or one == bare_number(other) or bare_number(one) in (other, bare_number(other))
    )


def flag(text: str) -> bool | None:
    """A yes or no of theirs; None for what is neither [PW-1.2-6]."""
    word = text.strip().casefold()
    return True if word in TRUE else False if word in FALSE else None


def text_of(part: Any, name: str) -> str:
    """The text under a folded name; "" when it is not there or no single value."""
    value = _once(part.get(name, "")) if isinstance(part, dict) else ""
    return value if isinstance(value, str) else ""


def _is_depot(text: str, depots: tuple[str, ...]) -> bool:
    return text in depots if depots else re.fullmatch("[0-9]{3}", text) is not None


def _name(node: Any, wanted: str) -> str | None:
    """The key of a node's part, in whatever case it is written."""
    names = (name for name in node if folded_key(str(name)) == wanted) if isinstance(node, dict) else iter(())
    return next(names, None)


def _listed(value: Any) -> list[Any]:
    if isinstance(value, list):
        return value
    return [] if value in (None, "") else [value]


def _objects(part: Part, name: str) -> list[dict[str, Any]]:
    return [
        {key: _once(value) if key != "line" else value for key, value in one.items()}
        for one in _listed(part.get(name))
        if isinstance(one, dict)
    ]


def _once(value: Any) -> Any:
    """The first that is not empty of what stands several times."""
    return next((one for one in value if one), "") if isinstance(value, list) else value


def _without(part: Part, name: str) -> dict[str, Any]:
    return {key: _once(value) for key, value in part.items() if key != name}


def _address(address: dict[str, Any]) -> dict[str, Any]:
    lines = [line for line in _listed(address.get("line")) if isinstance(line, str) and line]
    return {**address, "line": "", "line1": lines[0] if lines else "", "line2": ", ".join(lines[1:])}


def _counts(unit: Part) -> bool:
    amount = text_of(unit, "amount")
    return bool(amount) and amount.strip("0") != ""


def _sequence(hub: Part) -> int:
    text = text_of(hub, "sequence")
    return int(text) if re.fullmatch("[0-9]{1,9}", text) else 0
