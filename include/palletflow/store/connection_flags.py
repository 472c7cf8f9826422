"""Connections whose key or address a network refused: their schedules skip until a check passes."""

from palletflow.store.connection import Connection


def raise_flag(conn: Connection, connection: str, reason: str) -> None:
    """Flags a connection; the first moment of trouble is kept, the latest reason is shown."""
    conn.execute(
        "INSERT INTO connection_flags (connection, reason, checked_at) VALUES (%s, %s, clock_timestamp()) "
        "ON CONFLICT (connection) DO UPDATE SET reason = excluded.reason, checked_at = excluded.checked_at",
        (connection, reason),
    )


def reason(conn: Connection, connection: str) -> str | None:
    """Why a connection is flagged, None when it is not."""
    row = conn.execute("SELECT reason FROM connection_flags WHERE connection = %s", (connection,)).fetchone()
    return row[0] if row else None


def take_check(conn: Connection, connection: str, every_s: float) -> bool:
    """Whether the caller is the one to check a flagged connection now: the last time was `every_s` seconds ago."""
    taken = conn.execute(
        "UPDATE connection_flags SET checked_at = clock_timestamp() WHERE connection = %s "
        "AND (checked_at IS NULL OR checked_at <= clock_timestamp() - make_interval(secs => %s))",
        (connection, every_s),
    )
    return taken.rowcount == 1


def clear(conn: Connection, connection: str) -> None:
    """Takes the flag off after a check has passed."""
    conn.execute("DELETE FROM connection_flags WHERE connection = %s", (connection,))
