"""What a network's list last showed of each record, and what was made of it when it was read whole.

For networks that tell of no changes: a record is read again when its row in the list has changed, and written again
when what it becomes has changed.
"""

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import NamedTuple

from palletflow.store.connection import Connection

READ = """
SELECT record_key, digest, content, tries, read_at FROM listed_records WHERE network = %s AND record_key = ANY (%s)
"""
TAKEN_IN = """
INSERT INTO listed_records AS held (network, record_key, content, read_at)
SELECT %(network)s, record.*, %(read_at)s FROM unnest(%(keys)s::text[], %(digests)s::bytea[]) AS record
ON CONFLICT (network, record_key) DO UPDATE SET content = excluded.content
WHERE held.content IS DISTINCT FROM excluded.content
"""
READ_WHOLE = """
INSERT INTO listed_records AS held (network, record_key, digest, read_at)
SELECT %(network)s, record.*, %(read_at)s FROM unnest(%(keys)s::text[], %(digests)s::bytea[]) AS record
ON CONFLICT (network, record_key) DO UPDATE SET digest = excluded.digest, tries = 0, read_at = excluded.read_at
"""
FAILED = """
INSERT INTO listed_records AS held (network, record_key, digest, tries, read_at)
SELECT %(network)s, record.*, 1, %(read_at)s FROM unnest(%(keys)s::text[], %(digests)s::bytea[]) AS record
ON CONFLICT (network, record_key) DO UPDATE
SET digest = excluded.digest, read_at = excluded.read_at,
    tries = CASE WHEN held.digest = excluded.digest THEN least(held.tries + 1, %(most)s) ELSE 1 END
"""


class Listed(NamedTuple):
    """A record as it was last read: digests of its row and of what was made of it, None for what is not known.

    `tries`: readings in a row that could not be taken in, 0 when the last one was.
    """

    digest: bytes | None
    content: bytes | None
    tries: int
    read_at: datetime


def read(conn: Connection, network: str, keys: Collection[str]) -> dict[str, Listed]:
    """What is known of these records."""
    return {key: Listed(*rest) for key, *rest in conn.execute(READ, (network, list(keys)))}


def taken_in(conn: Connection, network: str, contents: Mapping[str, bytes], read_at: datetime) -> None:
    """Keeps what was made of records, within the transaction that stores them."""
    _write(conn, TAKEN_IN, network, contents, read_at)


def read_whole(conn: Connection, network: str, digests: Mapping[str, bytes], read_at: datetime) -> None:
    """Keeps that everything is stored of records whose rows have these digests."""
    _write(conn, READ_WHOLE, network, digests, read_at)


def failed(conn: Connection, network: str, digests: Mapping[str, bytes], read_at: datetime, most: int) -> None:
    """Counts one more reading that could not be taken in, up to `most`; a changed row begins anew."""
    _write(conn, FAILED, network, digests, read_at, most=most)


def _write(
    conn: Connection,
    statement: str,
    network: str,
    digests: Mapping[str, bytes],
    read_at: datetime,
    **more: int,
) -> None:
    if digests:
        values = {"network": network, "keys": list(digests), "digests": list(digests.values()), "read_at": read_at}
        conn.execute(statement, values | more)
