"""How long a failed item waits for its next attempt, and when it is given to a person."""

import random
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Backoff:
    """Pauses that double from `first_s` to `longest_s` seconds; after `attempts` failed attempts an item is parked.

    The defaults wait out four hours, the outage of a night's maintenance.
    """

    first_s: float = 5.0
    longest_s: float = 900.0
    attempts: int = 24

    def pause_s(self, attempt: int, jitter: Callable[[], float] = lambda: random.uniform(0.8, 1.2)) -> float:
        """Seconds to wait after attempt number `attempt` (from 1), spread so that not all come back together."""
        # The exponent is bounded, as 2.0 ** 1024 is no number any more.
        return min(self.first_s * 2.0 ** min(attempt - 1, 64), self.longest_s) * jitter()


DEFAULT = Backoff()
