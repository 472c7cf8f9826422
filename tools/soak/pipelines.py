"""The pipelines of dags/ as the night runs them, and the process that forks their tasks."""

import json
import os
import queue
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

PROJECT = Path(__file__).parents[2]
START_S = 120


@dataclass(frozen=True)
class Task:
    """One task of a pipeline; `index` of a mapped one, by depot or connection."""

    name: str
    index: int
    retries: int


@dataclass(frozen=True)
class Pipeline:
    """`cron`: None for one that only people start. `kinds` of work wake it."""

    name: str
    cron: str | None
    most_runs: int
    network: str | None
    kinds: tuple[str, ...]
    tasks: tuple[Task, ...]


@dataclass(frozen=True)
class Ended:
    """How a try of a task ended: success, skipped, failed or killed. `retry_s`: None for no more tries.

    `is_foreseen`: the retry policy knows what the error is.
    """

    number: int
    outcome: str
    retry_s: float | None
    error: str
    is_foreseen: bool


class Forks:
    """Tries of tasks, each a process of its own. Not for several threads."""

    def __init__(self, home: Path, environment: Mapping[str, str]) -> None:
        self._log = (home / "logs" / "warm.log").open("ab")
        self._process = subprocess.Popen(
            [sys.executable, "-m", "soak.warm", str(home), str(PROJECT / "dags")],
            env={**environment, "PYTHONPATH": str(PROJECT / "tools")},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            text=True,
            start_new_session=True,
        )
        self._said: queue.Queue[dict[str, Any] | None] = queue.Queue()
        threading.Thread(target=self._listen, daemon=True).start()
        self._number = 0
        self._pids: dict[int, int] = {}

    @property
    def pid(self) -> int:
        """Of the process that forks."""
        return self._process.pid

    def pipelines(self) -> list[Pipeline]:
        """All of dags/; waits until everything is imported. Call it once, before anything else."""
        return [
            Pipeline(
                one["name"],
                one["cron"],
                one["most_runs"],
                one["network"],
                tuple(one["kinds"]),
                tuple(Task(**task) for task in one["tasks"]),
            )
            for one in self._next(START_S)["pipelines"]
        ]

    def begin(self, pipeline: str, task: Task, attempt: int, run: str, started: datetime) -> int:
        """Starts a try; its number."""
        self._number += 1
        request = {
            "task": self._number,
            "dag": pipeline,
            "name": task.name,
            "index": task.index,
            "attempt": attempt,
            "run": run,
            "started": started.isoformat(),
        }
        assert self._process.stdin
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        return self._number

    def wait(self, seconds: float) -> Ended | None:
        """The next try that ends; None when none does in time."""
        try:
            said = self._next(seconds)
        except TimeoutError:
            return None
        if "begun" in said:
            self._pids[said["begun"]] = said["pid"]
            return None
        self._pids.pop(said["ended"], None)
        outcome = "killed" if said["killed"] else said["outcome"]
        return Ended(said["ended"], outcome, said["retry_s"], said["error"], said["is_foreseen"])

    def kill(self, number: int) -> bool:
        """Ends a try with SIGKILL, wherever it is; False when it has ended or not begun."""
        with suppress(ProcessLookupError):
            if pid := self._pids.get(number):
                os.kill(pid, signal.SIGKILL)
                return True
        return False

    def close(self) -> None:
        """Ends the process that forks, and all forks."""
        for pid in self._pids.values():
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self._process.kill()
        self._process.wait()
        self._log.close()

    def _listen(self) -> None:
        assert self._process.stdout
        for line in self._process.stdout:
            self._said.put(json.loads(line))
        self._said.put(None)

    def _next(self, seconds: float) -> dict[str, Any]:
        try:
            said = self._said.get(timeout=seconds)
        except queue.Empty:
            raise TimeoutError from None
        if said is None:
            raise RuntimeError(f"The process that runs are forked from has ended; see {self._log.name}")
        return said
