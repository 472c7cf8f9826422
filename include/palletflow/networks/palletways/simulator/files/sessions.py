"""Who connected to the file servers, what they asked for and what they were told: for a test to look at."""

import threading
from collections import Counter, deque
from typing import Any

# A simulator left running must not fill the memory; the count goes on beyond what is kept.
_KEPT = 5_000

Record = dict[str, Any]


class Session:
    """One connection of a client to one of the servers."""

    def __init__(self, sessions: "Sessions", server: str, number: int) -> None:
        self._sessions = sessions
        self.server = server
        self.number = number
        self.user = ""

    def told(self, command: str, argument: str, reply: str) -> None:
        """Enter a command and a reply to it; a transfer over FTP has two."""
        entry = {"command": command, "argument": argument, "reply": reply}
        self._sessions.enter({"server": self.server, "session": self.number, "user": self.user, **entry})

    def end(self) -> None:
        """The connection is gone."""
        self._sessions.ended(self)


class Sessions:
    """Commands with their replies in order, the newest 5,000; and how many connections there were. Threads share it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._number = 0
        self._open: Counter[str] = Counter()
        self._entries: deque[Record] = deque(maxlen=_KEPT)
        self.clear()

    def clear(self) -> None:
        """Forget what was; connections that are open stay counted."""
        with self._lock:
            self._entries.clear()
            self._most = Counter(self._open)
            self._begun: Counter[str] = Counter()

    def begin(self, server: str) -> Session:
        """A client has connected to the server of that name."""
        with self._lock:
            self._number += 1
            self._begun[server] += 1
            self._open[server] += 1
            self._most[server] = max(self._most[server], self._open[server])
            return Session(self, server, self._number)

    def ended(self, session: Session) -> None:
        with self._lock:
            self._open[session.server] -= 1

    def enter(self, entry: Record) -> None:
        with self._lock:
            self._entries.append(entry)

    def entries(self) -> list[Record]:
        """``{"server", "session": number, "user", "command", "argument", "reply"}``, oldest first."""
        with self._lock:
            return list(self._entries)

    def connections(self) -> dict[str, Record]:
        """By server: ``{"begun": since the last reset, "open": now, "most": at once since then}``."""
        with self._lock:
            return {
                server: {"begun": self._begun[server], "open": self._open[server], "most": most}
                for server, most in sorted(self._most.items())
            }
