"""Up to when each stream of a network has been read completely. Moved by palletflow.store.imports only."""

from datetime import datetime

from palletflow.store.connection import Connection


def read(conn: Connection, network: str, stream: str, party: str) -> datetime | None:
    """The end of the last complete window, None before the first one."""
    row = conn.execute(
        "SELECT high FROM watermarks WHERE (network, stream, party) = (%s, %s, %s)", (network, stream, party)
    ).fetchone()
    return row[0] if row else None
