"""Files of a network that were not what they should be: kept for operators for a while, each once a reason.

The bytes lie in object storage. Whoever keeps a file calls `touch`, then stores the bytes, then `add`; with that order
`delete_older` never takes away bytes that somebody is about to name.
"""

from datetime import datetime
from typing import NamedTuple

from psycopg.rows import class_row

from palletflow.store.connection import Connection

COLUMNS = "network, tracking_number, reason, detail, sha256, size, method, url"
TOUCH = "UPDATE quarantined_files SET seen_at = greatest(seen_at, %(at)s) WHERE sha256 = %(sha256)s"
ADD = f"""
INSERT INTO quarantined_files AS held ({COLUMNS}, received_at, seen_at)
VALUES (%(network)s, %(tracking_number)s, %(reason)s, %(detail)s, %(sha256)s, %(size)s, %(method)s, %(url)s, %(at)s,
        %(at)s)
ON CONFLICT (network, tracking_number, reason, sha256) DO UPDATE
SET seen_at = greatest(held.seen_at, excluded.seen_at)
"""  # noqa: S608 - names are our own constants
LISTED = f"""
SELECT id, {COLUMNS}, received_at FROM quarantined_files
WHERE network = coalesce(%(network)s, network)
ORDER BY received_at DESC, id DESC
"""  # noqa: S608
DELETE = """
DELETE FROM quarantined_files WHERE seen_at < %s RETURNING sha256
"""
LEFT = "SELECT DISTINCT sha256 FROM quarantined_files WHERE sha256 = ANY (%s)"


class QuarantinedFile(NamedTuple):
    """A file to keep. `reason`: a word such as malformed, `detail` what was wrong. `url` holds no secret.

    `sha256` is the digest of the bytes that are kept, 32 bytes, None for a file that was too large to be read; `method`
    the network's word for how it was asked for.
    """

    network: str
    tracking_number: str
    reason: str
    detail: str
    sha256: bytes | None
    size: int | None
    method: str
    url: str


class KeptFile(NamedTuple):
    """A file that is kept, since `received_at`."""

    id: int
    network: str
    tracking_number: str
    reason: str
    detail: str
    sha256: bytes | None
    size: int | None
    method: str
    url: str
    received_at: datetime


def touch(conn: Connection, sha256: bytes, at: datetime) -> None:
    """Says that these bytes have come again, in a transaction of its own: they will not be deleted soon."""
    conn.execute(TOUCH, {"sha256": sha256, "at": at})


def add(conn: Connection, file: QuarantinedFile, at: datetime) -> None:
    """Keeps a file within the caller's transaction; the same bytes for the same reason stay one."""
    conn.execute(ADD, {**file._asdict(), "at": at})


def listed(conn: Connection, network: str | None = None) -> list[KeptFile]:
    """What is kept, the newest first; `network` None means all of them."""
    with conn.cursor(row_factory=class_row(KeptFile)) as cursor:
        return cursor.execute(LISTED, {"network": network}).fetchall()


def delete_older(conn: Connection, seen_before: datetime) -> set[bytes]:
    """Forgets the files that came last before that moment, within the caller's transaction.

    Gives the digests that no file has any more. Remove their bytes before the transaction ends: whoever gets the same
    bytes meanwhile waits for it in `touch`.
    """
    gone = {row[0] for row in conn.execute(DELETE, (seen_before,)) if row[0]}
    return gone - {row[0] for row in conn.execute(LEFT, (list(gone),))}
