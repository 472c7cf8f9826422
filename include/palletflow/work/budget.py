"""The calls that all our processes together make to a network, kept within its limits."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from types import TracebackType
from typing import Protocol, Self

from palletflow.network_errors import NotSent, Throttled
from palletflow.store import call_budgets
from palletflow.store.connection import Connection, ConnectionLost

OPERATION = "A call"
# Between two looks whether another process has ended a call.
LOOK_S = 0.02
# Longer than any call takes with its timeouts.
PATIENCE_S = 120.0


class Budget(Protocol):
    """What a client puts around each of its calls."""

    def call(self) -> AbstractContextManager[None]:
        """The frame of one call. Raises Throttled during a pause, NotSent when no call may start for very long."""

    def pause(self, seconds: float) -> None:
        """Lets nobody call for so long."""


class NoBudget:
    """No limit: for the command line and for tests."""

    def call(self) -> AbstractContextManager[None]:
        """No frame."""
        return nullcontext()

    def pause(self, seconds: float) -> None:
        """Nobody to tell."""


class CallBudget:
    """At most `most` calls in flight under a name, across all threads and processes, with at least `spacing_s` between.

    The name is that of the connection. Threads may share a budget; it holds one database session. Every method but
    `close` raises DatabaseUnavailable or loses its connection when the order store is away.
    """

    def __init__(
        self, open_connection: Callable[[], Connection], name: str, most: int, *, spacing_s: float = 0.0
    ) -> None:
        self.name, self._spacing_s = name, spacing_s
        self._open = open_connection
        self._conn: Connection | None = None
        self._free = set(range(most))
        # Guards both: what this process holds is known here, because its session could take the same slot twice.
        self._change = threading.Condition()

    @contextmanager
    def call(self) -> Iterator[None]:
        """See Budget."""
        slot, conn, wait_s = self._take()
        try:
            if wait_s > 0:
                time.sleep(wait_s)
            yield
        finally:
            self._give_back(slot, conn)

    def pause(self, seconds: float) -> None:
        """See Budget."""
        with self._change:
            call_budgets.pause(self._session(), self.name, seconds)

    def close(self) -> None:
        """Ends the session, and with it whatever is in flight no longer counts."""
        with self._change:
            if self._conn:
                self._conn.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _take(self) -> tuple[int, Connection, float]:
        """A slot, the session that holds it, and the seconds until the call may start."""
        deadline = time.monotonic() + PATIENCE_S
        with self._change:
            while True:
                for slot in sorted(self._free):
                    conn, pause_s = self._try(slot)
                    if pause_s is None:
                        continue
                    if pause_s > 0:
                        call_budgets.give_back(conn, self.name, slot)
                        raise Throttled(self.name, OPERATION, "the network asked for a pause", pause_s)
                    wait_s = call_budgets.reserve_start(conn, self.name, self._spacing_s) if self._spacing_s else 0.0
                    self._free.remove(slot)
                    return slot, conn, wait_s
                if time.monotonic() > deadline:
                    raise NotSent(self.name, OPERATION, f"other calls have kept all places for {PATIENCE_S:g} s")
                self._change.wait(LOOK_S)

    def _try(self, slot: int) -> tuple[Connection, float | None]:
        conn = self._session()
        try:
            return conn, call_budgets.take(conn, self.name, slot)
        except ConnectionLost:
            conn.close()  # lost since the last call; opening another one shows whether the order store is away
        conn = self._session()
        return conn, call_budgets.take(conn, self.name, slot)

    def _give_back(self, slot: int, conn: Connection) -> None:
        with self._change:
            try:
                if not conn.closed:
                    call_budgets.give_back(conn, self.name, slot)
            except ConnectionLost:
                conn.close()  # and the session's locks are gone with it
            self._free.add(slot)
            self._change.notify()

    def _session(self) -> Connection:
        if self._conn is None or self._conn.closed:
            self._conn = self._open()
        return self._conn
