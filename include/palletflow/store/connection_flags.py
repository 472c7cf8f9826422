"""Connections whose key or address a network refused: their schedules skip until a check passes."""

from palletflow.store.connection import Connection


def raise_flag(conn: Connection, connection: str, reason: str) -> None:
    """Flags a connection; the first moment of trouble is kept, the latest reason is shown."""
    conn.execute(
        "INSERT INTO connection_flags (connection, reason) VALUES (%s, %s) "
        "ON CONFLICT (connection) DO UPDATE SET reason = excluded.reason",
        (connection, reason),
    )


def reason(conn: Connection, connection: str) -> str | None:
    """Why a connection is flagged, None when it is not."""
    row = conn.execute("SELECT reason FROM connection_flags WHERE connection = %s", (connection,)).fetchone()
    return row[0] if row else None


def clear(conn: Connection, connection: str) -> None:
    """Takes the flag off after a check has passed."""
    conn.execute("DELETE FROM connection_flags WHERE connection = %s", (connection,))
