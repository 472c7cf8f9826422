"""Runs the first pulls at once, instead of when their schedule next says so.

The rule: whenever the house is stood up, every DAG with the tag `first-run` gets one run as soon as the DAG processor
has read its file in this start, unless the DAG is paused or a run of it is queued or running already.
"""

import contextlib
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

import requests

from palletflow.sandbox.airflow_api import AirflowApi

TAG = "first-run"
SECONDS = 120.0
POLL_SECONDS = 0.5


@dataclass
class DagsRead:
    """What became of the DAG files.

    `running`: DAGs of the tag with a run under way, ours or one of their schedule. `broken`: file to what is wrong.
    `unread`: files the DAG processor has not come to.
    """

    running: list[str] = field(default_factory=list)
    broken: dict[str, str] = field(default_factory=dict)
    unread: set[str] = field(default_factory=set)


def run_first(
    api: AirflowApi,
    dags_folder: Path,
    since: datetime,
    *,
    seconds: float = SECONDS,
    sleep: Callable[[float], None] = time.sleep,
) -> DagsRead:
    """Waits until every file of the DAGs folder was read after `since` (one file, one DAG of its name).

    Starts the first runs meanwhile. What was not read after `seconds` is in `unread`.
    """
    outcome = DagsRead(unread={file.stem for file in dags_folder.glob("*.py")})
    deadline = time.monotonic() + seconds
    while outcome.unread and time.monotonic() < deadline:
        # A small machine that just stands up may be slow to answer; the next look will tell.
        with contextlib.suppress(requests.ConnectionError, requests.Timeout):
            _look(api, since, outcome)
        if outcome.unread:
            sleep(POLL_SECONDS)
    return outcome


def _look(api: AirflowApi, since: datetime, outcome: DagsRead) -> None:
    for error in api.all("importErrors", "import_errors"):
        name = Path(error["filename"]).stem
        if name in outcome.unread and datetime.fromisoformat(error["timestamp"]) >= since:
            outcome.unread.discard(name)
            outcome.broken[name] = error["stack_trace"].strip().rpartition("\n")[2]
    for dag in api.all("dags", "dags", exclude_stale=False):
        name, read_at = dag["dag_id"], dag["last_parsed_time"]
        if name not in outcome.unread or read_at is None or datetime.fromisoformat(read_at) < since:
            continue
        outcome.unread.discard(name)
        if TAG not in {tag["name"] for tag in dag["tags"]} or dag["is_paused"]:
            continue
        try:
            if not api.has_runs_under_way(name):
                api.trigger(name, note="First run of this start")
            outcome.running.append(name)
        except requests.HTTPError as error:
            outcome.broken[name] = f"its first run was refused: {error}"
