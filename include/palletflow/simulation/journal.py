"""The record of the calls a simulated network got, and of what a client should have refused itself."""

from collections import deque
from datetime import datetime
from typing import Any

# A simulator left running must not fill the memory; the counts go on beyond what is kept.
KEPT = 5_000

Record = dict[str, Any]


class Journal:
    """Calls in order of arrival; the newest 5,000 are kept. Secrets are the caller's to leave out."""

    def __init__(self) -> None:
        self.total = 0
        self._entries: deque[Record] = deque(maxlen=KEPT)

    def open(self, **facts: Any) -> Record:
        """Enter a call that has no answer yet. The caller fills ``status`` and ``fault``, and whatever else."""
        self.total += 1
        entry: Record = {"number": self.total, **facts, "status": None, "fault": None}
        self._entries.append(entry)
        return entry

    def entries(self) -> list[Record]:
        return list(self._entries)


class Violations:
    """What the client should not have sent. ``request`` is the number in the journal."""

    def __init__(self) -> None:
        self._listed: deque[Record] = deque(maxlen=KEPT)

    def listed(self) -> list[Record]:
        return list(self._listed)

    def add(self, rule: str, detail: str, request: int, at: datetime) -> None:
        self._listed.append({"rule": rule, "detail": detail, "request": request, "time": at.isoformat()})
