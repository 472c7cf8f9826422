"""What a network's kind of CSV file is to the import flow, and which columns of a file are which of its fields."""

from collections.abc import Callable, Mapping, Sequence
from operator import itemgetter
from typing import NamedTuple, Protocol

from palletflow.intake.files import FileRejected, FileRow, Limits, normal
from palletflow.intake.template import Fault
from palletflow.orders.consignment import Consignment
from palletflow.store.connection import Connection
from palletflow.store.file_rules import FileRules


class Source(NamedTuple):
    """Where a field of a kind comes from: the first of these headings that a file has, or a constant."""

    headings: tuple[str, ...]
    constant: str | None = None


class Row(NamedTuple):
    """A row as words: the trimmed text of each field of its kind, "" where the file has no such column.

    `fault`: it is no row of the file's table, and `words` is empty.
    """

    number: int
    words: Sequence[str]
    fault: Fault | None


class RowsRead(NamedTuple):
    """What rows of one group became: a consignment, or for each row the faults that reject it; warnings either way."""

    consignment: Consignment | None
    faults: list[list[Fault]]
    warnings: list[str]


class FileKind(Protocol):
    """One kind of file of a network. Pure: nothing but its plan and template decides what rows become.

    `stream` names it in the order store. `sources`: field to where it comes from. `required`: of each of these groups a
    file must have at least one column. Rows with the same `group_by` belong together, at most `most_rows` of them;
    `surplus` is the fault of what is more. `version`: part of the digest of what a row says, so that rows are read anew
    when they could mean something else; None where only the words count.
    """

    @property
    def stream(self) -> str: ...
    @property
    def rules(self) -> FileRules: ...
    @property
    def sources(self) -> Mapping[str, Source]: ...
    @property
    def required(self) -> Sequence[tuple[str, ...]]: ...
    @property
    def group_by(self) -> str: ...
    @property
    def most_rows(self) -> int: ...
    @property
    def surplus(self) -> Fault: ...
    @property
    def version(self) -> bytes | None: ...

    def record_key(self, words: Sequence[str]) -> str:
        """The key of the group that has this first row, "" when it has none."""

    def read(self, rows: Sequence[Row]) -> RowsRead:
        """Rows of one group, in the file's order. Never raises for bad data."""


class FileKinds(NamedTuple):
    """The kinds of files of a network, by name, and the limits of all.

    `numbered` is told, in the transaction that makes them, of consignments with a tracking number that a file gave them
    and no import of the network's own.
    """

    kinds: Mapping[str, FileKind]
    limits: Limits
    numbered: Callable[[Connection, list[int]], None]

    def of_stream(self, stream: str) -> FileKind:
        """The kind by its name in the order store. Raises KeyError."""
        return {kind.stream: kind for kind in self.kinds.values()}[stream]


class Layout:
    """Which column of a file, by its `headings`, is which field of its kind. `unknown`: headings that are none."""

    def __init__(self, kind: FileKind, headings: Sequence[str]) -> None:
        places: dict[str, int] = {}
        for column, heading in enumerate(headings):
            places.setdefault(normal(heading), column)
        self.headings = headings
        self.places = {field: _place(source, places) for field, source in kind.sources.items()}
        # What the file does not have stands behind its cells: nothing, and each constant.
        constants = [source.constant for source in kind.sources.values() if source.constant is not None]
        self._behind = ("", *constants)
        places_of_constants = iter(range(len(headings) + 1, len(headings) + 1 + len(constants)))
        taken: list[int] = []
        for field, source in kind.sources.items():
            place = self.places[field]
            if source.constant is not None:
                place = next(places_of_constants)
            taken.append(len(headings) if place is None else place)
        self._taken = itemgetter(*taken)
        used = {place for place in self.places.values() if place is not None}
        self.unknown = [heading for place, heading in enumerate(headings) if heading and place not in used]
        names = [normal(heading) for heading in headings]
        self.doubled = sorted({headings[place] for place in used if names.count(names[place]) > 1})
        self.missing = [
            group
            for group in kind.required
            if not any(self.places[field] is not None or kind.sources[field].constant is not None for field in group)
        ]
        self._group = self.places[kind.group_by]
        self._groups_bad_rows = kind.most_rows > 1

    def heading(self, field: str) -> str:
        """What the file calls a field."""
        place = self.places.get(field)
        return field if place is None else self.headings[place]

    def row(self, row: FileRow) -> Row:
        """The words of a row."""
        if row.fault:
            return Row(row.number, (), row.fault)
        return Row(row.number, [*map(str.strip, self._taken(row.cells + self._behind))], None)

    def group(self, row: FileRow) -> str:
        """The key that a row is grouped by, as far as it can be made out."""
        if self._group is None or (row.fault and not self._groups_bad_rows) or len(row.cells) <= self._group:
            return ""
        return row.cells[self._group].strip()


def _place(source: Source, places: Mapping[str, int]) -> int | None:
    for heading in source.headings:
        if normal(heading) in places:
            return places[normal(heading)]
    return None


def told_apart(kinds: FileKinds, headings: Sequence[str], asked: str | None) -> tuple[FileKind, Layout]:
    """The kind of a file by its headings, or the kind asked for. Raises FileRejected when it cannot be that."""
    layouts = {name: Layout(kind, headings) for name, kind in kinds.kinds.items() if asked is None or name == asked}
    if not layouts:
        raise FileRejected(f"was given as '{asked}', and the kinds of files are {', '.join(kinds.kinds)}")
    name = max(layouts, key=lambda name: (not layouts[name].missing, -len(layouts[name].unknown)))
    layout = layouts[name]
    if kinds.limits.headed and all(place is None for place in layout.places.values()):
        other = next((sign for sign in ",;\t|" if sign != kinds.limits.delimiter and sign in headings[0]), None)
        raise FileRejected(
            "has no header: no column of its first line is known"
            + (
                f"; its cells seem to be separated by {other!r}, the setting is {kinds.limits.delimiter!r}"
                if other
                else ""
            )
        )
    if layout.missing:
        columns = ", ".join(" or ".join(group) for group in layout.missing)
        if not kinds.limits.headed:
            columns += f"; it has {len(headings)} columns, and the template says which of them is what"
        raise FileRejected(f"lacks required columns of a file of {name}: {columns}")
    if layout.doubled:
        raise FileRejected(f"has the column {', '.join(layout.doubled)} twice")
    return kinds.kinds[name], layout
