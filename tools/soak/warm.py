"""The process that every run of a pipeline is forked from: it has imported everything and opened nothing.

Airflow starts a process a task; here the same task of the same DAG file runs in a fork, which costs milliseconds and
not seconds. It speaks in lines of JSON. First, on its standard output, {"pipelines": [...]} (see pipelines.Pipeline);
then for each request {"task": number, "dag", "name", "index", "attempt", "run", "started"} on its standard input
{"begun": number, "pid"} and {"ended": number, "killed": signal or 0, "outcome", "retry_s", "error", "is_foreseen"}.
"""

import contextlib
import json
import logging
import os
import random
import select
import signal
import sys
import time
import traceback
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from soak.clock import Clock

LOOK_S = 0.02
# What a drain waits for more after its last item: its next run is a step of the night away, not a second.
LINGER_S = 0.1
# What tasks use of the package.
ROOMS = ("airflow", "documents", "intake", "networks", "orders", "store", "transfer", "work")
UNUSED = {"simulator", "migrations"}


def main(home: Path, dags: Path) -> None:
    """Serves until its standard input ends."""
    # Airflow logs to standard output, which here belongs to the answers alone.
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    found = _read(dags)
    _import_what_tasks_import()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s", force=True)
    Clock(home / "clock").follow()
    _say(answers, pipelines=[_described(dag) for dag in found.values()])
    _Server(home, found, answers).serve()


def _read(dags: Path) -> dict[str, Any]:
    from airflow.dag_processing.dagbag import DagBag

    bag = DagBag(str(dags))
    if bag.import_errors:
        raise RuntimeError(f"{dags} cannot be read: {bag.import_errors}")
    return dict(bag.dags)


def _import_what_tasks_import() -> None:
    """Tasks import late what reading a DAG file must not pay for; a fork would pay for it every time."""
    import importlib
    import pkgutil

    from airflow.sdk.bases.operator import ExecutorSafeguard

    import palletflow
    from palletflow.airflow.work import DrainOperator

    for module in pkgutil.walk_packages(palletflow.__path__, "palletflow."):
        parts = module.name.split(".")
        if parts[1] in ROOMS and not UNUSED & set(parts):
            importlib.import_module(module.name)
    DrainOperator.linger_s = LINGER_S
    # Else every task is warned of that Airflow does not run it.
    ExecutorSafeguard.test_mode = True


def _described(dag: Any) -> dict[str, Any]:
    """A pipeline as the night plans it: when it runs by the clock, what work wakes it, and its tasks."""
    timetable = getattr(dag.timetable, "timetable", dag.timetable)
    woken = getattr(getattr(dag.timetable, "asset_condition", None), "objects", [])
    trigger = woken[0].watchers[0].trigger if woken else None
    return {
        "name": dag.dag_id,
        "cron": getattr(timetable, "expression", None),
        "most_runs": dag.max_active_runs,
        "network": trigger.network if trigger else None,
        "kinds": trigger.kinds if trigger else [],
        "tasks": [
            {"name": task.task_id, "index": index, "retries": task.retries}
            for task in dag.tasks
            if not task.downstream_task_ids
            for index in range(len(_mapped_over(task)) if task.is_mapped else 1)
        ],
    }


def _mapped_over(task: Any) -> list[dict[str, Any]]:
    """The arguments that the task before it gives, which is a plain function of the deployment file."""
    given: list[dict[str, Any]] = task.expand_input.value.operator.python_callable()
    return given


class _Server:
    def __init__(self, home: Path, dags: dict[str, Any], answers: Any) -> None:
        self._home, self._dags, self._answers = home, dags, answers
        self._running: dict[int, dict[str, Any]] = {}  # by process
        (home / "runs").mkdir(exist_ok=True)

    def serve(self) -> None:
        """Forks what is asked for, and tells how each ended."""
        asked = b""
        while True:
            if select.select([0], [], [], LOOK_S)[0]:
                read = os.read(0, 65536)
                if not read:
                    return
                *lines, asked = (asked + read).split(b"\n")
                for line in lines:
                    self._begin(json.loads(line))
            for process, status in _ended():
                self._tell(self._running.pop(process), status)

    def _begin(self, request: dict[str, Any]) -> None:
        process = os.fork()
        if not process:
            _become(self._dags[request["dag"]], request, self._home)
        self._running[process] = request
        _say(self._answers, begun=request["task"], pid=process)

    def _tell(self, request: dict[str, Any], status: int) -> None:
        told = self._home / "runs" / str(request["task"])
        result = _came("killed")
        with contextlib.suppress(FileNotFoundError, ValueError):
            result = json.loads(told.read_text())
            told.unlink()
        _say(self._answers, ended=request["task"], killed=os.WTERMSIG(status), **result)


