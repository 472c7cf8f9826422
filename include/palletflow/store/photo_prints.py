"""What is kept of the photos of a consignment to know them again: of those fetched, and of those uploaded by us.

A print stays when its document goes, so that a photo somebody removed does not come back by itself.
"""

from collections.abc import Sequence
from typing import NamedTuple, Protocol

from psycopg.rows import class_row

from palletflow.store.connection import Connection

FETCHED, UPLOADED = "fetched", "uploaded"
KNOWN = """
SELECT document_id, origin, exact, width, height, hash, grey, photo_like FROM photo_prints
WHERE consignment_id = %s ORDER BY id
"""
ADD = """
INSERT INTO photo_prints (consignment_id, document_id, origin, exact, width, height, hash, grey, photo_like)
VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s) ON CONFLICT (consignment_id, exact) DO NOTHING
"""


class Fingerprint(Protocol):
    """What a picture is known by (palletflow.documents.fingerprints)."""

    @property
    def exact(self) -> bytes: ...  # SHA-256 of its pixels
    @property
    def width(self) -> int: ...
    @property
    def height(self) -> int: ...
    @property
    def hash(self) -> bytes: ...  # 32 bytes
    @property
    def grey(self) -> bytes: ...  # 4,096 bytes
    @property
    def photo_like(self) -> bool: ...


class KnownPrint(NamedTuple):
    """A photo that a consignment has. `document_id` None: its document is gone, or never was one here."""

    document_id: int | None
    origin: str
    exact: bytes
    width: int
    height: int
    hash: bytes
    grey: bytes
    photo_like: bool


def known(conn: Connection, consignment_id: int) -> list[KnownPrint]:
    """The photos that a consignment has or had, in the order they came."""
    with conn.cursor(row_factory=class_row(KnownPrint)) as cursor:
        return cursor.execute(KNOWN, (consignment_id,)).fetchall()


def add(
    conn: Connection,
    consignment_id: int,
    fingerprints: Sequence[Fingerprint],
    *,
    document_id: int | None,
    origin: str,
) -> None:
    """Adds photos within the caller's transaction; `origin`: "fetched" or "uploaded". One that is known stays as it is.

    Of what is uploaded they are added before the transfer begins, so that what comes back is never taken for new.
    """
    with conn.cursor() as cursor:
        cursor.executemany(
            ADD,
            [
                (consignment_id, document_id, origin, p.exact, p.width, p.height, p.hash, p.grey, p.photo_like)
                for p in fingerprints
            ],
        )
