"""How long end-to-end tests wait: longer than the two minutes after which a component that hangs is restarted."""

from collections.abc import Callable
from typing import Any

from tests import waiting

PATIENCE_S = 300


def until(found: Callable[[], Any], patience: float = PATIENCE_S) -> Any:
    """Asks a house until the answer is true; the answer."""
    return waiting.until(found, patience, pause=0.2)