def _ended() -> Iterator[tuple[int, int]]:
    with contextlib.suppress(ChildProcessError):
        while (ended := os.waitpid(-1, os.WNOHANG))[0]:
            yield ended


def _say(answers: Any, **said: Any) -> None:
    answers.write(json.dumps(said) + "\n")
    answers.flush()


# In the fork


def _become(dag: Any, request: dict[str, Any], home: Path) -> None:
    """Runs one try of one task and ends; its output goes to the pipeline's log."""
    status, began = 1, time.monotonic()
    try:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        random.seed()
        with Path(os.devnull).open() as nothing, (home / "logs" / f"{dag.dag_id}.log").open("ab") as log:
            os.dup2(nothing.fileno(), 0)
            os.dup2(log.fileno(), 1)
            os.dup2(log.fileno(), 2)
        logging.info("-- %s %s", request["run"], {name: request[name] for name in ("name", "index", "attempt")})
        result = _run(dag, request)
        took = time.monotonic() - began, time.process_time()
        logging.info(
            "-- %s: %s in %.2f s, %.2f s of CPU; %s", request["run"], result["outcome"], *took, result["error"]
        )
        told = home / "runs" / str(request["task"])
        told.with_suffix(".new").write_text(json.dumps(result))
        told.with_suffix(".new").rename(told)
        status = 0
    except BaseException:
        traceback.print_exc()
    finally:
        logging.shutdown()
        sys.stderr.flush()
        os._exit(status)


def _run(dag: Any, request: dict[str, Any]) -> dict[str, Any]:
    """What came of it, and how the shared retry policy judges a failure."""
    from airflow.sdk import RetryAction
    from airflow.sdk.exceptions import AirflowSkipException
    from airflow.sdk.execution_time.context import set_current_context

    from palletflow.airflow.retries import NEEDS_A_PERSON, PASSES_BY_ITSELF
    from palletflow.network_errors import Throttled

    task = dag.get_task(request["name"])
    context = _context(dag, request)
    try:
        if task.is_mapped:
            task = task.unmap(_mapped_over(task)[request["index"]])
        elif hasattr(task, "python_callable"):
            with set_current_context(context):
                task.python_callable()
            return _came("success")
        task.render_template_fields(context)
        task.execute(context)
    except AirflowSkipException as skipped:
        return _came("skipped", error=str(skipped))
    except Exception as error:
        traceback.print_exc()
        decided = task.retry_policy.evaluate(error, request["attempt"], task.retries + 1)
        again = decided.action == RetryAction.RETRY and decided.retry_delay is not None
        pause = decided.retry_delay.total_seconds() if again else None
        foreseen = isinstance(error, (*NEEDS_A_PERSON, *PASSES_BY_ITSELF, Throttled))
        return _came("failed", pause, f"{type(error).__name__}: {error}", foreseen)
    return _came("success")


def _came(outcome: str, retry_s: float | None = None, error: str = "", foreseen: bool = True) -> dict[str, Any]:
    return {"outcome": outcome, "retry_s": retry_s, "error": error, "is_foreseen": foreseen}


def _context(dag: Any, request: dict[str, Any]) -> dict[str, Any]:
    """As much of Airflow's as our operators read."""
    started = datetime.fromisoformat(request["started"])
    run = SimpleNamespace(
        dag_id=dag.dag_id,
        run_id=request["run"],
        run_type="scheduled",
        start_date=started,
        triggering_user_name=None,
        conf={},
    )
    return {"dag": dag, "dag_run": run, "run_id": run.run_id, "params": dag.params.dump(), "conf": {}}


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
