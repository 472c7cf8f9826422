"""Files that were read: each once, what became of it, and its quarantined rows for the report (contract 8.1)."""

from collections.abc import Iterator
from datetime import datetime
from typing import NamedTuple

from palletflow.store.connection import Connection

DONE, PARTIAL, REJECTED, SKIPPED = "DONE", "PARTIAL", "REJECTED", "SKIPPED"


class InboundFile(NamedTuple):
    """A file as it came. `sha256` is the digest of its content, `size` is in bytes, `run` names who reads it."""

    network: str
    stream: str
    name: str
    sha256: bytes
    size: int
    run: str
    warnings: list[str]


class ReadFile(NamedTuple):
    """What became of a file. The counts are rows: read, landed, unchanged, quarantined; `consignments` were made.

    `put_away`: its report is written and it lies where read files lie.
    """

    id: int
    outcome: str
    reason: str | None
    read_at: datetime
    put_away: bool
    stream: str
    warnings: list[str]
    read: int
    landed: int
    unchanged: int
    quarantined: int
    consignments: int


class QuarantinedRow(NamedTuple):
    """One bad row; `record_id` is its id in quarantine, `column` None when the row as a whole is wrong."""

    row_number: int
    column: str | None
    reason_code: str
    reason: str
    raw: str
    record_id: int


class AlreadyRead(Exception):
    """Somebody else read the file meanwhile; nothing of this reading is kept."""


FIND = """
SELECT f.id, f.outcome, f.reason, f.read_at, f.put_away_at IS NOT NULL, f.stream, f.warnings,
       coalesce(b.records, 0), coalesce(b.created + b.updated, 0), coalesce(b.unchanged + b.ignored, 0),
       coalesce(b.rejected, 0),
       (SELECT count(DISTINCT r.consignment_id) FROM inbound_records r
        WHERE r.batch_id = f.batch_id AND r.outcome = 'created')
FROM inbound_files f LEFT JOIN inbound_batches b ON b.id = f.batch_id
WHERE (f.network, f.name, f.sha256) = (%s, %s, %s)
"""
# What was rejected whole landed nothing, so it may be tried again.
RECORD = """
INSERT INTO inbound_files AS held (network, stream, name, sha256, size, run, warnings, outcome, reason, batch_id)
VALUES (%(network)s, %(stream)s, %(name)s, %(sha256)s, %(size)s, %(run)s, %(warnings)s, %(outcome)s, %(reason)s,
        %(batch_id)s)
ON CONFLICT (network, name, sha256) DO UPDATE
SET stream = excluded.stream, run = excluded.run, warnings = excluded.warnings, outcome = excluded.outcome,
    reason = excluded.reason, batch_id = excluded.batch_id, read_at = now(), put_away_at = NULL
WHERE held.outcome = 'REJECTED'
"""
QUARANTINED = """
SELECT r.row_number, r.field, r.reason_code, r.reason, r.raw, r.id
FROM inbound_records r JOIN inbound_files f ON f.batch_id = r.batch_id
WHERE f.id = %s AND r.outcome = 'rejected' ORDER BY r.row_number
"""
# Of many different warnings the most frequent are enough to see what is wrong.
WARNINGS = """
SELECT warning, count(*)
FROM inbound_records r JOIN inbound_files f ON f.batch_id = r.batch_id, unnest(r.warnings) warning
WHERE f.id = %s GROUP BY warning ORDER BY count(*) DESC, warning LIMIT 50
"""
PAGE = 1000


def find(conn: Connection, network: str, name: str, sha256: bytes) -> ReadFile | None:
    """What became of a file of this name and content; None when it was never read."""
    row = conn.execute(FIND, (network, name, sha256)).fetchone()
    return ReadFile(*row) if row else None


def record_read(conn: Connection, file: InboundFile, batch_id: int, quarantined: int) -> None:
    """Remembers a file with the batch it brought, in the batch's transaction. Raises AlreadyRead."""
    _record(conn, file, PARTIAL if quarantined else DONE, None, batch_id)


def record_rejected(conn: Connection, file: InboundFile, reason: str) -> None:
    """Remembers a file that was rejected whole. Raises AlreadyRead."""
    _record(conn, file, REJECTED, reason, None)


def _record(conn: Connection, file: InboundFile, outcome: str, reason: str | None, batch_id: int | None) -> None:
    values = {**file._asdict(), "outcome": outcome, "reason": reason, "batch_id": batch_id}
    if not conn.execute(RECORD, values).rowcount:
        raise AlreadyRead(f"{file.name} was read by another run meanwhile")


def put_away(conn: Connection, file_id: int) -> None:
    """Remembers that the report is written and the file lies where read files lie."""
    conn.execute("UPDATE inbound_files SET put_away_at = now() WHERE id = %s AND put_away_at IS NULL", (file_id,))


def quarantined(conn: Connection, file_id: int) -> Iterator[QuarantinedRow]:
    """The rows of a file that were quarantined when it was read, in the file's order, few in memory at a time."""
    with conn.transaction(), conn.cursor("quarantined_rows") as cursor:
        cursor.itersize = PAGE
        cursor.execute(QUARANTINED, (file_id,))
        for row in cursor:
            yield QuarantinedRow(*row)


def warnings(conn: Connection, file_id: int) -> dict[str, int]:
    """Warnings of the rows of a file and how many rows have each, the most frequent first."""
    return dict(conn.execute(WARNINGS, (file_id,)).fetchall())
