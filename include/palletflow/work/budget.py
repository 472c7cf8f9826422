"""The calls that all our processes together make to a network, kept within its limits."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import partial
from types import TracebackType
from typing import Protocol, Self, TypeVar

from palletflow.network_errors import NotSent, Throttled
from palletflow.store import call_budgets
from palletflow.store.connection import Connection, ConnectionLost

T = TypeVar("T")
OPERATION = "A call"
# Between two looks of the first in line whether another process has ended a call.
LOOK_S = 0.01
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

    Whoever finds all places taken gets one in turn with all others, however many calls those make. The name is that of
    the connection. Threads may share a budget; it holds one database session, and a second one from when it first had
    to stand in line. Every method but `close` raises DatabaseUnavailable or loses its connection when the order store
    is away.
    """

    def __init__(
        self, open_connection: Callable[[], Connection], name: str, most: int, *, spacing_s: float = 0.0
    ) -> None:
        self.name, self._spacing_s = name, spacing_s
        self._session, self._line_session = _Session(open_connection), _Session(open_connection)
        self._free = set(range(most))
        # Guards both: what this process holds is known here, because its session could take the same slot twice.
        self._change = threading.Condition()
        # One thread at a time stands in line for all of ours. It waits in the database: so by a session of its own, and
        # the others can give back their places meanwhile.
        self._line = threading.Lock()

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
        """Ends the sessions, and with them whatever is in flight no longer counts."""
        with self._change:
            self._session.close()
        if self._line.acquire(blocking=False):  # else a thread stands in line still, and is not to be disturbed
            self._line_session.close()
            self._line.release()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _take(self) -> tuple[int, Connection, float]:
        """A slot, the session that holds it, and the seconds until the call may start."""
        deadline = time.monotonic() + PATIENCE_S
        if not self._line.locked():
            with self._change:
                taken = self._look(is_first=False)
            if taken:
                return taken
        with self._first_in_line(deadline), self._change:
            while not (taken := self._look(is_first=True)):
                if time.monotonic() > deadline:
                    raise self._no_place()
                self._change.wait(LOOK_S)
            return taken

    @contextmanager
    def _first_in_line(self, deadline: float) -> Iterator[None]:
        if not self._line.acquire(timeout=max(deadline - time.monotonic(), 0)):
            raise self._no_place()
        try:
            conn, is_first = self._line_session.ask(
                lambda conn: call_budgets.line_up(conn, self.name, deadline - time.monotonic())
            )
            if not is_first:
                raise self._no_place()
            try:
                yield
            finally:
                _release(conn, self.name, call_budgets.LINE)
        finally:
            self._line.release()

    def _look(self, *, is_first: bool) -> tuple[int, Connection, float] | None:
        """See _take; None when there is no free place for us. The caller holds `_change`."""
        for slot in sorted(self._free):
            conn, pause_s = self._session.ask(partial(self._try, slot, is_first))
            if pause_s is None:
                continue
            if pause_s > 0:
                call_budgets.give_back(conn, self.name, slot)
                raise Throttled(self.name, OPERATION, "the network asked for a pause", pause_s)
            wait_s = call_budgets.reserve_start(conn, self.name, self._spacing_s) if self._spacing_s else 0.0
            self._free.remove(slot)
            return slot, conn, wait_s
        return None

    def _try(self, slot: int, is_first: bool, conn: Connection) -> float | None:
        return call_budgets.take(conn, self.name, slot, is_first=is_first)

    def _give_back(self, slot: int, conn: Connection) -> None:
        with self._change:
            _release(conn, self.name, slot)
            self._free.add(slot)
            self._change.notify()

    def _no_place(self) -> NotSent:
        return NotSent(self.name, OPERATION, f"other calls have kept all places for {PATIENCE_S:g} s")


def _release(conn: Connection, name: str, slot: int) -> None:
    try:
        if not conn.closed:
            call_budgets.give_back(conn, name, slot)
    except ConnectionLost:
        conn.close()  # and the session's locks are gone with it


class _Session:
    """A session that is opened again when it was lost. One thread at a time uses it."""

    def __init__(self, open_connection: Callable[[], Connection]) -> None:
        self._open = open_connection
        self._conn: Connection | None = None

    def __call__(self) -> Connection:
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
        if self._conn:
            self._conn.close()
