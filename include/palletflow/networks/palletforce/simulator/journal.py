"""The record of every wire request, with access keys masked."""

from collections import deque
from typing import Any

from .members import DEPOT_OF_KEY

MASK = "***"
# A simulator left running must not fill the memory; the count goes on beyond what is kept.
_KEPT = 5_000


class Journal:
    """Requests in order of arrival, oldest first; the newest 5,000 are kept."""

    def __init__(self) -> None:
        self.total = 0
        self._entries: deque[dict[str, Any]] = deque(maxlen=_KEPT)

    def open(self, *, time: str, operation: str, path: str, body: Any) -> dict[str, Any]:
        """Enter a request that has no answer yet. The caller fills ``status``, ``outcome``, ``reasons``, ``fault``."""
        self.total += 1
        entry = {
            "number": self.total,
            "time": time,
            "operation": operation,
            "path": path,
            "body": _masked(body),
            "status": None,
            "outcome": "NO_ANSWER",
            "reasons": [],
            "fault": None,
        }
        self._entries.append(entry)
        return entry

    def entries(self) -> list[dict[str, Any]]:
        return list(self._entries)


def _masked(value: Any) -> Any:
    if isinstance(value, dict):
        return {
            name: MASK if name.strip().casefold() == "accesskey" else _masked(inner) for name, inner in value.items()
        }
    if isinstance(value, list):
        return [_masked(inner) for inner in value]
    return MASK if isinstance(value, str) and value in DEPOT_OF_KEY else value
