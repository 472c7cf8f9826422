"""Takes what getConsignment shows apart and reads its identifiers (contract 2.3 and 3). Pure.

Nothing is refused here: what is not there, or of another shape, is empty.
"""

import re
from collections.abc import Mapping
from typing import Any

from palletflow.intake.folding import fold, folded_key
from palletflow.networks.palletways.settings import Settings
from palletflow.networks.palletways.tree import Tree, nodes, text, trees

TRACKING_ID = Settings.tracking_id_pattern
# From the manifest down to the consignments in it.
DOWN = ("depot", "account", "consignment")
LONGEST_ID = 100
# A yes and a no [PW-1.2-6].
TRUE, FALSE = ("true", "t", "yes", "y", "on", "1"), ("false", "f", "no", "n", "off", "0")


def consignments(manifest: Any) -> list[Any]:
    """One record a consignment, each with the manifest, depot and account it stands in.

    A manifest with one consignment, or of another shape, is a record as it came.
    """
    found = _split(manifest, DOWN)
    return found if len(found) > 1 else [manifest]


def flat(record: Any, aliases: Mapping[str, str]) -> dict[str, Any]:
    """The consignment of a record, keys in lower case and scalars as text; {} when the record has not exactly one.

    Beside its own nodes stand `manifest`, `depot` and `account`, without what they hold. Nodes that may repeat are
    lists of objects, any other counts once. An address has its first line as `line1` and the others as `line2`; hubs
    are in the order of their sequence, and billing units that count nothing are left out.
    """
    held = _split(fold(record, aliases), DOWN)
    if len(held) != 1 or not isinstance(held[0]["depot"]["account"]["consignment"], dict):
        return {}
    manifest = held[0]
    depot = manifest["depot"]
    account = depot["account"]
    consignment = account["consignment"]
    parts = {name: [_single(one) for one in trees(consignment, name)] for name in ("billunit", "hub", "service")}
    return {
        **_single(consignment),
        "manifest": _single(manifest, besides="depot"),
        "depot": _single(depot, besides="account"),
        "account": _single(account, besides="consignment"),
        "address": [_address(one) for one in trees(consignment, "address")],
        "billunit": [one for one in parts["billunit"] if text(one, "amount").strip("0")],
        "hub": sorted(parts["hub"], key=_sequence),
        "pallet": [{"barcode": one} for one in nodes(consignment, "pallet") if isinstance(one, str)],
        "service": parts["service"],
    }


def tracking_id(record: Any, pattern: str = TRACKING_ID) -> str:
    """The tracking ID of a record as far as one can be made out; "" otherwise [PW-3-1]."""
    number = text(flat(record, {}), "trackingid")
    return number if is_tracking_id(number, pattern) else ""


def entered_id(data: Any, pattern: str = TRACKING_ID) -> str:
    """The tracking ID of an answer of conStatus or consEntered; "" until the depot has accepted it [PW-2.4-2]."""
    number = text(fold(data, {}), "dc_syscon")
    return number if is_tracking_id(number, pattern) else ""


def is_tracking_id(number: str, pattern: str = TRACKING_ID) -> bool:
    """Whether a text can be a tracking ID. It stays text, whatever digits it has [PW-3-1]."""
    return len(number) <= LONGEST_ID and re.fullmatch(pattern, number, re.ASCII) is not None


def bare_number(number: str, *depots: str) -> str:
    """A consignment number without the depot it was decorated with, `<n>-<depot>` or `<depot>-<n>` [PW-3-3].

    One part of three digits is taken off; when `depots` are given, only if it is one of them.
    """
    head, dash, tail = number.rpartition("-")
    if dash and head and _is_depot(tail, depots):
        return head
    head, dash, tail = number.partition("-")
    return tail if dash and tail and _is_depot(head, depots) else number


def flag(said: str) -> bool | None:
    """A yes or no of theirs; None for what is neither [PW-1.2-6]."""
    word = said.strip().casefold()
    return True if word in TRUE else False if word in FALSE else None


def _is_depot(number: str, depots: tuple[str, ...]) -> bool:
    return number in depots if depots else re.fullmatch("[0-9]{3}", number) is not None


def _split(node: Any, down: tuple[str, ...]) -> list[Any]:
    if not down:
        return [node]
    name = _name(node, down[0])
    if name is None:
        return []
    return [{**node, name: part} for inner in nodes(node, name) for part in _split(inner, down[1:])]


def _name(node: Any, wanted: str) -> str | None:
    """The key of a node's part, in whatever case it is written."""
    names = (name for name in node if folded_key(str(name)) == wanted) if isinstance(node, dict) else iter(())
    return next(names, None)


def _single(part: Tree, besides: str = "") -> Tree:
    """A node whose parts count once: of what stands several times, the first."""
    return {name: next(iter(nodes(value)), "") for name, value in part.items() if name != besides}


def _address(address: Tree) -> Tree:
    lines = [line for line in nodes(address, "line") if isinstance(line, str)]
    return {**_single(address, besides="line"), "line1": lines[0] if lines else "", "line2": ", ".join(lines[1:])}


def _sequence(hub: Tree) -> int:
    number = text(hub, "sequence")
    return int(number) if re.fullmatch("[0-9]{1,9}", number) else 0
