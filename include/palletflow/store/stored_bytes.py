"""Which bytes of the object storage the order store's rows name: those of documents, and of files in quarantine.

Other digests that rows keep name no bytes there: of a CSV file that was read, of a photo as it was sent to a network,
of an answer that held photos.
"""

from collections.abc import Collection, Iterator
from datetime import datetime

from palletflow.store.connection import Connection

DOCUMENTS, QUARANTINE = "documents", "quarantined_files"
# For store.session_lock: whoever takes bytes away holds it, and whoever copies all that are named.
UPKEEP = "upkeep of the object storage"
# Digests that begin with one byte; a bytea is longer than its own beginning.
PART = "sha256 >= %(from)s AND (%(to)s::bytea IS NULL OR sha256 < %(to)s)"
OF_PART = f"SELECT DISTINCT sha256, size FROM {{table}} WHERE {PART}"  # noqa: S608 - our own constants
NAMED = "SELECT DISTINCT sha256 FROM {table} WHERE sha256 = ANY (%s)"
ALL = "SELECT DISTINCT sha256, size FROM {table} WHERE sha256 IS NOT NULL ORDER BY sha256"
LOST = "INSERT INTO lost_documents (sha256, found_at) SELECT unnest(%s::bytea[]), %s ON CONFLICT DO NOTHING"
FOUND = f"DELETE FROM lost_documents WHERE {PART} AND sha256 <> ALL (%(lost)s)"  # noqa: S608
PAGE = 5_000


def of_part(conn: Connection, table: str, first: int) -> dict[bytes, int]:
    """Digest and size of what a table names of the digests that begin with the byte `first`."""
    return dict(conn.execute(OF_PART.format(table=table).encode(), _part(first)).fetchall())


def named(conn: Connection, table: str, digests: Collection[bytes]) -> set[bytes]:
    """Which of these digests a table names."""
    return {row[0] for row in conn.execute(NAMED.format(table=table).encode(), (list(digests),))}


def every(conn: Connection, table: str) -> Iterator[tuple[bytes, int]]:
    """Digest and size of all that a table names, in order; within a transaction of the caller's."""
    with conn.cursor(f"bytes_of_{table}") as cursor:
        cursor.itersize = PAGE
        yield from cursor.execute(ALL.format(table=table).encode())


def lost(conn: Connection, first: int, digests: Collection[bytes], at: datetime) -> tuple[int, int]:
    """Keeps which documents of a part have no bytes, and forgets those that have them again: how many are new, how many
    were forgotten."""
    with conn.transaction():
        found = conn.execute(FOUND.encode(), {**_part(first), "lost": list(digests)}).rowcount
        return conn.execute(LOST, (list(digests), at)).rowcount, found


def _part(first: int) -> dict[str, bytes | None]:
    return {"from": bytes([first]), "to": bytes([first + 1]) if first < 0xFF else None}
