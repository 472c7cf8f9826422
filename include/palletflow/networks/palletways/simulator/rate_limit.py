"""More than 100 calls in a minute ban the caller's address for 15 minutes (section 1.4), by the virtual clock."""

from collections import deque
from dataclasses import dataclass, field
from datetime import datetime, timedelta

CALLS = 100
WINDOW = timedelta(seconds=60)
BAN = timedelta(minutes=15)


@dataclass
class _Caller:
    arrivals: deque[datetime] = field(default_factory=deque)
    banned_until: datetime | None = None


class RateLimit:
    """Counts the calls of every address, and knows who is banned."""

    def __init__(self) -> None:
        self._callers: dict[str, _Caller] = {}
        self._largest = 0

    @property
    def largest(self) -> int:
        """The most calls any address has made in a sliding 60 s, banned ones too."""
        return self._largest

    def arrive(self, address: str, now: datetime, *, enforced: bool, extend: bool) -> bool:
        """Count a call; whether its caller is banned, by this very call or before.

        ``enforced`` off counts without banning; ``extend``: a call during the ban begins it anew.
        """
        caller = self._callers.setdefault(address, _Caller())
        caller.arrivals.append(now)
        while caller.arrivals[0] <= now - WINDOW:
            caller.arrivals.popleft()
        self._largest = max(self._largest, len(caller.arrivals))
        if not enforced:
            return False
        if caller.banned_until is not None and now < caller.banned_until:
            if extend:
                caller.banned_until = now + BAN
            return True
        # Calls into the ban do not bring the next one on, once it is over.
        served = caller.arrivals
        if caller.banned_until is not None:
            served = deque(at for at in caller.arrivals if at >= caller.banned_until)
        if len(served) <= CALLS:
            return False
        caller.banned_until = now + BAN
        return True

    def bans(self, now: datetime) -> dict[str, str]:
        """The addresses that are banned, and until when."""
        return {
            address: caller.banned_until.isoformat()
            for address, caller in self._callers.items()
            if caller.banned_until is not None and now < caller.banned_until
        }

    def lift(self) -> None:
        """End every ban and forget the calls that led to it; the largest number stays."""
        self._callers.clear()
