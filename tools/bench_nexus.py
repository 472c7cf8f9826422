"""What a poll of Nexus costs at the contract's two calls a second, and how soon a scan reaches the order store.

`python tools/bench_nexus.py` prints it; tools/bench.py prints it with all the others.
"""

import contextlib
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import requests

from bench_dispatch import house
from figures import Figure, expect
from palletflow import deployment
from palletflow.networks.nexus import settings
from palletflow.networks.nexus.client import NexusClient
from palletflow.networks.nexus.lookups import Lookups
from palletflow.networks.nexus.mapper import Mapper
from palletflow.networks.nexus.poll import Polled, poll
from palletflow.networks.nexus.wire import read_wire
from palletflow.networks.nexus.work import Access
from palletflow.sandbox import ports
from palletflow.sandbox.postgres import EmbeddedPostgres
from palletflow.store import migrate
from palletflow.store.connection import Connection, connect
from palletflow.work.budget import CallBudget

PROJECT = Path(__file__).parents[1]
OPEN, SCANNED = 5_000, 50
INTERVAL_S = 180.0
CONNECTION = "nexus_pgd302"
MOST_FILLING = 40
# In the running stack: polled every minute, so that the figure takes minutes and not hours.
EVERY_MINUTE, MINUTE_S = "* * * * *", 60.0
SCANS, BETWEEN_S, MORE_S = 50, 4.0, 5.0
PATIENCE_S = 200.0
DEPOTS = ("PGD302", "UKD101", "FTD201")
MOVED = """
SELECT c.tracking_number FROM consignments c JOIN stops s ON s.consignment_id = c.id
WHERE c.network = 'nexus' AND s.kind = 'delivery' AND s.completed_at IS NOT NULL
"""
HELD = "SELECT count(*) FROM consignments WHERE network = 'nexus' AND tracking_number = ANY (%s)"


class Cost(NamedTuple):
    """Of one poll: calls to Nexus, seconds, and seconds of this process's CPU."""

    polled: Polled
    calls: int
    seconds: float
    cpu_s: float


@contextlib.contextmanager
def simulator() -> Iterator[str]:
    """A simulated Nexus in a process of its own, with 5,000 open consignments of our depot; its root URL."""
    [port] = ports.free_ports("127.0.0.1", 1)
    served = "palletflow.networks.nexus.simulator.app:create_app"
    serve = f"import uvicorn; uvicorn.run('{served}', factory=True, port={port}, log_level='error')"
    process = subprocess.Popen([sys.executable, "-c", serve])
    root = f"http://127.0.0.1:{port}"
    try:
        deadline = time.monotonic() + 30
        while True:
            with contextlib.suppress(requests.ConnectionError):
                requests.get(f"{root}/_sim/violations", timeout=5)
                break
            if time.monotonic() > deadline:
                raise TimeoutError("the simulator does not start")
            time.sleep(0.05)
        yield root
    finally:
        process.terminate()
        process.wait()


class Poll:
    """Polls of the simulated Nexus into an order store, as the operator makes them."""

    def __init__(self, root: str, dsn: str) -> None:
        os.environ.setdefault(deployment.VARIABLE, str(PROJECT / "include" / "deployment.yaml"))
        self._root, self._dsn, self._plan = root, dsn, deployment.load()

    def control(self, path: str, **body: Any) -> Any:
        answer = requests.post(f"{self._root}/_sim/{path}", json=body, timeout=300)
        answer.raise_for_status()
        return answer.json()

    def __call__(self, rate_per_second: float) -> Cost:
        checked = settings.parse(
            CONNECTION, f"{self._root}/v1/", "sim_pgd302", "sim",
            {"allow_http": True, "rate_per_second": rate_per_second},
        )  # fmt: skip
        mapper = Mapper(self._plan)
        before = self._calls()
        with ExitStack() as opened:
            conn = opened.enter_context(connect(self._dsn))
            open_connection = partial(connect, self._dsn)
            budget = opened.enter_context(CallBudget(open_connection, CONNECTION, 4, spacing_s=1 / rate_per_second))
            client = opened.enter_context(NexusClient(checked, read_wire(mapper.template.sections), budget=budget))
            access = Access(client, Lookups(client, mapper.template.sections["ids"], _now), mapper)
            start, cpu = time.perf_counter(), time.process_time()
            polled = poll(
                conn, access, self._plan, CONNECTION, asked=None, clock=_now, run="bench", actor="bench",
                report=lambda line: print(f"nexus: {line}", flush=True),
            )  # fmt: skip
            return Cost(polled, self._calls() - before, time.perf_counter() - start, time.process_time() - cpu)

    def _calls(self) -> int:
        return int(requests.get(f"{self._root}/_sim/requests", timeout=60).json()["total"])


