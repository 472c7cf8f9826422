"""Flags a connection that a network refused; its runs skip until a check passes (contract 1.3, AUTH and CONFIG)."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from airflow.sdk.exceptions import AirflowSkipException

from palletflow.network_errors import AuthFailed, Misconfigured
from palletflow.store import connection_flags
from palletflow.store.connection import Connection
from palletflow.work.flagged import ConnectionFlagged, require_unflagged


@contextmanager
def guarded(conn: Connection, connection: str, check: Callable[[], None]) -> Iterator[None]:
    """Runs the block unless the connection is flagged and still does not pass its check.

    `check` asks the network something without effect. Raises AirflowSkipException in place of the block.
    """
    try:
        require_unflagged(conn, connection, check, every_s=0)
    except ConnectionFlagged as flagged:
        raise AirflowSkipException(str(flagged)) from flagged
    try:
        yield
    except (AuthFailed, Misconfigured) as error:
        connection_flags.raise_flag(conn, connection, str(error))
        raise
