"""How long end-to-end tests wait: longer than the two minutes after which a component that hangs is restarted."""

import time
from collections.abc import Callable
from typing import Any

PATIENCE_S = 300


def until(found: Callable[[], Any], patience: float = PATIENCE_S) -> Any:
    """Asks until the answer is true; the answer."""
    deadline = time.monotonic() + patience
    while time.monotonic() < deadline:
        if answer := found():
            return answer
        time.sleep(0.2)
    raise AssertionError(f"waited {patience} s in vain")
