"""Runs pipelines for the demo, waits for them, and says why one failed."""

import time
from collections.abc import Callable, Collection, Mapping
from typing import Any, NamedTuple

from palletflow.sandbox.house import House

PATIENCE_S = 300
POLL_S = 0.5


class DemoFault(Exception):
    """A step of the demo did not end as it must; the text says which and why."""


class Line(NamedTuple):
    """One line of the closing table: `expected` as the network or the step says it, `found` in the order store."""

    pipeline: str
    what: str
    expected: int
    found: int


def run(house: House, dag_id: str, conf: Mapping[str, Any], may_skip: Collection[str] = ()) -> str:
    """Runs a pipeline to its end; the run id. `may_skip`: tasks with nothing to do here. Raises DemoFault."""
    run_id = house.api.trigger(dag_id, dict(conf), note="make demo")
    finished(house, dag_id, run_id, may_skip)
    return run_id


def until(house: House, what: str, found: Callable[[], bool]) -> None:
    """Waits until something the queue does by itself has happened. Raises DemoFault."""
    deadline = time.monotonic() + PATIENCE_S
    while not found():
        if time.monotonic() > deadline:
            raise DemoFault(f"{what} did not happen within {PATIENCE_S} s; see {house.settings.home}/logs")
        time.sleep(POLL_S)


def first_run(house: House, dag_id: str) -> str:
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        runs = house.api.get(f"dags/{dag_id}/dagRuns", order_by="run_after", limit=1)["dag_runs"]
        if runs:
            return str(runs[0]["dag_run_id"])
        time.sleep(POLL_S)
    raise DemoFault(f"{dag_id}: no run was started within {PATIENCE_S} s")


def finished(house: House, dag_id: str, run_id: str, may_skip: Collection[str] = ()) -> None:
    """Waits for a run. Raises DemoFault as soon as a task of the pipeline fails or has to be tried again.

    A task of another run counts too: that run goes first, and ours waits for it.
    """
    path = f"dags/{dag_id}/dagRuns/{run_id}"
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        for task in house.api.get(f"dags/{dag_id}/dagRuns/~/taskInstances")["task_instances"]:
            if task["state"] == "skipped" and task["task_id"] in may_skip:
                continue
            if task["state"] in ("failed", "up_for_retry", "upstream_failed", "skipped"):
                name = f"{task['task_id']} {task['rendered_map_index'] or ''}".strip()
                raise DemoFault(f"{dag_id}: task {name} is {task['state']}: {_last_error(house, task)}")
        state = house.api.get(path)["state"]
        if state == "success":
            return
        if state == "failed":
            raise DemoFault(f"{dag_id}: run {run_id} failed")
        time.sleep(POLL_S)
    raise DemoFault(f"{dag_id}: run {run_id} did not end within {PATIENCE_S} s")


def _last_error(house: House, task: Mapping[str, Any]) -> str:
    path = f"dags/{task['dag_id']}/dagRuns/{task['dag_run_id']}"
    tries = max(1, task["try_number"])
    log = house.api.get(f"{path}/taskInstances/{task['task_id']}/logs/{tries}", map_index=task["map_index"])
    for entry in reversed(log["content"]):
        for error in entry.get("error_detail") or []:
            return f"{error['exc_type']}: {error['exc_value']}"
    return "see its log"
