"""The calls that all our processes together make to a network, kept within its limits."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import partial
from types import TracebackType
from typing import Protocol, Self

from palletflow.network_errors import NotSent, Throttled
from palletflow.store import call_budgets
from palletflow.store.connection import Connection
from palletflow.work.lines import Line, Session, TooLong, release

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
        self._session, self._line = Session(open_connection), Line(open_connection, name)
        self._free = set(range(most))
        # Guards both: what this process holds is known here, because its session could take the same slot twice. Those
        # who stand in line have another session, and the others can give back their places meanwhile.
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
        """Ends the sessions, and with them whatever is in flight no longer counts."""
        with self._change:
            self._session.close()
        self._line.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _take(self) -> tuple[int, Connection, float]:
        """A slot, the session that holds it, and the seconds until the call may start."""
        deadline = time.monotonic() + PATIENCE_S
        if not self._line.has_ours():
            with self._change:
                taken = self._look(is_first=False)
            if taken:
                return taken
        try:
            return self._take_in_line(deadline)
        except TooLong:
            detail = f"other calls have kept all places for {PATIENCE_S:g} s"
            raise NotSent(self.name, OPERATION, detail) from None

    def _take_in_line(self, deadline: float) -> tuple[int, Connection, float]:
        with self._line.first(deadline), self._change:
            while not (taken := self._look(is_first=True)):
                if time.monotonic() > deadline:
                    raise TooLong
                self._change.wait(LOOK_S)
            return taken

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
            release(conn, self.name, slot)
            self._free.add(slot)
            self._change.notify()
