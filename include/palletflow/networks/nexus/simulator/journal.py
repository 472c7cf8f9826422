"""The record of requests, without secrets, and of calls that a client should have refused itself (section 11.3)."""

import time
from collections import deque
from datetime import datetime
from typing import Any

# A simulator left running must not fill the memory; the counts go on beyond what is kept.
_KEPT = 5_000
# More than 2 requests a second (section 1.6): three within this time. Less than a second, as what a client spaces
# evenly arrives unevenly.
_TOO_CLOSE_S = 0.8

Record = dict[str, Any]


class Journal:
    """Requests in order of arrival; the newest 5,000 are kept."""

    def __init__(self) -> None:
        self.total = 0
        self._entries: deque[Record] = deque(maxlen=_KEPT)

    def open(self, **facts: Any) -> Record:
        """Enter a request that has no answer yet. The caller fills ``status`` and ``fault``."""
        self.total += 1
        entry: Record = {"number": self.total, **facts, "status": None, "fault": None}
        self._entries.append(entry)
        return entry

    def entries(self) -> list[Record]:
        return list(self._entries)


class Violations:
    """What the client should not have sent. ``request`` is the number in the journal."""

    def __init__(self) -> None:
        self._listed: deque[Record] = deque(maxlen=_KEPT)
        self._arrivals: dict[str, deque[float]] = {}
        self._unsettled: set[str] = set()  # consignment numbers posted and not searched for since
        self._served: set[tuple[str, str]] = set()  # (depot, SHA-256)

    def listed(self) -> list[Record]:
        return list(self._listed)

    def add(self, rule: str, detail: str, request: int, at: datetime) -> None:
        self._listed.append({"rule": rule, "detail": detail, "request": request, "time": at.isoformat()})

    def too_fast(self, user: str) -> bool:
        """Note a request of a user; True when it is the third within 0.8 s of real time."""
        arrivals = self._arrivals.setdefault(user, deque(maxlen=3))
        arrivals.append(time.monotonic())
        return len(arrivals) == 3 and arrivals[-1] - arrivals[0] < _TOO_CLOSE_S

    def blind(self, number: str) -> bool:
        """Whether a create with this number must not come now: an earlier one may have been accepted, unsearched."""
        return number in self._unsettled

    def posted(self, number: str, status: int) -> None:
        """Note how a create was answered; status 0 = not at all."""
        if not 400 <= status < 500:
            self._unsettled.add(number)

    def searched(self, term: str) -> None:
        self._unsettled.discard(term.upper())

    def served(self, depot: str, sha256: str) -> None:
        self._served.add((depot, sha256))

    def is_echo(self, depot: str, sha256: str) -> bool:
        """Whether these bytes were served to the depot that uploads them now."""
        return (depot, sha256) in self._served
