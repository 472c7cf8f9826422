"""A network's own tables of names and ids, kept for a while so that not every run asks for them."""

from datetime import datetime
from typing import Any, NamedTuple

from psycopg.types.json import Jsonb

from palletflow.store.connection import Connection

WRITE = """
INSERT INTO lookup_cache AS known (connection, lookup, content, read_at) VALUES (%s, %s, %s, %s)
ON CONFLICT (connection, lookup) DO UPDATE SET content = excluded.content, read_at = excluded.read_at
WHERE known.read_at <= excluded.read_at
"""


class Kept(NamedTuple):
    """A look-up's rows as the network sent them, and when it did."""

    rows: list[dict[str, Any]]
    read_at: datetime


def read(conn: Connection, connection: str, lookup: str) -> Kept | None:
    """What a connection's look-up held when it was last read; None when it never was."""
    row = conn.execute(
        "SELECT content, read_at FROM lookup_cache WHERE (connection, lookup) = (%s, %s)", (connection, lookup)
    ).fetchone()
    return Kept(*row) if row else None


def write(conn: Connection, connection: str, lookup: str, kept: Kept) -> None:
    """Keeps a look-up's rows, unless somebody has kept newer ones."""
    conn.execute(WRITE, (connection, lookup, Jsonb(kept.rows), kept.read_at))
