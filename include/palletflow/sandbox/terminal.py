"""What the person at the terminal sees while the house is being stood up."""

import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TextIO

# Steps shorter than this need no sign of life.
QUIET_SECONDS = 2.0
# A terminal shows the seconds running; a log file gets a line now and then.
TERMINAL_TICK = 1.0
FILE_TICK = 15.0


class Terminal:
    """Prints lines and the progress of steps; may be used from several threads.

    Never fails because nobody listens any more: on a hang-up the house must still be taken down.
    """

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = stream or sys.stdout
        self._lock = threading.RLock()
        self._is_terminal = self._stream.isatty()
        self._progress_shown = False

    def say(self, text: str = "") -> None:
        """Prints a line or several."""
        with self._lock:
            self._clear_progress()
            self._write(text + "\n")

    @contextmanager
    def step(self, doing: str) -> Iterator[None]:
        """Shows that something is going on once it takes longer than two seconds, and how long it took."""
        started = time.monotonic()
        done = threading.Event()
        ticker = threading.Thread(target=self._tick, args=(doing, started, done), daemon=True)
        ticker.start()
        try:
            yield
        finally:
            done.set()
            ticker.join()
            with self._lock:
                self._clear_progress()
        self.say(f"  {doing}: done in {time.monotonic() - started:.1f} s")

    def _tick(self, doing: str, started: float, done: threading.Event) -> None:
        wait = QUIET_SECONDS
        while not done.wait(wait):
            seconds = int(time.monotonic() - started)
            with self._lock:
                if self._is_terminal:
                    self._write(f"\r  {doing} ... {seconds} s")
                    self._progress_shown = True
                else:
                    self._write(f"  {doing} ... {seconds} s\n")
            wait = TERMINAL_TICK if self._is_terminal else FILE_TICK

    def _clear_progress(self) -> None:
        if self._progress_shown:
            self._write("\r\x1b[K")
            self._progress_shown = False

    def _write(self, text: str) -> None:
        try:
            self._stream.write(text)
            self._stream.flush()
        except (OSError, ValueError):
            # The terminal was closed (EIO, EPIPE, or a closed file).
            pass
