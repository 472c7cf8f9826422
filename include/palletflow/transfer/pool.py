"""Keeps a few sessions to a server open and shares them among threads; what is not used ends soon."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from types import TracebackType
from typing import Self

from palletflow.network_errors import NotSent
from palletflow.transfer.errors import NoPlace
from palletflow.transfer.session import Session

# One that nobody uses ends soon, and none is kept for long: other processes may wait for its place, and servers end
# idle logins themselves.
IDLE_S, LONGEST_S = 5.0, 60.0


class Sessions:
    """At most `most` sessions of this process, opened when needed; threads may share it.

    `place` is the frame of each session from its opening to its end: a place among those of all processes together.
    """

    def __init__(
        self,
        opening: Callable[[], Session],
        most: int,
        place: Callable[[], AbstractContextManager[None]] = nullcontext,
    ) -> None:
        self._opening, self._most, self._place = opening, most, place
        self._changed = threading.Condition()
        self._open: list[_Kept] = []
        self._is_opening = False
        self._failures = 0
        self._failure: Exception | None = None
        self._sweeper: threading.Thread | None = None

    @contextmanager
    def session(self) -> Iterator[Session]:
        """A session for one file, shared with others if it can be.

        Raises what opening one raises, to all who wait for it; NoPlace when other processes keep all places.
        """
        kept = self._take()
        try:
            yield kept.session
        finally:
            self._give_back(kept)

    def check(self) -> None:
        """Opens a session and ends it. Raises what opening one raises, NoPlace."""
        self._opened().close()

    def close(self) -> None:
        """Ends all sessions, used or not."""
        with self._changed:
            kept, self._open = self._open, []
            sweeper = self._sweeper
            self._changed.notify_all()
        for one in kept:
            one.close()
        if sweeper:
            sweeper.join()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _take(self) -> "_Kept":
        with self._changed:
            failures = self._failures
            while True:
                kept = next((one for one in self._open if one.is_free()), None)
                if kept:
                    kept.users += 1
                    return kept
                if self._failures > failures and self._failure:
                    raise self._failure
                if not self._is_opening and len(self._open) < self._most:
                    break
                self._changed.wait()
            self._is_opening = True
        try:
            kept = self._opened()
        except Exception as error:
            with self._changed:
                self._is_opening, self._failures, self._failure = False, self._failures + 1, error
                self._changed.notify_all()
            raise
        with self._changed:
            self._is_opening = False
            self._open.append(kept)
            if not self._sweeper:
                self._sweeper = threading.Thread(target=self._sweep, name="idle sessions", daemon=True)
                self._sweeper.start()
            self._changed.notify_all()
        return kept

    def _opened(self) -> "_Kept":
        with ExitStack() as stack:
            try:
                stack.enter_context(self._place())
            except NotSent as error:
                raise NoPlace(error.connection, error.operation, error.detail) from error
            session = self._opening()
            stack.callback(session.close)
            return _Kept(session, stack.pop_all())

    def _give_back(self, kept: "_Kept") -> None:
        with self._changed:
            kept.users -= 1
            kept.used_at = time.monotonic()
            ends = kept.users == 0 and kept.is_spent()
            if ends and kept in self._open:
                self._open.remove(kept)
        if ends:
            kept.close()
        with self._changed:
            self._changed.notify_all()

    def _sweep(self) -> None:
        """Ends what nobody has used for a while, until nothing is left to end."""
        while True:
            with self._changed:
                self._changed.wait(IDLE_S / 5)
                idle = [one for one in self._open if one.users == 0 and time.monotonic() - one.used_at > IDLE_S]
                self._open = [one for one in self._open if one not in idle]
                if not self._open:
                    self._sweeper = None
            for one in idle:
                one.close()
            if self._sweeper is not threading.current_thread():
                return


class _Kept:
    """A session, its place, and who uses it. The pool's lock guards all of it but `close`."""

    def __init__(self, session: Session, frame: ExitStack) -> None:
        self.session, self._frame = session, frame
        self.users = 1
        self.opened_at = self.used_at = time.monotonic()

    def is_spent(self) -> bool:
        return self.session.broken or time.monotonic() - self.opened_at > LONGEST_S

    def is_free(self) -> bool:
        return self.users < self.session.capacity and not self.is_spent()

    def close(self) -> None:
        self._frame.close()
