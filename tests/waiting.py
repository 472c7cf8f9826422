"""Waiting for something to become true, with a deadline instead of a guess."""

import time
from collections.abc import Callable
from typing import Any

PATIENCE_S = 60.0


def until(found: Callable[[], Any], patience: float = PATIENCE_S, pause: float = 0.02) -> Any:
    """Asks until the answer is true; the answer. Fails the test when it does not become true in time."""
    deadline = time.monotonic() + patience
    while not (answer := found()):
        assert time.monotonic() < deadline, f"waited {patience:.0f} s in vain"
        time.sleep(pause)
    return answer