def nexus_figures() -> list[Figure]:
    """A poll over 5,000 open consignments that did not change, and one after 50 were scanned."""
    with tempfile.TemporaryDirectory() as home, simulator() as root:
        server = EmbeddedPostgres(Path(home))
        server.start()
        try:
            dsn = server.dsn("palletflow")
            migrate.upgrade(dsn)
            job = Poll(root, dsn)
            # Only while the order store is filled; what is measured keeps to the pace.
            job.control("reset")
            job.control("options", rate_check=False)
            now = _now()
            span = {"from": (now - timedelta(hours=30)).isoformat(), "to": now.isoformat()}
            ids = job.control("consignments", depot="PGD302", role="delivery", count=OPEN, **span)["consignmentIDs"]
            for _ in range(MOST_FILLING):
                if not job(rate_per_second=1000).polled.left:
                    break
            job.control("options", rate_check=True)
            unchanged = job(rate_per_second=2)
            expect(unchanged.polled.listed >= OPEN and unchanged.polled.read == 0)
            for id_ in ids[:: OPEN // SCANNED]:
                job.control(f"consignments/{id_}/scan", status="At Hub")
            scanned = job(rate_per_second=2)
            expect(scanned.polled.statuses >= SCANNED and scanned.polled.left == 0)
            expect(requests.get(f"{root}/_sim/violations", timeout=60).json()["violations"] == [])
        finally:
            server.remove()
    return [
        Figure(
            f"poll of {OPEN:,} open at Nexus ({_said(unchanged)})", unchanged.seconds, "its interval", INTERVAL_S, 1
        ),
        Figure(f"... {SCANNED} of them scanned ({_said(scanned)})", scanned.seconds, "its interval", INTERVAL_S, 1),
    ]


def scan_figures() -> list[Figure]:
    """From a scan at the simulated Nexus to the stop moved in the running stack: the longest of 50."""
    os.environ["PALLETFLOW_NEXUS_POLL"] = EVERY_MINUTE
    with house() as standing, connect(standing.order_store_dsn) as conn:
        control = f"{standing.simulators['nexus']}/_sim/consignments"
        ids = [_sent_away(control, DEPOTS[number % len(DEPOTS)]) for number in range(SCANS)]
        print(f"scans: {SCANS} consignments are imported ...", flush=True)
        deadline = time.monotonic() + PATIENCE_S
        while conn.execute(HELD, ([str(id_) for id_ in ids],)).fetchall() != [(SCANS,)]:
            expect(time.monotonic() < deadline)
            time.sleep(0.2)
        print(f"scans: one each {BETWEEN_S:g} s ...", flush=True)
        waits = _scanned(conn, control, ids)
    print(f"scans: median {sorted(waits)[SCANS // 2]:.1f} s, longest {max(waits):.1f} s", flush=True)
    promised = f"its interval of {MINUTE_S:g} s and {MORE_S:g} s"
    return [Figure(f"scan at Nexus to stop moved, longest of {SCANS}", max(waits), promised, MINUTE_S + MORE_S, 1)]


def _sent_away(control: str, depot: str) -> int:
    """A consignment that a depot of ours requests and another one delivers; its id."""
    network, elsewhere = ("FORTEC", "FTD215") if depot.startswith("FTD") else ("PALLEX", "UKD115")
    body = {"depot": depot, "role": "requesting", "network": network, "deliveryDepotCode": elsewhere}
    answer = requests.post(control, json=body, timeout=30)
    answer.raise_for_status()
    return int(answer.json()["consignmentIDs"][0])


def _scanned(conn: Connection, control: str, ids: list[int]) -> list[float]:
    """Scans one consignment after the other as delivered; seconds until the delivery stop of each was completed."""
    waiting: dict[str, float] = {}
    waits: list[float] = []
    unscanned, begun = iter(ids), time.monotonic()
    while len(waits) < len(ids):
        if time.monotonic() >= begun + (len(waits) + len(waiting)) * BETWEEN_S:
            following = next(unscanned, None)
            if following is not None:
                scan = {"status": "Delivered", "signatory": "J SMITH"}
                requests.post(f"{control}/{following}/scan", json=scan, timeout=30).raise_for_status()
                waiting[str(following)] = time.monotonic()
        for (key,) in conn.execute(MOVED).fetchall():
            if key in waiting:
                waits.append(time.monotonic() - waiting.pop(key))
        expect(time.monotonic() < begun + len(ids) * BETWEEN_S + PATIENCE_S)
        time.sleep(0.1)
    return waits


def _said(cost: Cost) -> str:
    return f"{cost.calls} calls, {cost.cpu_s:.1f} s CPU"


def _now() -> datetime:
    return datetime.now(UTC)


if __name__ == "__main__":
    for figure in [*nexus_figures(), *scan_figures()]:
        print(f"{figure.name}: {figure.measured:.1f} s; {figure.yardstick}: {figure.yardstick_measured:.0f} s")
