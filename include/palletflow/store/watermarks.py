"""Up to when each stream of a network has been read completely.

Those of imports move together with what was imported, in palletflow.store.imports.
"""

from datetime import datetime

from palletflow.store.connection import Connection

MOVE = """
INSERT INTO watermarks AS held (network, stream, party, high) VALUES (%s, %s, %s, %s)
ON CONFLICT (network, stream, party) DO UPDATE SET high = excluded.high, moved_at = now()
WHERE held.high < excluded.high
"""


def read(conn: Connection, network: str, stream: str, party: str) -> datetime | None:
    """The end of the last complete window, None before the first one."""
    row = conn.execute(
        "SELECT high FROM watermarks WHERE (network, stream, party) = (%s, %s, %s)", (network, stream, party)
    ).fetchone()
    return row[0] if row else None


def move(conn: Connection, network: str, stream: str, party: str, high: datetime) -> None:
    """Says that a stream without a batch of its own has been read up to `high`; a mark never goes back."""
    conn.execute(MOVE, (network, stream, party, high))
