"""Imports one file: read, group, read what its rows say, stage, and store it all in one transaction (contract 8)."""

import gc
import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from json.encoder import encode_basestring
from typing import BinaryIO, NamedTuple

from palletflow.deployment import Deployment
from palletflow.intake.file_groups import grouped
from palletflow.intake.file_kinds import FileKind, FileKinds, Layout, Row, told_apart
from palletflow.intake.files import FileRejected, FileRow, Identity, Table, identify
from palletflow.intake.template import Fault
from palletflow.orders.consignment import Consignment
from palletflow.store import customers, files, imports
from palletflow.store.connection import Connection
from palletflow.store.files import AlreadyRead, InboundFile, ReadFile
from palletflow.store.imports import Batch, StagedRecord

# Groups whose digests are looked up, and that are staged, at a time; fewer when they are long.
CHUNK, CHUNK_CHARACTERS = 1000, 16 << 20
YOUNG_OBJECTS = 20_000
UNKNOWN_KIND = "file"
# Of many unknown columns the first are enough to see what is wrong.
MOST_NAMED = 20
# A day without orders is sent like that, and so is an export that went wrong.
NO_ROWS = "the file has a header and no rows"


class Imported(NamedTuple):
    """What became of a file; `before`: an earlier run had read it, and nothing of it was read now."""

    file: ReadFile
    before: bool


class Numbered(NamedTuple):
    """Rows of a replay or a file, with what is kept of each: (record id, raw form, digest of the raw form)."""

    record_id: int | None
    raw: str
    raw_digest: bytes


def import_file(
    conn: Connection,
    network: str,
    kinds: FileKinds,
    plan: Deployment,
    file: BinaryIO,
    name: str,
    *,
    asked: str | None,
    now: datetime,
    run: str,
    actor: str,
    unchanged: Callable[[], bool] = lambda: True,
) -> Imported:
    """Imports a file under its name; `asked` is the kind a person gave, None tells it from the headings.

    A file of the same name and content that was read before is not read again, unless it was rejected. `unchanged`
    tells at the end whether the file is still what was read.
    Raises FileMoved when it is not, psycopg.Error.
    """
    identity = identify(file, kinds.limits)
    held = files.find(conn, network, name, identity.sha256)
    if held and held.outcome != files.REJECTED:
        return Imported(held, before=True)
    inbound = InboundFile(network, UNKNOWN_KIND, name, identity.sha256, identity.size, run, [])
    try:
        try:
            table = Table(file, identity, kinds.limits)
            kind, layout = told_apart(kinds, table.headings, asked)
            # Without headings every column has a number, and most are nobody's.
            unknown = _unknown(layout) if kinds.limits.headed else []
            inbound = inbound._replace(stream=kind.stream, warnings=unknown)
            customers.sync(conn, plan.customer_names(), plan.account_rows())
            staging = Staging(conn, network, kind, layout, now)
            with _few_collections():
                rows = staging.add_file(table, inbound, identity)
            if not unchanged():
                raise FileMoved(f"{name} changed while it was read; it is read again later")
            if not rows:
                inbound = inbound._replace(warnings=[*inbound.warnings, NO_ROWS])
            batch = Batch(network, kind.stream, name, run, actor, now, file=inbound, numbered=kinds.numbered)
            staging.store(batch)
        except FileRejected as rejected:
            if not unchanged():
                raise FileMoved(f"{name} changed while it was read; it is read again later") from rejected
            files.record_rejected(conn, inbound, str(rejected))
    except AlreadyRead:
        pass
    found = files.find(conn, network, name, identity.sha256)
    assert found is not None  # it was recorded, by us or by who was faster
    return Imported(found, before=False)


@contextmanager
def _few_collections() -> Iterator[None]:
    """Rows are many objects and no cycles; to look for those as often as usual takes as long as reading the rows."""
    before = gc.get_threshold()
    gc.set_threshold(YOUNG_OBJECTS, *before[1:])
    try:
        yield
    finally:
        gc.set_threshold(*before)


class FileMoved(Exception):
    """Somebody still writes the file; nothing of it was kept."""


def _unknown(layout: Layout) -> list[str]:
    named = [f"column '{heading[:60]}' is unknown and not read" for heading in layout.unknown[:MOST_NAMED]]
    more = len(layout.unknown) - MOST_NAMED
    return [*named, f"{more} more columns are unknown and not read"] if more > 0 else named


