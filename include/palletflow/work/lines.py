"""Standing in line for a budget: sessions of the order store that are opened again, and a process's place in a line."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from palletflow.store import call_budgets
from palletflow.store.connection import Connection, ConnectionLost

T = TypeVar("T")


class TooLong(Exception):
    """Somebody waited longer than he has patience."""


class Session:
    """A session that is opened again when it was lost. One thread at a time uses it."""

    def __init__(self, open_connection: Callable[[], Connection]) -> None:
        self._open = open_connection
        self._conn: Connection | None = None

    def __call__(self) -> Connection:
        """The session. Raises DatabaseUnavailable."""
        if self._conn is None or self._conn.closed:
            self._conn = self._open()
        return self._conn

    def ask(self, question: Callable[[Connection], T]) -> tuple[Connection, T]:
        """The session that answered, and its answer."""
        conn = self()
        try:
            return conn, question(conn)
        except ConnectionLost:
            conn.close()  # lost since it was used last; opening another one shows whether the order store is away
        conn = self()
        return conn, question(conn)

    def close(self) -> None:
        """Ends it."""
        if self._conn:
            self._conn.close()


class Line:
    """The place of all threads of this process in the line of a name, which Postgres keeps across all processes.

    One thread at a time stands in line for all of ours. It waits in the database: so by a session of its own.
    """

    def __init__(self, open_connection: Callable[[], Connection], name: str) -> None:
        self.name = name
        self._session = Session(open_connection)
        self._ours = threading.Lock()

    def has_ours(self) -> bool:
        """Whether a thread of this process stands in it."""
        return self._ours.locked()

    @contextmanager
    def first(self, deadline: float) -> Iterator[None]:
        """Waits until the caller is the first of all; it leaves the line at the end of the block.

        `deadline` is by time.monotonic(). Raises TooLong, DatabaseUnavailable.
        """
        if not self._ours.acquire(timeout=max(deadline - time.monotonic(), 0)):
            raise TooLong
        try:
            conn, is_first = self._session.ask(
                lambda conn: call_budgets.line_up(conn, self.name, deadline - time.monotonic())
            )
            if not is_first:
                raise TooLong
            try:
                yield
            finally:
                release(conn, self.name, call_budgets.LINE)
        finally:
            self._ours.release()

    def close(self) -> None:
        """Ends the session, unless a thread stands in line still, which is not to be disturbed."""
        if self._ours.acquire(blocking=False):
            self._session.close()
            self._ours.release()


def release(conn: Connection, name: str, slot: int) -> None:
    """Frees a slot that a session took, or LINE. Lost, it has none any more."""
    try:
        if not conn.closed:
            call_budgets.give_back(conn, name, slot)
    except ConnectionLost:
        conn.close()  # and the session's locks are gone with it
