"""Connections that a network refused: nothing is sent through them until a check passes (contract 1.3)."""

from collections.abc import Callable

from palletflow.network_errors import AuthFailed, Misconfigured
from palletflow.store import connection_flags
from palletflow.store.connection import Connection

# A refused key is not tried with every item: networks lock accounts for that.
CHECK_EVERY_S = 120.0


class ConnectionFlagged(Exception):
    """A connection is flagged and nobody has found it mended yet."""

    def __init__(self, connection: str, reason: str) -> None:
        super().__init__(f"Connection '{connection}' stays flagged: {reason}")


def require_unflagged(
    conn: Connection, connection: str, check: Callable[[], None], every_s: float = CHECK_EVERY_S
) -> None:
    """Passes when the connection is not flagged, or its check now finds it mended, which takes the flag off.

    `check` asks the network something without effect. Of all processes one makes it, and not again for `every_s`
    seconds. Raises ConnectionFlagged; NetworkError when the check finds another failure.
    """
    reason = connection_flags.reason(conn, connection)
    if reason is None:
        return
    if not connection_flags.take_check(conn, connection, every_s):
        raise ConnectionFlagged(connection, reason)
    try:
        check()
    except (AuthFailed, Misconfigured) as error:
        raise ConnectionFlagged(connection, str(error)) from error
    connection_flags.clear(conn, connection)
