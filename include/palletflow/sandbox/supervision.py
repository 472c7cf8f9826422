"""The frame around a supervisor: one at a time for a home, leftovers ended first, everything stopped at the end."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

from palletflow.sandbox.house_lock import house_lock
from palletflow.sandbox.processes import Supervisor
from palletflow.sandbox.terminal import Terminal

STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@contextmanager
def supervision(home: Path, terminal: Terminal) -> Iterator[Supervisor]:
    """A supervisor whose processes are all gone on leaving, whatever the reason for leaving.

    INT, TERM and HUP raise KeyboardInterrupt in the body; another one while stopping kills what is left at once.
    Raises HouseRuns when another process supervises this home.
    """
    supervisor = Supervisor(home, terminal.say)
    with house_lock(home), _StopSignals(supervisor) as signals:
        try:
            supervisor.end_leftovers()
            yield supervisor
        finally:
            signals.stopping = True
            terminal.say("Stopping everything; Ctrl-C again kills at once")
            with terminal.step("Stopping"):
                supervisor.stop()


class _StopSignals:
    """Turns the first stop signal into KeyboardInterrupt and later ones into hurry, in the main thread."""

    def __init__(self, supervisor: Supervisor) -> None:
        self.stopping = False
        self._supervisor = supervisor
        self._before: dict[signal.Signals, object] = {}

    def __enter__(self) -> "_StopSignals":
        if threading.current_thread() is threading.main_thread():
            # What is ignored stays ignored: that is how nohup asks for surviving a hang-up.
            heard = [number for number in STOP_SIGNALS if signal.getsignal(number) != signal.SIG_IGN]
            self._before = {number: signal.signal(number, self._handle) for number in heard}
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)  # type: ignore[arg-type]

    def _handle(self, _number: int, _frame: FrameType | None) -> None:
        if self.stopping:
            self._supervisor.hurry()
            return
        self.stopping = True
        raise KeyboardInterrupt
