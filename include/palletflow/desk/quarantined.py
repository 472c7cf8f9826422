"""A quarantined record as a person corrects it: its text, its failing fields, and what it would become."""

import json
import re
from collections.abc import Collection, Iterator, Mapping
from typing import Any, NamedTuple

from palletflow.desk.context import Context
from palletflow.desk.refusals import Fault as Refusal
from palletflow.desk.refusals import of_content
from palletflow.discovery import network_part
from palletflow.intake import file_replay
from palletflow.intake.flow import Translated
from palletflow.intake.template import Fault
from palletflow.store.quarantine import Quarantined

# Larger records are downloaded, and corrected by the command.
MOST_BYTES = 1_000_000
SIGNS = re.compile(r'"(?:[^"\\]|\\.)*"|[{}\[\],:]|[^\s{}\[\],:"]+', re.DOTALL)
OPENING, CLOSING = ("{", "["), ("}", "]")
# By reason code, and for all others.
REMEDIES: Mapping[str, str] = {
    "UNKNOWN_CUSTOMER": "Add the account to its customer in the deployment file, then replay. The record is good.",
    "NOT_OUR_DEPOT": "If the depot is ours, add it to the deployment file and replay. If not, ask the network why we "
    "got this, and take it out.",
    "MISSING_VALUE": "Enter the value, then replay. If the network never sends it, say in the template what stands for "
    "it.",
    "BAD_FORMAT": "Correct the value, then replay. If the network writes all of them like this, change the template.",
    "TOO_LONG": "Shorten the value, then replay.",
    "NOT_STORABLE": "Correct the value that cannot be kept, then replay.",
    "ORDER_HAS_BAD_ROW": "Nothing is wrong with this row: correct the other one of its order, and they land together.",
    "DUPLICATE_ROW": "The first row with this key counts. Correct the key if this is another order; else take it out.",
    "DUPLICATE_ORDER": "There is an order with this key and other content. Change that order, and take this out.",
    "DUPLICATE_TRACKING": "Another order holds this tracking number. Correct it here or there, then replay.",
    "LOCKED": "The order is under way and files no longer change it. Change what is needed on its page, and take this "
    "out.",
    "ALREADY_REGISTERED": "The network has this consignment already. Change it there, and take this out.",
}
REMEDY = "Correct the record, then replay it."
INDENT, DEEPEST = "  ", 40
NAME = re.compile(r'\s*"((?:[^"\\]|\\.)*)":')
# What stands behind a name in a template's path.
OF_LIST = re.compile(r"\[[^\]]*\]")


class Line(NamedTuple):
    """A line of a record; `failing`: it holds a field that is refused."""

    text: str
    failing: bool


class Preview(NamedTuple):
    """What a record would become, were it replayed now: `fields` of the consignment, none while it has `faults`.

    `left_out`: why it would make no order although nothing is wrong with it.
    """

    faults: list[Fault]
    warnings: list[str]
    left_out: str
    fields: list[tuple[str, str]]


def pretty(text: str) -> str:
    """JSON with one value a line. What stands in it stays as it is written, numbers and doubled names included."""
    parts: list[str] = []
    depth, before = 0, ""
    for sign in SIGNS.findall(text):
        depth -= sign in CLOSING
        if before and (before == "," or (before in OPENING) is not (sign in CLOSING)):
            parts.append("\n" + INDENT * min(depth, DEEPEST))
        parts.append(": " if sign == ":" else sign)
        depth += sign in OPENING
        before = sign
    return "".join(parts)


def compact(text: str) -> str:
    """JSON on one line, what stands in it as it is written."""
    return "".join(SIGNS.findall(text))


def checked(text: str) -> str:
    """What a person wrote in place of a record, as it is kept. Raises Refused 422 for what is no JSON."""
    try:
        json.loads(text)
    except json.JSONDecodeError as error:
        reason = f"line {error.lineno}, character {error.colno}: {error.msg}"
    except (ValueError, RecursionError) as error:
        reason = str(error)
    else:
        return compact(text)
    raise of_content([Refusal("record", "json", f"The record is no JSON: {reason}. Nothing was kept")])


def row(cells: Mapping[str, str]) -> str:
    """A row of a file as it is kept: heading to cell, blanks left out."""
    return json.dumps({heading: cell for heading, cell in cells.items() if cell}, ensure_ascii=False)


def cells_of(text: str) -> dict[str, str]:
    """Heading to cell of a row as it is kept; nothing of what is no row of a table."""
    said: Any = json.loads(text)
    return (
        {str(name): "" if cell is None else str(cell) for name, cell in said.items()} if isinstance(said, dict) else {}
    )


def lines(text: str, fields: Collection[str]) -> list[Line]:
    """A record line by line, those marked that hold one of these fields of a template."""
    wanted = {_last_step(path).casefold() for field in fields for path in field.split(" or ")} - {""}
    found = ((line, NAME.match(line)) for line in pretty(text).split("\n"))
    return [Line(line, name is not None and name[1].casefold() in wanted) for line, name in found]


def preview(within: Context, record: Quarantined) -> Preview | None:
    """What a record would become, in its corrected form where it has one. Stores nothing.

    None where nobody can say: its network is no longer in the deployment file.
    """
    mapper = within.networks.mappers.get(record.network)
    if mapper is None:
        return None
    if record.row_number:
        kinds = network_part(record.network, "csv_files").kinds(within.networks.plan)
        translated = file_replay.preview_row(within.conn, kinds, record)
    else:
        translated = mapper.translate(json.loads(record.corrected or record.raw))
    return _previewed(translated)


def columns(within: Context, record: Quarantined) -> list[str]:
    """The headings that a row of a file may have."""
    kinds = network_part(record.network, "csv_files").kinds(within.networks.plan)
    return file_replay.headings_of(within.conn, kinds, record)


def _previewed(translated: Translated) -> Preview:
    return Preview(
        translated.faults,
        translated.warnings,
        translated.left_out.reason if translated.left_out else "",
        list(_flat(translated.consignment._asdict())) if translated.consignment else [],
    )


def _flat(fields: Mapping[str, Any], under: str = "") -> Iterator[tuple[str, str]]:
    """Every field that has a value, by its name as people read it."""
    for name, value in fields.items():
        shown = f"{under}{name.replace('_', ' ')}"
        if hasattr(value, "_asdict"):
            yield from _flat(value._asdict(), f"{shown} ")
        elif isinstance(value, Mapping):
            yield from _flat(value, f"{shown} ")
        elif isinstance(value, list) and any(isinstance(one, Mapping) for one in value):
            for number, one in enumerate(value, 1):
                yield from _flat(one, f"{shown} {number} ")
        elif value not in (None, "", []):
            yield shown, ", ".join(map(str, value)) if isinstance(value, list) else str(value)


def _last_step(path: str) -> str:
    return OF_LIST.sub("", path).strip().rpartition(".")[2]
