"""The regular order import flow: land the raw record, map it by the template, validate, upsert, write activity.

The same for every source. A record that cannot become a consignment is quarantined with its reason and raw form and
stops nobody; a system fault (order store gone) is raised and nothing of the batch is kept.
"""

import hashlib
import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple, Protocol

from palletflow.intake.template import Fault
from palletflow.orders.consignment import Consignment
from palletflow.store import imports
from palletflow.store.connection import Connection
from palletflow.store.imports import Batch, Counts, StagedRecord

# Records mapped and staged at a time: few round trips to the order store, and memory that does not grow with a window.
CHUNK = 1000


class Translated(NamedTuple):
    """What a network's mapper made of a record: a consignment, or the faults that reject it; warnings either way.

    `only_if_known`: it may update an order we hold but makes none. `left_out`: why it is none of our
    orders at all, which nobody has to mend.
    """

    consignment: Consignment | None
    faults: list[Fault]
    warnings: list[str]
    only_if_known: bool
    left_out: Fault | None = None


class Translator(Protocol):
    """A network's mapper. `version` changes whenever the same record could map differently."""

    version: bytes

    def key(self, record: Any) -> str:
        """The record's own key (a tracking number), "" when it has none."""

    def translate(self, record: Any) -> Translated:
        """Never raises for bad data; faults say what is wrong with it."""


class Refusing:
    """A translator that refuses whatever it is given, for a reason that is not in the record itself."""

    def __init__(self, version: bytes, key: str, fault: Fault) -> None:
        self.version, self._key, self._fault = version, key, fault

    def key(self, _record: Any) -> str:
        """The one it was made for."""
        return self._key

    def translate(self, _record: Any) -> Translated:
        """Its fault."""
        return Translated(None, [self._fault], [], False)


class Intake:
    """Collects the records of one batch in the session's staging table, then stores them all at once."""

    def __init__(self, conn: Connection, network: str, translator: Translator) -> None:
        self._conn, self._network, self._translator = conn, network, translator
        self.warnings: dict[str, int] = {}
        self.discard()

    def discard(self) -> None:
        """Forgets what was added: before another batch, or for one that must be read anew."""
        imports.prepare(self._conn)
        self._waiting: list[tuple[Any, datetime]] = []
        self._staged = self._unchanged = 0
        self._seen: set[str] = set()
        self.warnings.clear()

    def add(self, records: Sequence[Any], read_at: datetime) -> None:
        """Takes records, oldest first. `read_at`: when they were asked for."""
        self._waiting += [(record, read_at) for record in records]
        if len(self._waiting) >= CHUNK:
            self._stage_waiting()

    def _stage_waiting(self) -> None:
        raw = [(record, read_at, _raw(record), self._translator.key(record)) for record, read_at in self._waiting]
        self._waiting = []
        held = imports.digests(self._conn, self._network, [key for *_, key in raw if key])
        staged: list[StagedRecord] = []
        for record, read_at, text, key in raw:
            raw_digest = hashlib.sha256(text.encode()).digest()
            # A key that came before in this batch is staged whatever it says: the last word counts.
            if held.get(key) == self._input_digest(raw_digest) and key not in self._seen:
                self._unchanged += 1
            else:
                ordinal = self._staged + len(staged)
                staged.append(self._translated(ordinal, None, key, record, text, raw_digest, read_at))
            self._seen.add(key)
        self._stage(staged)

    def replay(self, record_id: int, text: str, read_at: datetime) -> None:
        """Stages a quarantined record again, in its raw or corrected form."""
        record = parsed(text)
        raw_digest = hashlib.sha256(text.encode()).digest()
        key = self._translator.key(record)
        self._stage([self._translated(self._staged, record_id, key, record, text, raw_digest, read_at)])

    def store(self, batch: Batch) -> Counts:
        """Stores the batch in one transaction with its watermark; discard() before the next one."""
        self._stage_waiting()
        return imports.store(self._conn, batch, self._unchanged)

    def _input_digest(self, raw_digest: bytes) -> bytes:
        return hashlib.sha256(self._translator.version + raw_digest).digest()

    def _translated(
        self,
        ordinal: int,
        record_id: int | None,
        key: str,
        record: Any,
        text: str,
        raw_digest: bytes,
        read_at: datetime,
    ) -> StagedRecord:
        consignment, faults, warnings, only_if_known, left_out = self._translator.translate(record)
        faults = [left_out] if left_out else faults
        for warning in warnings:
            self.warnings[warning] = self.warnings.get(warning, 0) + 1
        return StagedRecord(
            ordinal=ordinal,
            record_id=record_id,
            record_key=key,
            source_key=None,
            row_number=None,
            part_of=None,
            raw=text,
            raw_digest=raw_digest,
            input_digest=self._input_digest(raw_digest),
            read_at=read_at,
            only_if_known=only_if_known,
            left_out=left_out is not None,
            reason_code=faults[0].code if faults else None,
            field=faults[0].field if faults else None,
            reason="; ".join(fault.reason for fault in faults) or None,
            warnings=warnings,
            consignment=consignment,
        )

    def _stage(self, staged: list[StagedRecord]) -> None:
        if staged:
            imports.stage(self._conn, staged)
            self._staged += len(staged)


def parsed(text: str) -> Any:
    """A record as it is kept; the text itself where it is no JSON."""
    try:
        return json.loads(text)
    except ValueError:
        return text


def _raw(record: Any) -> str:
    text = json.dumps(record, ensure_ascii=False, separators=(",", ":"))
    try:
        text.encode()
    except UnicodeEncodeError:  # half a surrogate pair: keep it as its escape
        text = json.dumps(record, separators=(",", ":"))
    return text
