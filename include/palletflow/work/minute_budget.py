"""The calls a minute that all processes together make to a network which bans whoever makes too many.

A ban shows as silence. So those who share a budget also find out together whether the network still answers, and stop
calling while it does not.
"""

import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Self, TypeVar

from palletflow.network_errors import NotSent, Throttled
from palletflow.store import call_windows
from palletflow.store.call_windows import SILENCE_S, Look
from palletflow.store.connection import Connection, ConnectionLost, DatabaseUnavailable
from palletflow.work.budget import OPERATION, Budget
from palletflow.work.lines import Line, Session, TooLong

T = TypeVar("T")
# No permit for so long is a failure that passes by itself.
PATIENCE_S = 120.0
# Between two looks of the first in line whether anything has changed.
LOOK_S = 1.0

log = logging.getLogger(__name__)


class Unanswered(Exception):
    """What a call raises within its frame when nothing answered it: no connection, a reset, no first byte in time."""


class MinuteBudget:
    """At most so many calls begin in any minute under a group's name, across all threads, processes and machines.

    Who finds none left gets one in turn with all others of its lane, foreground or background. Threads may share a
    budget; it holds one database session, and one more a lane from when it first had to wait there.
    """

    def __init__(
        self,
        open_connection: Callable[[], Connection],
        group: str,
        calls_per_minute: int,
        background_per_minute: int,
        *,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """`background_per_minute`: what background work may use of all calls. `sleep`: waits for a permit."""
        self.group, self.sleep = group, sleep
        self._most, self._background_most = calls_per_minute, background_per_minute

        def opened() -> Connection:
            conn = open_connection()
            call_windows.open_group(conn, group)
            return conn

        self._session, self._use = Session(opened), threading.Lock()
        self._foreground = Line(open_connection, f"{group} foreground")
        self._background = Line(open_connection, f"{group} background")

    def lane(self, connection: str, probe: Callable[[], bool], *, background: bool = False) -> Budget:
        """The frame for calls through a connection; `background`: for work that leaves some of the calls to others.

        `probe` makes one call without effect and without a frame, and says whether the network answered it.
        """
        line = self._background if background else self._foreground
        return _Lane(self, line, self._background_most if background else None, connection, probe)

    def look(self, line: Line, background_most: int | None, *, is_first: bool, probing: bool = False) -> Look | None:
        """See palletflow.store.call_windows.take."""
        return self.ask(
            lambda conn: call_windows.take(
                conn,
                self.group,
                line.name,
                most=self._most,
                background_most=background_most,
                is_first=is_first,
                probing=probing,
            )
        )

    def ask(self, question: Callable[[Connection], T]) -> T:
        """What the order store answers. Raises DatabaseUnavailable, ConnectionLost."""
        with self._use:
            return self._session.ask(question)[1]

    def close(self) -> None:
        """Ends the sessions."""
        with self._use:
            self._session.close()
        self._foreground.close()
        self._background.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class _Lane:
    """See MinuteBudget.lane; a Budget."""

    def __init__(
        self,
        budget: MinuteBudget,
        line: Line,
        background_most: int | None,
        connection: str,
        probe: Callable[[], bool],
    ) -> None:
        self._budget, self._line, self._background_most = budget, line, background_most
        self._connection, self._probe = connection, probe

    @contextmanager
    def call(self) -> Iterator[None]:
        """See Budget. Throttled also while the network answers nobody. Without the order store there is no call."""
        look = self._permit()
        try:
            yield
        except Unanswered:
            self._afterwards(self._suspect)
            raise
        if look.suspected:
            self._afterwards(lambda: self._budget.ask(lambda conn: call_windows.answered(conn, self._budget.group)))

    def pause(self, seconds: float) -> None:
        """See Budget."""
        self._budget.ask(lambda conn: call_windows.pause(conn, self._budget.group, seconds))

    def _permit(self) -> Look:
        deadline = time.monotonic() + PATIENCE_S
        try:
            look = None if self._line.has_ours() else self._look(is_first=False)
            while look is None or not self._may_call(look):
                look = self._look_in_line(deadline)
        except TooLong:
            detail = f"others have used up the calls a minute for {PATIENCE_S:g} s"
            raise NotSent(self._connection, OPERATION, detail) from None
        return look

    def _may_call(self, look: Look) -> bool:
        """Whether the look found a permit for the caller's own call. Raises Throttled."""
        if look.closed_s > 0 and (look.is_silent or look.is_paused):
            why = "the network asked for a pause" if look.is_paused else "the network has stopped answering"
            raise Throttled(self._connection, OPERATION, why, look.closed_s)
        if look.granted and look.probe:
            self._ask_whether_it_answers()
            return False
        return look.granted

    def _look_in_line(self, deadline: float) -> Look:
        with self._line.first(deadline):
            while True:
                look = self._look(is_first=True)
                if look and (look.granted or look.is_silent or look.is_paused):
                    return look
                self._wait(look, deadline)

    def _look(self, *, is_first: bool, probing: bool = False) -> Look | None:
        return self._budget.look(self._line, self._background_most, is_first=is_first, probing=probing)

    def _wait(self, look: Look | None, deadline: float) -> None:
        left = deadline - time.monotonic()
        if left <= 0:
            raise TooLong
        self._budget.sleep(min(look.wait_s if look and look.wait_s > 0 else LOOK_S, LOOK_S, left))

    # Whether the network answers at all

    def _suspect(self) -> None:
        """Nothing answered a call; the second time in a row, the caller asks whether anything is answered."""
        if not self._budget.ask(lambda conn: call_windows.unanswered(conn, self._budget.group)):
            return
        deadline = time.monotonic() + PATIENCE_S
        while not ((look := self._look(is_first=True, probing=True)) and look.granted):
            self._wait(look, deadline)
        self._ask_whether_it_answers()

    def _ask_whether_it_answers(self) -> None:
        group = self._budget.group
        if self._probe():
            self._budget.ask(lambda conn: call_windows.answers(conn, group))
            return
        message = (
            f"The network has stopped answering: two calls in a row got no answer and neither did a test call through "
            f"'{self._connection}'. It does that to an address it has banned for too many calls. Nobody of the rate "
            f"group '{group}' calls for {SILENCE_S / 60:g} minutes; then one test call is made, and so on until it "
            "answers. If that lasts, see whether the network can be reached, and ask it about a ban."
        )
        if self._budget.ask(lambda conn: call_windows.is_silent(conn, group, message)):
            log.error("%s", message)

    def _afterwards(self, tell: Callable[[], None]) -> None:
        """Tells the others what came of a call. A failure of that does not hide what came of it."""
        try:
            tell()
        except (TooLong, DatabaseUnavailable, ConnectionLost):
            log.warning("%s: what came of a call could not be told to the others", self._connection, exc_info=True)
