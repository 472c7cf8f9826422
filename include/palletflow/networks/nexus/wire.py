"""What goes over the wire to Nexus, as the template says it, and reading its JSON leniently. Pure functions."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from palletflow.networks.nexus.times import Formats

# Operation: its path below the base URL, unless `endpoints` of the template gives another (contract 2).
ENDPOINTS: Mapping[str, str] = {
    "login": "Account/login/",
    "refresh": "Account/refresh",
    "list": "consignments/",
    "get": "consignments/{consignmentID}",
    "create": "consignments",
    "cancel": "consignments/{consignmentID}",
    "labels": "consignments/{consignmentID}/labels",
    "attachments": "consignments/{consignmentID}/attachments",
    "upload": "consignments/{consignmentID}/attachments",
    "history": "consignments/{consignmentID}/statuses",
    "post_status": "consignments/{consignmentID}/statuses",
    "consignmentStatuses": "consignmentStatuses",
    "consignmentTypes": "consignmentTypes",
    "consignmentAttachmentTypes": "consignmentAttachmentTypes",
    "countries": "countries",
    "currencyTypes": "currencyTypes",
    "services": "services",
    "palletTypes": "palletTypes",
    "palletBases": "palletBases",
    "customers": "customers",
    "depots": "depots",
}
# Where the parts of an attachment and of a look-up's row may stand; the first place that has something counts.
ATTACHMENT: Mapping[str, Sequence[str]] = {
    "id": ("id",),
    "type": ("attachmentType.name",),
    "name": ("fileName",),
    "url": ("url",),
    "created": ("createdDate",),
}
LOOKUP: Mapping[str, Sequence[str]] = {"id": ("id", "customerID"), "name": ("name",)}
UPLOAD: Mapping[str, str] = {"type": "attachmentTypeID", "file": "file"}
CONSIGNMENT_ID = "consignmentID"
UPLOAD_MB = 10.0


class Unreadable(ValueError):
    """An answer of another type or shape than was asked for."""


class Attachment(NamedTuple):
    """A file of a consignment as Nexus lists it; "" for what it does not say."""

    id: str
    type_name: str
    file_name: str
    url: str
    created_at: str


@dataclass(frozen=True)
class Wire:
    """What the template says of the wire (contract 2); the contract where it says nothing.

    `formats`: of dates. `upload`: names of the two parts of an upload. `upload_mb`: the largest file Nexus takes.
    """

    endpoints: Mapping[str, str]
    list_member: str
    attachments: Mapping[str, Sequence[str]]
    lookups: Mapping[str, Sequence[str]]
    formats: Formats
    upload: Mapping[str, str]
    upload_mb: float

    def path(self, operation: str, consignment_id: int | None = None) -> str:
        """The path of an operation below the base URL."""
        path = self.endpoints.get(operation) or ENDPOINTS[operation]
        return path.replace("{consignmentID}", str(consignment_id)).lstrip("/")

    def rows(self, content: Any) -> list[dict[str, Any]]:
        """A list's rows: a bare array, or an object's only array or that of `list.member`. Raises Unreadable."""
        listed = content
        if isinstance(content, dict):
            arrays = {name: value for name, value in content.items() if isinstance(value, list)}
            named = arrays.get(self.list_member)
            if named is None and len(arrays) != 1:
                names = ", ".join(arrays) or "none"
                raise Unreadable(f"the list could be any of its arrays ({names}); name it under list.member")
            listed = next(iter(arrays.values())) if named is None else named
        if not isinstance(listed, list):
            raise Unreadable("no list")
        if not all(isinstance(row, dict) for row in listed):
            raise Unreadable("a list with something else than objects in it")
        return listed

    def attachment(self, row: Mapping[str, Any]) -> Attachment:
        """A row of the attachments' list, or the answer to an upload."""
        found = {name: text(first_of(row, paths)) for name, paths in self.attachments.items()}
        return Attachment(found["id"], found["type"], found["name"], found["url"], found["created"])

    def lookup_id(self, row: Mapping[str, Any]) -> int | None:
        """The id of a look-up's row; None when it has none that is a number."""
        found = text(first_of(row, self.lookups["id"]))
        return int(found) if found.isascii() and found.isdigit() and len(found) < 19 else None

    def lookup_name(self, row: Mapping[str, Any]) -> str:
        """The name of a look-up's row."""
        return text(first_of(row, self.lookups["name"]))


def read_wire(sections: Mapping[str, Any]) -> Wire:
    """What a template's sections say of the wire; {} for nothing but the contract."""
    return Wire(
        endpoints=sections.get("endpoints", {}),
        list_member=sections.get("list", {}).get("member", ""),
        attachments={**ATTACHMENT, **sections.get("attachment", {})},
        lookups={**LOOKUP, **sections.get("lookup", {})},
        formats=Formats(**sections.get("formats", {})),
        upload={**UPLOAD, **sections.get("upload", {})},
        upload_mb=float(sections.get("limits", {}).get("upload_mb", UPLOAD_MB)),
    )


def parse(body: bytes) -> Any:
    """The body as JSON. Raises Unreadable.

    What no JSON number of ours is, thousands of digits or NaN, becomes text: it must not make the rest unreadable.
    """
    try:
        return json.loads(body, parse_int=_integer, parse_constant=str)
    except (ValueError, RecursionError) as error:
        raise Unreadable(f"no readable JSON ({error})") from error


def _integer(digits: str) -> int | str:
    return int(digits) if len(digits) < 20 else digits


def first_of(record: Any, paths: Sequence[str]) -> Any:
    """The first value that is not null at one of the dotted paths; None when there is none. Case does not matter."""
    for path in paths:
        value = record
        for name in path.casefold().split("."):
            value = _member(value, name)
        if value is not None:
            return value
    return None


def _member(record: Any, name: str) -> Any:
    if not isinstance(record, dict):
        return None
    return next((value for key, value in record.items() if key.casefold() == name), None)


def text(value: Any) -> str:
    """A scalar as text, trimmed; "" for anything else."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return ""
    return str(value).strip()
