"""`make demo`: one full round of every pipeline against the sandbox, without a person.

What landed is compared with what the simulated network says it holds, asked directly and not through our client. Exit
status 0 only if everything is there. The demo has a house of its own, thrown away at its next start.
"""

import json
import os
import shutil
import time
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

import requests

from palletflow.sandbox.house import House, running_house
from palletflow.sandbox.settings import from_environment
from palletflow.sandbox.terminal import Terminal
from palletflow.store import batches, quarantine
from palletflow.store.batches import StoredBatch
from palletflow.store.connection import Connection, connect
from palletflow.store.imports import NO_RECORDS, Counts

IMPORT, FETCH, REPLAY = "palletforce_import", "palletforce_fetch", "quarantine_replay"
DEPOT = "900"
NETWORK = "palletforce"
CONNECTIONS = "AIRFLOW_CONN_PALLETFORCE_"
LONDON = ZoneInfo("Europe/London")
PATIENCE_S = 180
POLL_S = 0.5
SPOILT_WEIGHT = "heavy"
ANY_FREE_PORTS = dict.fromkeys(("PALLETFLOW_PORT", "PALLETFLOW_POSTGRES_PORT", "PALLETFLOW_SIMULATOR_PORT"), "0")


class DemoFault(Exception):
    """A step of the demo did not end as it must; the text says which and why."""


class Line(NamedTuple):
    """One line of the closing table: `expected` as the network or the step says it, `found` in the order store."""

    pipeline: str
    what: str
    expected: int
    found: int


def main() -> int:
    """Returns the exit status. Raises SandboxError when the house does not stand up."""
    terminal = Terminal()
    settings = from_environment({**os.environ, **ANY_FREE_PORTS})
    settings = replace(settings, home=settings.home / "demo")
    shutil.rmtree(settings.home, ignore_errors=True)
    terminal.say("Standing a house up for one round of every pipeline")
    try:
        with running_house(settings, terminal) as house:
            began = time.monotonic()
            with connect(house.order_store_dsn) as conn:
                lines = list(_round(house, conn, terminal))
            terminal.say(_table(lines))
            missing = [line for line in lines if line.expected != line.found]
            terminal.say(f"The round took {time.monotonic() - began:.0f} s.")
    except DemoFault as fault:
        terminal.say(f"DEMO FAILED: {fault}")
        return 1
    if missing:
        terminal.say(f"DEMO FAILED: {'; '.join(line.what for line in missing)} differ from what they must be")
        return 1
    terminal.say("DEMO PASSED: everything landed")
    return 0


def _round(house: House, conn: Connection, terminal: Terminal) -> Iterator[Line]:
    with terminal.step("Reading the pipelines"):
        dags = house.run_first()
    if dags.broken or dags.unread:
        raise DemoFault(f"DAG files cannot be read: {dags.broken or sorted(dags.unread)}")

    with terminal.step(f"{IMPORT}: the first pull"):
        _finished(house, IMPORT, _first_run(house, IMPORT))
    first = batches.since(conn, 0)
    for batch in {batch.party: batch for batch in reversed(first)}.values():
        yield Line(IMPORT, f"consignments of depot {batch.party}", _in_network(house, batch), batch.counts.records)
    yield Line(IMPORT, "depots pulled", len(_depots(house)), len({batch.party for batch in first}))

    start, end = first[0].window or (None, None)
    with terminal.step(f"{IMPORT}: the same window once more"):
        again = _brought(house, conn, IMPORT, {"from": str(start), "to": str(end)})
    yield Line(IMPORT, "changes by pulling it again", 0, again.created + again.updated)

    with terminal.step(f"{FETCH}: one consignment by its number"):
        [number] = _made_in_network(house, {})
        fetched = _brought(house, conn, FETCH, {"tracking_number": number, "depot": DEPOT})
    yield Line(FETCH, "orders made by the fetch", 1, fetched.created)

    with terminal.step(f"{REPLAY}: a spoilt record is quarantined, corrected and replayed"):
        _made_in_network(house, {"overrides": {"weight": SPOILT_WEIGHT}})
        _brought(house, conn, IMPORT, {})
        spoilt = [record for record in quarantine.listed(conn) if SPOILT_WEIGHT in record.raw]
        replayed = NO_RECORDS
        for record in spoilt:
            corrected = json.loads(record.raw.replace(SPOILT_WEIGHT, "850"))
            corrections = {"record_ids": [record.id], "corrected": corrected}
            replayed = replayed.plus(_brought(house, conn, REPLAY, corrections))
    yield Line(IMPORT, "spoilt records quarantined", 1, len(spoilt))
    yield Line(REPLAY, "orders made by the replay", 1, replayed.created)
    yield Line(REPLAY, "records left in quarantine", 0, len(quarantine.listed(conn)))


