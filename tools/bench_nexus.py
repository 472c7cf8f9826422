"""What a poll of Nexus costs: 5,000 open consignments at the contract's two calls a second, against its interval.

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
from palletflow.store.connection import connect
from palletflow.work.budget import CallBudget

PROJECT = Path(__file__).parents[1]
OPEN, SCANNED = 5_000, 50
INTERVAL_S = 180.0
CONNECTION = "nexus_pgd302"
MOST_FILLING = 40


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
    served = "palletflow.networks.nexus.simulator:create_app"
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


def _said(cost: Cost) -> str:
    return f"{cost.calls} calls, {cost.cpu_s:.1f} s CPU"


def _now() -> datetime:
    return datetime.now(UTC)


if __name__ == "__main__":
    for figure in nexus_figures():
        print(f"{figure.name}: {figure.measured:.1f} s; {figure.yardstick}: {figure.yardstick_measured:.0f} s")
