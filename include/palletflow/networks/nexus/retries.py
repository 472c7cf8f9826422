"""How often a call is made again, and after which pause (contract 1.5)."""

import random
import time
from collections.abc import Callable
from typing import TypeVar

from palletflow.network_errors import NetworkError, NotSent, Throttled
from palletflow.networks.nexus.errors import NexusProtocolError, NexusRateLimited, NexusServerError

T = TypeVar("T")
# Before each of the further tries; jitter takes any part of it.
BACKOFF_S = (1.0, 2.0, 4.0, 8.0, 16.0)
REPEATABLE = (NotSent, NexusServerError, NexusProtocolError)
# What has not left us may be sent; what has may have been carried out.
NOT_REPEATABLE = (NotSent,)


class Retries:
    """A client's patience. Without it, pauses that Nexus asks for come out as Throttled, for a queue that waits."""

    def __init__(
        self,
        *,
        patient: bool = True,
        sleep: Callable[[float], None] = time.sleep,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self._patient, self._sleep, self._jitter = patient, sleep, jitter

    def run(self, attempt: Callable[[], T], again_after: tuple[type[NetworkError], ...]) -> T:
        """The attempt's result, made again after these errors and after a pause that Nexus asked for."""
        for pause_s in BACKOFF_S:
            try:
                return attempt()
            except Throttled as throttled:
                limited = throttled if isinstance(throttled, NexusRateLimited) else None
                if not self._patient or (limited and limited.too_long):
                    raise
                backs_off = limited is not None and limited.backs_off
                self._sleep(pause_s * self._jitter() if backs_off else throttled.retry_after)
            except again_after:
                self._sleep(pause_s * self._jitter())
        return attempt()
