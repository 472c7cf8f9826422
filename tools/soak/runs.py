"""Runs of pipelines as Airflow would have them: by the clock, because work is due, and again after a failure."""

import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from croniter import croniter

from palletflow.store import work_items
from palletflow.store.connection import Connection
from soak.pipelines import Ended, Forks, Pipeline, Task

# So many at once on two cores; what waits for a network costs nothing.
MOST_AT_ONCE = 4
# Airflow misses a killed task after two minutes (airflow.env) and tries it again a minute later.
MISSED_AFTER = timedelta(minutes=3)
# The night goes on when what is left of a step only waits. A drain ends by itself after eight minutes (airflow.work);
# nothing takes longer.
STEP_S, STUCK_S = 8.0, 600.0
WAIT_S = 0.05
# What is due is told of again in the same step, as long as that leads anywhere.
ROUNDS = 3


@dataclass
class _Try:
    task: Task
    not_before: datetime
    attempt: int = 1
    number: int | None = None
    began: float = 0.0
    is_over: bool = False


@dataclass
class _Run:
    pipeline: Pipeline
    name: str
    started: datetime
    tries: list[_Try]

    @property
    def is_over(self) -> bool:
        return all(one.is_over for one in self.tries)

    @property
    def works(self) -> bool:
        """Whether a process of it is at work just now."""
        return any(one.number is not None for one in self.tries)


@dataclass
class Tally:
    """What the runs of a night came to; `unforeseen` and `stuck` should stay empty."""

    tries: Counter[str] = field(default_factory=Counter)
    ends: Counter[str] = field(default_factory=Counter)
    errors: Counter[str] = field(default_factory=Counter)
    unforeseen: list[str] = field(default_factory=list)
    stuck: list[str] = field(default_factory=list)


class Runs:
    """The scheduler of the night."""

    def __init__(self, forks: Forks, pipelines: Sequence[Pipeline], now: datetime) -> None:
        self._forks = forks
        self._all = {one.name: one for one in pipelines}
        self._scheduled = [one for one in pipelines if one.cron]
        self._next = dict.fromkeys((one.name for one in self._scheduled), now)
        self._active: list[_Run] = []
        self._count = 0
        self.tally = Tally()

    def step(self, conn: Callable[[], Connection], now: Callable[[], datetime], meanwhile: Callable[[], None]) -> None:
        """Everything that is due at one moment of the night. `meanwhile` is called again and again as it runs.

        Ends when nothing runs any more, or what does only waits.
        """
        deadline = time.monotonic() + STEP_S
        self._by_the_clock(now())
        for _ in range(ROUNDS):
            begun = self._begin(now()) + self._because_of_work(conn(), now())
            while self._at_work() and time.monotonic() < deadline:
                meanwhile()
                ended = self._forks.wait(WAIT_S)
                if ended:
                    self._ended(ended, now())
                self._begin(now())
                self._end_stuck()
            if not begun or self._at_work():
                break
        meanwhile()

    def by_hand(self, name: str, now: datetime) -> None:
        """Somebody starts a pipeline; it runs in the next step."""
        self._plan(self._all[name], now)

    def working(self) -> list[int]:
        """The tries that are at work, by number."""
        return [one.number for run in self._active for one in run.tries if one.number is not None]

    def idle(self) -> bool:
        """Whether no try is at work and none is to be tried again."""
        return not self._active

    def _by_the_clock(self, now: datetime) -> None:
        for pipeline in self._scheduled:
            if self._next[pipeline.name] <= now and self._may(pipeline):
                # What was missed meanwhile is one run, as without catching up.
                self._next[pipeline.name] = croniter(pipeline.cron, now).get_next(datetime)
                self._plan(pipeline, now)

    def _because_of_work(self, conn: Connection, now: datetime) -> int:
        begun = 0
        for pipeline in self._scheduled:
            if not pipeline.network or any(run.works for run in self._active if run.pipeline is pipeline):
                continue
            due_s = work_items.next_due(conn, pipeline.network, pipeline.kinds)
            if due_s is not None and due_s <= 0 and self._may(pipeline):
                self._plan(pipeline, now)
                begun += self._begin(now)
        return begun

    def _may(self, pipeline: Pipeline) -> bool:
        return sum(run.pipeline is pipeline for run in self._active) < pipeline.most_runs

    def _plan(self, pipeline: Pipeline, now: datetime) -> None:
        self._count += 1
        name = f"scheduled__{now:%Y-%m-%dT%H:%M:%S}_{self._count}"
        self._active.append(_Run(pipeline, name, now, [_Try(task, now) for task in pipeline.tasks]))

    def _begin(self, now: datetime) -> int:
        begun = 0
        for run, one in self._waiting(now):
            if self._at_work() >= MOST_AT_ONCE:
                break
            one.number = self._forks.begin(run.pipeline.name, one.task, one.attempt, run.name, run.started)
            one.began = time.monotonic()
            begun += 1
        return begun

    def _waiting(self, now: datetime) -> Iterator[tuple[_Run, _Try]]:
        for run in self._active:
            for one in run.tries:
                if one.number is None and not one.is_over and one.not_before <= now:
                    yield run, one

    def _at_work(self) -> int:
        return len(self.working())

    def _ended(self, ended: Ended, now: datetime) -> None:
        [(run, one)] = [(run, one) for run in self._active for one in run.tries if one.number == ended.number]
        one.number = None
        self.tally.tries[ended.outcome] += 1
        retry_in = MISSED_AFTER if ended.outcome == "killed" else _seconds(ended.retry_s)
        if ended.outcome == "failed":
            self.tally.errors[f"{run.pipeline.name}: {ended.error[:200]}"] += 1
            if not ended.is_foreseen:
                self.tally.unforeseen.append(f"{run.pipeline.name} {one.task.name}: {ended.error}")
        if retry_in is not None and one.attempt <= one.task.retries:
            one.attempt += 1
            one.not_before = now + retry_in
        else:
            one.is_over = True
            self.tally.ends[ended.outcome] += 1
        self._active = [run for run in self._active if not run.is_over]

    def _end_stuck(self) -> None:
        for run in self._active:
            for one in run.tries:
                if one.number is not None and time.monotonic() - one.began > STUCK_S and self._forks.kill(one.number):
                    self.tally.stuck.append(f"{run.pipeline.name} {one.task.name} ran for {STUCK_S:g} s")
                    one.began = time.monotonic()


def _seconds(seconds: float | None) -> timedelta | None:
    return None if seconds is None else timedelta(seconds=seconds)
