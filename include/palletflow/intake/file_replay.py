"""Replays quarantined rows of a file: rows that belong together are read together again (contract 8.1, 8.2).

No order lands in part: who replays one row of an order replays all its rows that wait with it.
"""

import json
from collections.abc import Sequence
from typing import Any

from palletflow.intake.file_import import Numbered, Staging
from palletflow.intake.file_kinds import FileKind, FileKinds, Layout
from palletflow.intake.files import FileRow
from palletflow.intake.flow import Translated
from palletflow.intake.template import Fault
from palletflow.store import quarantine
from palletflow.store.connection import Connection
from palletflow.store.imports import Batch, Counts
from palletflow.store.quarantine import Quarantined


def replay_rows(conn: Connection, kinds: FileKinds, records: Sequence[Quarantined], batch: Batch) -> Counts:
    """Replays rows of one reading of a file, with the rows they belong to; what is still wrong stays in quarantine."""
    kind = kinds.of_stream(records[0].stream)
    asked = {record.id for record in records}
    layout, groups = _grouped(kind, quarantine.of_batch(conn, records[0].batch_id))
    staging = Staging(conn, batch.network, kind, layout, records[0].read_at)
    for group in groups:
        if not asked.isdisjoint(row.record.id for row, _ in group):
            _stage(staging, kind, layout, group)
    return staging.store(batch._replace(numbered=kinds.numbered))


def headings_of(conn: Connection, kinds: FileKinds, record: Quarantined) -> list[str]:
    """The columns a row may have: those of its file as far as they are known here, then the others of its kind."""
    kind = kinds.of_stream(record.stream)
    layout, _ = _grouped(kind, quarantine.of_batch(conn, record.batch_id))
    others = [
        source.headings[0]
        for field, source in kind.sources.items()
        if layout.places[field] is None and source.constant is None and source.headings
    ]
    return [*layout.headings, *others]


def preview_row(conn: Connection, kinds: FileKinds, record: Quarantined) -> Translated:
    """What a row would become, with the rows it belongs to; its faults have the file's own headings. Stores nothing.

    `record` is the row as a person has corrected it by now, whatever is kept of that.
    """
    kind = kinds.of_stream(record.stream)
    rows = [record if one.id == record.id else one for one in quarantine.of_batch(conn, record.batch_id)]
    layout, groups = _grouped(kind, rows)
    group = next(group for group in groups if any(row.record.id == record.id for row, _ in group))
    read = kind.read([layout.row(found) for _, found in group])
    place = [row.record.id for row, _ in group].index(record.id)
    faults = [Fault(fault.code, layout.heading(fault.field), fault.reason) for fault in read.faults[place]]
    return Translated(read.consignment, faults, read.warnings, False)


def _grouped(kind: FileKind, records: Sequence[Quarantined]) -> tuple[Layout, list[list[tuple["_Row", FileRow]]]]:
    """Rows of one reading of a file as they belong together, under all the headings that they have."""
    rows = [_Row(record) for record in records]
    headings = list(dict.fromkeys(heading for row in rows for heading in row.cells))
    layout = Layout(kind, headings)
    groups: dict[object, list[tuple[_Row, FileRow]]] = {}
    for row in rows:
        found = row.found(headings)
        groups.setdefault(layout.group(found) or row.record.id, []).append((row, found))
    return layout, list(groups.values())


class _Row:
    """A quarantined row and what stands in it now, corrected or not; nothing when it is no row of a table."""

    def __init__(self, record: Quarantined) -> None:
        self.record = record
        self.kept = Numbered(record.id, record.raw, b"")
        said: Any = json.loads(record.corrected or record.raw)
        self.cells = {str(name): _text(value) for name, value in said.items()} if isinstance(said, dict) else {}

    def found(self, headings: Sequence[str]) -> FileRow:
        """The row under all the headings that its file has here."""
        number = self.record.row_number or 0
        if not self.cells:
            return FileRow(number, (), self.record.raw, Fault(self.record.reason_code, "", self.record.reason))
        return FileRow(number, tuple(self.cells.get(heading, "") for heading in headings), "", None)


def _text(value: Any) -> str:
    return "" if value is None else str(value)


def _stage(staging: Staging, kind: FileKind, layout: Layout, group: Sequence[tuple[_Row, FileRow]]) -> None:
    """Stages a group. Where only the first row of a key counts, what is more of it stays more until it is corrected."""
    if kind.most_rows > 1:
        staging.add_rows([layout.row(found) for _, found in group], [row.kept for row, _ in group])
        return
    for row, found in group:
        said = layout.row(found)
        repeated = row.record.reason_code == kind.surplus.code
        if repeated and not said.fault and kind.record_key(said.words) == row.record.record_key:
            staging.reject([said], [row.kept], kind.surplus)
        else:
            staging.add_rows([said], [row.kept])
