"""A few open connections to the order store, shared by the threads of one web server process."""

import queue
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from palletflow.store.connection import Connection, ConnectionLost

SIZE = 8


class Pool:
    """At most SIZE connections, opened when they are needed; the one used last is used first.

    `connect` may raise DatabaseUnavailable.
    """

    def __init__(self, connect: Callable[[], Connection]) -> None:
        self._connect = connect
        self._free = threading.BoundedSemaphore(SIZE)
        self._idle: queue.LifoQueue[Connection] = queue.LifoQueue()

    @contextmanager
    def connection(self) -> Iterator[Connection]:
        """A connection with no transaction open. One that broke, or was left in a transaction, is not used again."""
        with self._free:
            conn = self._take()
            try:
                yield conn
            finally:
                if conn.closed or conn.info.transaction_status:
                    conn.close()
                else:
                    self._idle.put(conn)

    def _take(self) -> Connection:
        while True:
            try:
                conn = self._idle.get_nowait()
            except queue.Empty:
                return self._connect()
            try:
                # The server may have gone and come back since this one was used.
                conn.execute("SELECT")
            except ConnectionLost:
                conn.close()
            else:
                return conn
