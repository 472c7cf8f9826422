"""What the benchmarks have in common: a figure beside its yardstick, and the taking of time."""

import time
from collections.abc import Callable
from typing import NamedTuple


class Figure(NamedTuple):
    """One line of the table: the ratio of the two shall not exceed `target`."""

    name: str
    seconds: float
    yardstick: str
    yardstick_seconds: float
    target: float

    @property
    def ratio(self) -> float:
        """Time over the yardstick's time."""
        return self.seconds / self.yardstick_seconds


def timed(job: Callable[[], object]) -> float:
    """Seconds a job takes."""
    start = time.perf_counter()
    job()
    return time.perf_counter() - start


def expect(true: bool) -> None:
    """A benchmark of a job that did not do its work is worth nothing."""
    if not true:
        raise AssertionError("the measured job did not do its work")
