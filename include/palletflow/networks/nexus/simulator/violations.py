"""What a client of this network should have refused itself (section 11.3)."""

import time
from collections import deque

from palletflow.simulation import journal

# More than 2 requests a second (section 1.6): three within this time. Less than a second, as what a client spaces
# evenly arrives unevenly.
_TOO_CLOSE_S = 0.8


class Violations(journal.Violations):
    """What the client should not have sent, and what has to be remembered to find it."""

    def __init__(self) -> None:
        super().__init__()
        self._arrivals: dict[str, deque[float]] = {}
        self._unsettled: set[str] = set()  # consignment numbers posted and not searched for since
        self._served: set[tuple[str, str]] = set()  # (depot, SHA-256)

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
