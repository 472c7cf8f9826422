"""What the benchmarks have in common: a figure beside its yardstick, and the taking of time."""

import time
from collections.abc import Callable
from typing import NamedTuple


class Figure(NamedTuple):
    """One line of the table, in seconds unless its name says otherwise; the ratio shall not exceed `target`."""

    name: str
    measured: float
    yardstick: str
    yardstick_measured: float
    target: float

    @property
    def ratio(self) -> float:
        """What was measured over the yardstick: smaller is better."""
        return self.measured / self.yardstick_measured


def timed(job: Callable[[], object]) -> float:
    """Seconds a job takes."""
    start = time.perf_counter()
    job()
    return time.perf_counter() - start


def expect(true: bool) -> None:
    """A benchmark of a job that did not do its work is worth nothing."""
    if not true:
        raise AssertionError("the measured job did not do its work")