def _brought(house: House, conn: Connection, dag_id: str, conf: Mapping[str, Any]) -> Counts:
    """Runs a pipeline and gives what that run brought, whatever other runs brought meanwhile."""
    before = max((batch.id for batch in batches.since(conn, 0)), default=0)
    run_id = house.api.trigger(dag_id, dict(conf), note="make demo")
    _finished(house, dag_id, run_id)
    brought = NO_RECORDS
    for batch in batches.since(conn, before):
        if batch.run == f"{dag_id} {run_id}":
            brought = brought.plus(batch.counts)
    return brought


def _in_network(house: House, batch: StoredBatch) -> int:
    """How many consignments the network says it holds for the window of a batch."""
    assert batch.window is not None  # a pull has one
    connection = json.loads(house.environment[f"{CONNECTIONS}{batch.party}"])
    start, end = (moment.astimezone(LONDON).strftime("%Y-%m-%dT%H:%M:%S") for moment in batch.window)
    answer = requests.post(
        f"{connection['host']}/DownloadManifest",
        json={
            "accessKey": connection["password"],
            "depot": batch.party,
            "fromDateTime": start,
            "toDateTime": end,
            "pageNumber": "1",
            "pageSize": "1",
        },
        timeout=30,
    )
    return int(answer.json()["totalRecords"])


def _depots(house: House) -> list[str]:
    return sorted(name.removeprefix(CONNECTIONS) for name in house.environment if name.startswith(CONNECTIONS))


def _made_in_network(house: House, more: Mapping[str, Any]) -> list[str]:
    """Makes a consignment in the simulated network; its tracking number."""
    body = {"depot": DEPOT, "role": "requested", **more}
    answer = requests.post(f"{house.simulators[NETWORK]}/_sim/consignments", json=body, timeout=30)
    answer.raise_for_status()
    return list(answer.json()["trackingNumbers"])


def _first_run(house: House, dag_id: str) -> str:
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        runs = house.api.get(f"dags/{dag_id}/dagRuns", order_by="run_after", limit=1)["dag_runs"]
        if runs:
            return str(runs[0]["dag_run_id"])
        time.sleep(POLL_S)
    raise DemoFault(f"{dag_id}: no run was started within {PATIENCE_S} s")


def _finished(house: House, dag_id: str, run_id: str) -> None:
    """Waits for a run. Raises DemoFault as soon as a task of the pipeline fails or has to be tried again.

    A task of another run counts too: that run goes first, and ours waits for it.
    """
    path = f"dags/{dag_id}/dagRuns/{run_id}"
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        for task in house.api.get(f"dags/{dag_id}/dagRuns/~/taskInstances")["task_instances"]:
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


def _table(lines: list[Line]) -> str:
    head = f"\n  {'pipeline':<20}{'what':<34}{'expected':>9}{'found':>7}"
    rows = [
        f"  {line.pipeline:<20}{line.what:<34}{line.expected:>9}{line.found:>7}"
        f"  {'ok' if line.expected == line.found else 'MISSING'}"
        for line in lines
    ]
    return "\n".join([head, f"  {'-' * 70}", *rows, ""])
