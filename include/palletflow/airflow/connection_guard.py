"""Flags a connection that a network refused; its runs skip until a check passes (contract 1.3, AUTH and CONFIG)."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from airflow.sdk.exceptions import AirflowSkipException

from palletflow.network_errors import AuthFailed, Misconfigured
from palletflow.store import connection_flags
from palletflow.store.connection import Connection


@contextmanager
def guarded(conn: Connection, connection: str, check: Callable[[], None]) -> Iterator[None]:
    """Runs the block unless the connection is flagged and still does not pass its check.

    `check` asks the network something without effect. Raises AirflowSkipException in place of the block.
    """
    flagged = connection_flags.reason(conn, connection)
    if flagged is not None:
        try:
            check()
        except (AuthFailed, Misconfigured) as error:
            raise AirflowSkipException(f"Connection '{connection}' stays flagged: {error}") from error
        connection_flags.clear(conn, connection)
    try:
        yield
    except (AuthFailed, Misconfigured) as error:
        connection_flags.raise_flag(conn, connection, str(error))
        raise
