"""The demo's import round: pulls, a single fetch, quarantine and replay."""

import json
from collections.abc import Collection, Iterator, Mapping
from typing import Any
from zoneinfo import ZoneInfo

import requests

from palletflow.sandbox.demo_runs import Line, finished, first_run, run
from palletflow.sandbox.house import House
from palletflow.sandbox.terminal import Terminal
from palletflow.store import batches, quarantine
from palletflow.store.batches import StoredBatch
from palletflow.store.connection import Connection
from palletflow.store.imports import NO_RECORDS, Counts

IMPORT, FETCH, REPLAY = "palletforce_import", "palletforce_fetch", "quarantine_replay"
DEPOT = "900"
NETWORK = "palletforce"
CONNECTIONS = "AIRFLOW_CONN_PALLETFORCE_"
LONDON = ZoneInfo("Europe/London")
SPOILT_WEIGHT = "heavy"


def import_round(house: House, conn: Connection, terminal: Terminal) -> Iterator[Line]:
    """Everything a depot's import does, compared with what the network says it holds. Raises DemoFault."""
    with terminal.step(f"{IMPORT}: the first pull"):
        finished(house, IMPORT, first_run(house, IMPORT))
    first = [batch for batch in batches.since(conn, 0) if batch.network == NETWORK]
    for batch in {batch.party: batch for batch in reversed(first)}.values():
        yield Line(IMPORT, f"consignments of depot {batch.party}", _in_network(house, batch), batch.counts.records)
    yield Line(IMPORT, "depots pulled", len(_depots(house)), len({batch.party for batch in first}))

    start, end = first[0].window or (None, None)
    with terminal.step(f"{IMPORT}: the same window once more"):
        again = brought(house, conn, IMPORT, {"from": str(start), "to": str(end)})
    yield Line(IMPORT, "changes by pulling it again", 0, again.created + again.updated)

    with terminal.step(f"{FETCH}: one consignment by its number"):
        [number] = made_in_network(house, {})
        fetched = brought(house, conn, FETCH, {"tracking_number": number, "depot": DEPOT})
    yield Line(FETCH, "orders made by the fetch", 1, fetched.created)

    with terminal.step(f"{REPLAY}: a spoilt record is quarantined, corrected and replayed"):
        made_in_network(house, {"overrides": {"weight": SPOILT_WEIGHT}})
        brought(house, conn, IMPORT, {})
        spoilt = [record for record in quarantine.listed(conn) if SPOILT_WEIGHT in record.raw]
        replayed = NO_RECORDS
        for record in spoilt:
            corrected = json.loads(record.raw.replace(SPOILT_WEIGHT, "850"))
            corrections = {"record_ids": [record.id], "corrected": corrected}
            replayed = replayed.plus(brought(house, conn, REPLAY, corrections))
    yield Line(IMPORT, "spoilt records quarantined", 1, len(spoilt))
    yield Line(REPLAY, "orders made by the replay", 1, replayed.created)
    yield Line(REPLAY, "records left in quarantine", 0, len(quarantine.listed(conn)))


def brought(
    house: House, conn: Connection, dag_id: str, conf: Mapping[str, Any], may_skip: Collection[str] = ()
) -> Counts:
    """Runs a pipeline and gives what that run brought, whatever other runs brought meanwhile."""
    before = max((batch.id for batch in batches.since(conn, 0)), default=0)
    run_id = run(house, dag_id, conf, may_skip)
    total = NO_RECORDS
    for batch in batches.since(conn, before):
        if batch.run == f"{dag_id} {run_id}":
            total = total.plus(batch.counts)
    return total


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


def made_in_network(house: House, more: Mapping[str, Any]) -> list[str]:
    """Makes a consignment in the simulated network; its tracking number."""
    body = {"depot": DEPOT, "role": "requested", **more}
    answer = requests.post(f"{house.simulators[NETWORK]}/_sim/consignments", json=body, timeout=30)
    answer.raise_for_status()
    return list(answer.json()["trackingNumbers"])
