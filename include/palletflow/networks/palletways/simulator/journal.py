"""The record of calls, without keys, and of what a client should have refused itself."""

import re
from collections import deque
from datetime import datetime
from typing import Any
from urllib.parse import quote, quote_plus

from .members import KEYS

# A simulator left running must not fill the memory; the counts go on beyond what is kept.
_KEPT = 5_000
_APIKEY = re.compile(r"(apikey=)[^&#]*", re.IGNORECASE)

Record = dict[str, Any]


class Journal:
    """Calls in order of arrival; the newest 5,000 are kept."""

    def __init__(self) -> None:
        self.total = 0
        self._entries: deque[Record] = deque(maxlen=_KEPT)

    def open(self, **facts: Any) -> Record:
        """Enter a call that has no answer yet. The caller fills ``status`` and ``fault``."""
        self.total += 1
        entry: Record = {"number": self.total, **facts, "status": None, "fault": None}
        self._entries.append(entry)
        return entry

    def entries(self) -> list[Record]:
        return list(self._entries)


class Violations:
    """What the client should not have sent. ``request`` is the number in the journal; 0 = a file."""

    def __init__(self) -> None:
        self._listed: deque[Record] = deque(maxlen=_KEPT)

    def listed(self) -> list[Record]:
        return list(self._listed)

    def add(self, rule: str, detail: str, request: int, at: datetime) -> None:
        self._listed.append({"rule": rule, "detail": detail, "request": request, "time": at.isoformat()})


def redacted(text: str, given: str = "") -> str:
    """``text`` without any key that is known or was ``given``, in raw and encoded form."""
    text = _APIKEY.sub(r"\1***", text)
    for key in (*KEYS, given):
        for form in {key, quote(key, safe=""), quote_plus(key), quote(key)}:
            if len(form) > 2:
                text = text.replace(form, "***")
    return text