class Staging:
    """Puts groups of rows into the session's staging table, then stores them all at once."""

    def __init__(self, conn: Connection, network: str, kind: FileKind, layout: Layout, read_at: datetime) -> None:
        self._conn, self._network, self._kind, self._layout, self._read_at = conn, network, kind, layout, read_at
        self._unchanged = 0
        self._staged: list[StagedRecord] = []
        self._characters = 0
        imports.prepare(conn)

    def add_file(self, table: Table, file: InboundFile, identity: Identity) -> int:
        """Stages a whole file; how many rows it has. Raises FileRejected."""
        layout, kind = self._layout, self._kind
        count = 0
        keeper = _Keeper(table.headings, file)
        waiting: list[list[FileRow]] = []
        characters = 0
        for rows, surplus in grouped(table.rows(), layout.group, kind.most_rows, identity.size):
            count += len(rows)
            if surplus:
                self.reject([layout.row(row) for row in rows], [keeper(row) for row in rows], kind.surplus)
                self._copy(CHUNK)
                continue
            waiting.append(rows)
            characters += sum([sum(map(len, row.cells)) + len(row.text) for row in rows])
            if len(waiting) >= CHUNK or characters >= CHUNK_CHARACTERS:
                self._add_groups(waiting, keeper)
                waiting, characters = [], 0
        self._add_groups(waiting, keeper)
        return count

    def _add_groups(self, groups: Sequence[Sequence[FileRow]], keeper: "_Keeper") -> None:
        read = []
        for group in groups:
            rows = [self._layout.row(row) for row in group]
            key = "" if rows[0].fault else self._kind.record_key(rows[0].words)
            read.append((group, rows, key, self._digest(rows)))
        held = self._held([key for *_, key, _ in read if key])
        for group, rows, key, digest in read:
            if held.get(key) == digest and not any(row.fault for row in rows):
                self._unchanged += len(rows)
            else:
                self.add(rows, key, digest, [keeper(row) for row in group])
        self._copy(0)

    def _held(self, keys: list[str]) -> dict[str, bytes]:
        source = self._kind.rules.order_source
        if source:
            return imports.order_digests(self._conn, source, keys)
        return imports.digests(self._conn, self._network, keys)

    def _digest(self, rows: Iterable[Row]) -> bytes:
        said = "\x1e".join("\x1f".join(row.words) for row in rows)
        return hashlib.sha256((self._kind.version or b"") + said.encode()).digest()

    def add_rows(self, rows: Sequence[Row], kept: Sequence[Numbered]) -> None:
        """Stages the rows of one group whatever is held of it."""
        key = "" if rows[0].fault else self._kind.record_key(rows[0].words)
        self.add(rows, key, self._digest(rows), kept)

    def add(self, rows: Sequence[Row], key: str, digest: bytes, kept: Sequence[Numbered]) -> None:
        """Stages the rows of one group, with what they say together or why they are rejected."""
        consignment, faults, warnings = self._kind.read(rows)
        head = None
        for row, wrong, keep in zip(rows, faults, kept, strict=True):
            self._staged.append(self._record(row, key, digest, keep, wrong, head, warnings, consignment))
            if consignment is not None:
                head, warnings, consignment = row.number, [], None

    def reject(self, rows: Sequence[Row], kept: Sequence[Numbered], fault: Fault) -> None:
        """Stages rows that are rejected without being read."""
        for row, keep in zip(rows, kept, strict=True):
            key = "" if row.fault else self._kind.record_key(row.words)
            self._staged.append(self._record(row, key, b"", keep, [row.fault or fault], None, [], None))

    def _record(
        self,
        row: Row,
        key: str,
        digest: bytes,
        kept: Numbered,
        faults: Sequence[Fault],
        part_of: int | None,
        warnings: list[str],
        consignment: Consignment | None,
    ) -> StagedRecord:
        self._characters += len(kept.raw)
        return StagedRecord(
            ordinal=row.number,
            record_id=kept.record_id,
            record_key=key,
            source_key=key if self._kind.rules.order_source else None,
            row_number=row.number,
            part_of=part_of,
            raw=kept.raw,
            raw_digest=kept.raw_digest,
            input_digest=digest,
            read_at=self._read_at,
            only_if_known=False,
            left_out=False,
            reason_code=faults[0].code if faults else None,
            field=self._layout.heading(faults[0].field) or None if faults else None,
            reason="; ".join(self._worded(fault) for fault in faults) or None,
            warnings=warnings,
            consignment=consignment,
        )

    def _worded(self, fault: Fault) -> str:
        return f"{self._layout.heading(fault.field)}: {fault.reason}" if fault.field else fault.reason

    def _copy(self, least: int) -> None:
        if len(self._staged) > least or self._characters >= CHUNK_CHARACTERS:
            imports.stage(self._conn, self._staged)
            self._staged, self._characters = [], 0

    def store(self, batch: Batch) -> imports.Counts:
        """Stores what is staged by the rules of its kind. Raises AlreadyRead."""
        self._copy(0)
        rules = self._kind.rules
        named = rules._replace(
            key_column=self._layout.heading(rules.key_column), number_column=self._layout.heading(rules.number_column)
        )
        return imports.store(self._conn, batch._replace(rules=named), self._unchanged)


class _Keeper:
    """Makes what is kept of each row of a file: heading to cell as JSON, blanks left out; bad rows as they stand."""

    def __init__(self, headings: Sequence[str], file: InboundFile) -> None:
        self._names = [encode_basestring(heading) + ":" for heading in headings]
        self._place = hashlib.sha256(file.name.encode(errors="surrogateescape") + b"\0" + file.sha256)

    def __call__(self, row: FileRow) -> Numbered:
        if row.fault:
            raw = json.dumps(row.text, ensure_ascii=False)
        else:
            cells = zip(self._names, row.cells, strict=True)
            raw = "{" + ",".join([name + encode_basestring(cell) for name, cell in cells if cell]) + "}"
        digest = self._place.copy()
        digest.update(str(row.number).encode())
        return Numbered(None, raw, digest.digest())
