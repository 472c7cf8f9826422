"""Documents of deliveries as Nexus has them (contract 9): kinds, names, when to look for them. Pure functions."""

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from palletflow.documents import media
from palletflow.documents.storage import MOST_BYTES
from palletflow.networks.nexus.lookups import folded
from palletflow.orders.consignment import Role

# The source of a document that came from Nexus; one of any other source is our own [NX-9-7].
SOURCE = "nexus documents"
ATTACHMENT_TYPES = "consignmentAttachmentTypes"
# What Nexus takes and gives (contract 2.7).
TAKEN = (media.PDF, media.JPEG, media.PNG, media.TIFF)
# With these the chase has found what it was after [NX-9-17].
WANTED = ("MPOD", "POD")
# From the delivery on; then every FURTHER [NX-9-16].
FIRST_LOOKS = tuple(timedelta(minutes=minutes) for minutes in (0, 5, 15, 30, 60))
FURTHER = timedelta(hours=6)
MEGABYTE = 1024 * 1024


class Type(NamedTuple):
    """An attachment type: our code of it, Nexus's name, our kind of document."""

    code: str
    name: str
    kind: str


@dataclass(frozen=True)
class Types:
    """What the template says of documents. `sent` stand in the order in which they go; `most_bytes`: of an upload."""

    sent: tuple[Type, ...]
    extra: tuple[Type, ...]
    most_bytes: int

    def of_name(self, name: str) -> Type | None:
        """The type that Nexus calls so; None for one that is nothing to us [NX-9-20]."""
        wanted = folded(name)
        return next((type_ for type_ in (*self.sent, *self.extra) if wanted and folded(type_.name) == wanted), None)

    def of_kind(self, kind: str) -> Type | None:
        """The type as which our documents of a kind are sent."""
        return next((type_ for type_ in self.sent if type_.kind == kind), None)

    @property
    def wanted_kinds(self) -> set[str]:
        """Our kinds that the chase looks for."""
        return {type_.kind for type_ in self.sent if type_.code in WANTED}


def read_types(sections: Mapping[str, Any]) -> Types:
    """Reads a template's sections; their schema has been checked."""
    section = sections["documents"]
    return Types(
        sent=tuple(
            Type(code, section["kinds"][code]["name"], section["kinds"][code]["kind"]) for code in section["order"]
        ),
        extra=tuple(Type(name, name, kind) for name, kind in section["extra_types"].items()),
        most_bytes=int(sections["limits"]["upload_mb"]) * MEGABYTE,
    )


def sends(roles: Collection[str]) -> bool:
    """Whether our part in a consignment is to send documents: we deliver, and did not collect [NX-9-5, NX-9-6]."""
    return Role.DELIVERY in roles and Role.COLLECTING not in roles


def fetches(roles: Collection[str]) -> bool:
    """Whether our part in a consignment is to fetch documents: others deliver for us [NX-9-5, NX-9-6]."""
    return Role.DELIVERY not in roles and bool({Role.REQUESTING, Role.COLLECTING} & set(roles))


def file_name(consignment_number: str, code: str, number: int, media_type: str) -> str:
    """The name under which a document of ours goes to Nexus [NX-9-12]."""
    return f"{_stem(consignment_number, code)}{number:02d}{media.ENDINGS[media_type][0]}"


def last_number(names: Iterable[str], consignment_number: str, code: str) -> int:
    """The highest number that one of these file names has for the code, 0 when none has one."""
    pattern = re.compile(rf"{re.escape(_stem(consignment_number, code))}([0-9]{{1,6}})\.\w+", re.IGNORECASE)
    return max((int(found[1]) for name in names if (found := pattern.fullmatch(name.strip()))), default=0)


def is_named(listed: str, name: str) -> bool:
    """Whether Nexus lists a file under the name we gave it."""
    return listed.strip().casefold() == name.casefold()


def not_sendable(media_type: str, size: int, types: Types) -> str:
    """Why Nexus would not take such a document (contract 2.7); "" when it would."""
    if media_type not in TAKEN:
        return f"is {media_type}; Nexus takes PDF, JPEG, PNG and TIFF"
    if size > types.most_bytes:
        return f"has {size / MEGABYTE:.1f} MB; Nexus takes {types.most_bytes / MEGABYTE:g} MB (limits.upload_mb)"
    return ""


def not_usable(data: bytes) -> str:
    """Why downloaded bytes cannot be kept as a document [NX-2.7-4]; "" when they can."""
    if media.sniff(data) not in TAKEN:
        return f"its {len(data):,} bytes are no PDF, JPEG, PNG or TIFF"
    if len(data) > MOST_BYTES:
        return f"has {len(data):,} bytes; a document has {MOST_BYTES:,} at most"
    return ""


def next_look(delivered_at: datetime, now: datetime, chase_days: float) -> datetime | None:
    """When to look for documents next, later than `now`; None when the chase has ended [NX-9-16]."""
    looks = [delivered_at + pause for pause in FIRST_LOOKS]
    further = looks[-1] + ((now - looks[-1]) // FURTHER + 1) * FURTHER
    following = next((look for look in looks if look > now), further)
    return following if following <= delivered_at + timedelta(days=chase_days) else None


def _stem(consignment_number: str, code: str) -> str:
    # Nothing in it that somebody on the way could take for a folder or quote: we look for the file by its name.
    plain = "".join(sign for sign in consignment_number if sign.isascii() and sign.isalnum())
    return f"{plain}_{code}_"
