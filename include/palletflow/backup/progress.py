"""What whoever waits for a backup or a restore sees."""

import time
from collections.abc import Callable

EVERY_S = 2.0


class Progress:
    """Says lines: steps at once, and how far a step is every two seconds."""

    def __init__(self, say: Callable[[str], None]) -> None:
        self.say = say
        self._said = time.monotonic()

    def tick(self, line: str) -> None:
        """Says how far it is, if nothing was said for two seconds."""
        if time.monotonic() - self._said >= EVERY_S:
            self.say(f"  {line}")
            self._said = time.monotonic()
