"""How often a call is made again, and after which pause (contract 1.4)."""

import time
from collections.abc import Callable
from typing import TypeVar

from palletflow.network_errors import NetworkError, Throttled
from palletflow.networks.palletways.errors import NoAnswer, NotConnected, ServerTrouble

T = TypeVar("T")
PAUSES_S = (5.0, 20.0)
# A longer pause that the network asks for, and the silence of a ban, are left to the task's or the queue's retry.
PATIENCE_S = 120.0
REPEATABLE = (NotConnected, NoAnswer, ServerTrouble)
# What has not left us may be sent; what has may have been carried out.
NOT_REPEATABLE = (NotConnected,)


class Retries:
    """A client's patience. Without it, a pause that the network asks for comes out as Throttled, for a queue."""

    def __init__(self, *, patient: bool, sleep: Callable[[float], None] = time.sleep) -> None:
        self._patient, self._sleep = patient, sleep

    def run(self, attempt: Callable[[], T], *, repeatable: bool) -> T:
        """The attempt's result, made again after what passes by itself."""
        again_after: tuple[type[NetworkError], ...] = REPEATABLE if repeatable else NOT_REPEATABLE
        for pause_s in PAUSES_S:
            try:
                return attempt()
            except Throttled as throttled:
                if not self._patient or throttled.retry_after > PATIENCE_S:
                    raise
                self._sleep(throttled.retry_after)
            except again_after:
                self._sleep(pause_s)
        return attempt()
