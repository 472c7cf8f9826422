"""The cells of CSV files: how the text of each column is read. Pure. A network adds what only its own cells hold."""

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import date
from decimal import Decimal
from typing import Any, NamedTuple

from palletflow.intake.template import Fault

DATES = (
    re.compile(r"(?P<day>\d{2})/(?P<month>\d{2})/(?P<year>\d{4})", re.ASCII),
    re.compile(r"(?P<year>\d{4})-(?P<month>\d{2})-(?P<day>\d{2})", re.ASCII),
    re.compile(r"(?P<year>\d{4})(?P<month>\d{2})(?P<day>\d{2})", re.ASCII),
)
SHORT_YEAR = re.compile(r"\d{1,2}[/.-]\d{1,2}[/.-]\d{2}", re.ASCII)
WHOLE = re.compile(r"\d{1,9}", re.ASCII)
DECIMAL = re.compile(r"\d{1,9}(\.\d{1,9})?", re.ASCII)
CONTROLS = re.compile(r"[\x00-\x1f\x7f]+")
COUNTRY = re.compile(r"[A-Za-z]{2}")
TWO_PLACES = Decimal("0.01")
# Cells that were read once: files repeat themselves.
REMEMBERED = 20_000


class BadCell(Exception):
    """A cell that cannot be read; `code` is the reason code."""

    def __init__(self, code: str, reason: str) -> None:
        super().__init__(reason)
        self.code = code


class Doubtful(NamedTuple):
    """A value that is good enough to land, and why a person should look at it."""

    value: Any
    warning: str


Read = Callable[[str], Any]
Cell = tuple[Any, Fault | None, str | None]


class Column:
    """One column: `read` makes a value of a cell's text, `blank` is the value of an empty one."""

    def __init__(self, name: str, read: Read, *, required: bool = False, blank: Any = "") -> None:
        self.name, self.required = name, required
        self._read = read
        missing = Fault("MISSING_VALUE", name, "is required and is empty") if required else None
        self.blank: Cell = (blank, missing, None)
        # What was read before, by its text.
        self.known: dict[str, Cell] = {}

    def cell(self, text: str) -> Cell:
        """Value, fault and warning of a text that is not known yet."""
        made = self._made(text)
        if len(self.known) > REMEMBERED:
            self.known.clear()
        self.known[text] = made
        return made

    def _made(self, text: str) -> Cell:
        try:
            value = self._read(text)
        except BadCell as bad:
            return None, Fault(bad.code, self.name, str(bad)), None
        if isinstance(value, Doubtful):
            return value.value, None, f"{self.name}: {value.warning}"
        return value, None, None


def cells(columns: Sequence[Column], words: Sequence[str]) -> list[Cell]:
    """Value, fault and warning of each word of a row."""
    return [
        (column.known.get(word) or column.cell(word)) if word else column.blank
        for column, word in zip(columns, words, strict=True)
    ]


def text(most: int) -> Read:
    """Text of one line, of at most so many characters; what breaks the line becomes a space, with a warning."""

    def read(cell: str) -> str | Doubtful:
        line = CONTROLS.sub(" ", cell).strip()
        if not line:
            raise BadCell("BAD_FORMAT", "holds nothing but control characters")
        if len(line) > most:
            raise BadCell("TOO_LONG", f"has {len(line)} characters, at most {most} fit")
        return line if line == cell else Doubtful(line, "a line break or control character was read as a space")

    return read


def cut(most: int) -> Read:
    """Text of one line that is cut, with a warning, to so many characters."""
    one_line = text(most)

    def read(cell: str) -> str | Doubtful:
        line = CONTROLS.sub(" ", cell).strip()
        if len(line) <= most:
            return one_line(cell)  # type: ignore[no-any-return]
        return Doubtful(line[:most], f"was cut from {len(line)} to {most} characters")

    return read


def phone(most: int) -> Read:
    """A phone number; zeros alone are none."""
    as_text = text(most)

    def read(cell: str) -> Any:
        if not re.search(r"[1-9]", cell):
            raise BadCell("BAD_FORMAT", f"'{cell[:40]}' is not a phone number")
        return as_text(cell)

    return read


def day(cell: str) -> date:
    """A calendar day."""
    for form in DATES:
        found = form.fullmatch(cell)
        if found:
            try:
                read = date(int(found["year"]), int(found["month"]), int(found["day"]))
            except ValueError:
                break
            if 2000 <= read.year <= 2100:
                return read
            break
    if SHORT_YEAR.fullmatch(cell):
        raise BadCell("BAD_FORMAT", f"'{cell}' has a year of two digits, which may mean either century")
    raise BadCell("BAD_FORMAT", f"'{cell[:40]}' is not a date as dd/MM/yyyy, yyyy-MM-dd or YYYYMMDD")


def whole(least: int, most: int) -> Read:
    """A whole number."""

    def read(cell: str) -> int:
        if not WHOLE.fullmatch(cell):
            raise BadCell("BAD_FORMAT", f"'{cell[:40]}' is not a whole number")
        if not least <= int(cell) <= most:
            raise BadCell("BAD_FORMAT", f"'{cell}' is not between {least} and {most}")
        return int(cell)

    return read


def decimal(most: int) -> Read:
    """A number above 0, kept to two places."""

    def read(cell: str) -> Decimal:
        if not DECIMAL.fullmatch(cell):
            raise BadCell("BAD_FORMAT", f"'{cell[:40]}' is not a number such as 850 or 850.5")
        number = Decimal(cell).quantize(TWO_PLACES)
        if not 0 < number <= most:
            raise BadCell("BAD_FORMAT", f"'{cell}' is not above 0 and at most {most}")
        return number

    return read


def digits(count: int) -> Read:
    """So many digits."""

    def read(cell: str) -> str:
        if not (cell.isascii() and cell.isdigit() and len(cell) == count):
            raise BadCell("BAD_FORMAT", f"'{cell[:40]}' is not {count} digits")
        return cell

    return read


def depot(cell: str) -> str | Doubtful:
    """A depot code; a spreadsheet takes its leading zeros, which come back with a warning."""
    if cell.isascii() and cell.isdigit() and len(cell) < 3:
        padded = cell.zfill(3)
        return Doubtful(padded, f"'{cell}' was read as depot {padded}")
    return str(digits(3)(cell))


def country(cell: str) -> str:
    """A country code of two letters."""
    if not COUNTRY.fullmatch(cell):
        raise BadCell("BAD_FORMAT", f"'{cell[:40]}' is not a country code of two letters such as GB")
    return cell.upper()


def code(table: Mapping[str, Mapping[str, Any]], *, strict: bool) -> Read:
    """A code of a table; an unknown one is refused, or kept with a warning where it is the network's own."""

    def read(cell: str) -> str | Doubtful:
        if cell in table:
            return str(table[cell].get("read_as", cell))
        if strict or len(cell) > 20:
            raise BadCell("UNKNOWN_CODE", f"'{cell[:40]}' is none of {', '.join(table)}")
        return Doubtful(cell, f"unknown code '{cell}' kept as it came")

    return read


def codes(table: Mapping[str, Mapping[str, Any]], *, strict: bool) -> Read:
    """Codes of a table, separated by spaces."""
    one = code(table, strict=strict)

    def read(cell: str) -> list[str] | Doubtful:
        values, warnings = [], []
        for part in cell.split():
            value = one(part)
            if isinstance(value, Doubtful):
                warnings.append(value.warning)
                value = value.value
            values.append(value)
        return Doubtful(values, "; ".join(warnings)) if warnings else values

    return read
