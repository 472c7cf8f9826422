"""Reads what Nexus tells of a consignment, a row of a list or the whole of it, at the template's places (contract 2.3).

Pure. Nothing is refused here: what is not there, or of another shape, is empty.
"""

import hashlib
import json
from collections.abc import Callable, Mapping
from functools import cached_property
from typing import Any, NamedTuple

from palletflow.intake.folding import fold
from palletflow.intake.template import Template, first_filled

# Of a record we read: names that Nexus gave only as ids, by look-up and id. Kept with it, so that it can be read again.
LOOKED_UP = "lookedUp"
# Beside the look-ups: pallet types, by id, that Nexus calls international.
INTERNATIONAL = "internationalPalletTypes"
# Where a consignment is: the history tells all of it, so that nothing else needs to be read when only these change.
MOVING = ("status", "status_id", "collected_on", "delivered_at", "estimated_date", "estimated_time")


class Summary(NamedTuple):
    """Digests of a list row: of what says where the consignment is, and of the rest."""

    rest: bytes
    moving: bytes

    @property
    def digest(self) -> bytes:
        """Both as one."""
        return self.rest + self.moving

    def has_only_moved(self, digest: bytes | None) -> bool:
        """Whether, since a row had this digest, nothing but where the consignment is has changed."""
        return digest is not None and digest.startswith(self.rest)


class Reading:
    """How records are read by one template."""

    def __init__(self, template: Template, version: bytes = b"") -> None:
        """`version`: changes whenever the same record could come to mean something else."""
        self._template, self._version = template, version
        self._pallet = {part: first_filled(paths) for part, paths in template.sections["pallet"].items()}
        self._excluded = {name.casefold() for name in template.sections["hash"]["exclude"]}
        self._moving = {path.split(".", 1)[0].casefold() for name in MOVING for path in template.places[name]}

    def reply(self, raw: Any) -> "Reply":
        """A list row or a reply to get, to be asked for its parts."""
        folded = fold(raw, self._template.aliases)
        return Reply(folded if isinstance(folded, dict) else {}, self._template, self._pallet)

    def summary(self, row: Any) -> Summary:
        """What decides whether a consignment is read again [NX-7-9]; the order of a row's fields does not matter."""
        folded = self.reply(row).folded
        kept = {name: value for name, value in folded.items() if name not in self._excluded}
        return Summary(
            _digest({name: value for name, value in kept.items() if name not in self._moving}, self._version),
            _digest({name: value for name, value in kept.items() if name in self._moving}),
        )


class Reply:
    """One record. `folded`: keys in lower case, scalars as text."""

    def __init__(
        self, folded: Mapping[str, Any], template: Template, pallet: Mapping[str, Callable[[Mapping[str, Any]], Any]]
    ) -> None:
        self.folded = folded
        self._template, self._pallet = template, pallet

    def text(self, field: str) -> str:
        """A field of the template's `fields` as text; "" when it is not there or no single value."""
        found = self._template.find(field, self.folded)
        return found if isinstance(found, str) else ""

    @property
    def key(self) -> str:
        """The consignmentID as text, as far as one can be made out; "" otherwise."""
        number = self.text("tracking_number")
        return (
            number if number.isascii() and number.isdigit() and not number.startswith("0") and len(number) < 19 else ""
        )

    @property
    def consignment_id(self) -> int | None:
        """Nexus's key of it; None when it has none [NX-3-1]."""
        return int(self.key) if self.key else None

    @property
    def number(self) -> str:
        """The consignmentNumber."""
        return self.text("consignment_number")

    @property
    def status_name(self) -> str:
        """Nexus's word for where it is; looked up when only its id came."""
        return self.text("status") or self.looked_up("consignmentStatuses", self.text("status_id"))

    @cached_property
    def pallets(self) -> list[Mapping[str, str]]:
        """The parts of each pallet, by the names of the template's section `pallet`; "" for what is not there."""
        listed = self._template.find("pallets", self.folded)
        return [
            {part: _text(get(pallet)) for part, get in self._pallet.items()}
            for pallet in listed
            if isinstance(pallet, dict)
        ]

    @property
    def barcodes(self) -> list[str]:
        """The barcode of each pallet, "" for one that has none."""
        return [pallet["barcode"] for pallet in self.pallets]

    def looked_up(self, lookup: str, id_: str) -> str:
        """The name that was looked up for an id when the record was read; "" when none was."""
        found = self.folded.get(LOOKED_UP.casefold())
        of_lookup = found.get(lookup.casefold()) if isinstance(found, dict) else None
        return _text(of_lookup.get(id_)) if isinstance(of_lookup, dict) else ""


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _digest(content: Mapping[str, Any], version: bytes = b"") -> bytes:
    return hashlib.sha256(version + json.dumps(content, sort_keys=True, separators=(",", ":")).encode()).digest()
