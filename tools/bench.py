"""Prints the speed of the main jobs, each beside a yardstick measured in the same run.

A ratio is time over the yardstick's time: smaller is better. Times are the best of three rounds; rounds of job and
yardstick alternate, so that a busy machine troubles both alike.
"""

import contextlib
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import requests

from bench_desk import desk_figures
from bench_dispatch import dispatch_figures
from bench_files import file_figures
from bench_nexus import nexus_figures, scan_figures
from bench_photos import photo_figures
from bench_queue import queue_figures
from bench_uploads import upload_figures
from figures import Figure, expect, timed
from palletflow import deployment
from palletflow.networks.palletforce import settings
from palletflow.networks.palletforce.client import PalletforceClient
from palletflow.networks.palletforce.mapper import Mapper
from palletflow.networks.palletforce.pull import pull_depot
from palletflow.networks.palletforce.simulator import ACCESS_KEYS
from palletflow.sandbox import ports
from palletflow.sandbox.postgres import EmbeddedPostgres
from palletflow.store import migrate
from palletflow.store.connection import connect
from palletflow.store.imports import Counts

PROJECT = Path(__file__).parents[1]
CONSIGNMENTS = 10_000
PAGE = 100
ROUNDS = 3
# The simulator answers in a millisecond or two, which no network across the internet does.
DISTANCE_S = 0.05
NOW = datetime.now(UTC).replace(microsecond=0)
WINDOW = NOW - timedelta(hours=23), NOW + timedelta(minutes=30)


@contextlib.contextmanager
def simulator() -> Iterator[str]:
    """A simulated Palletforce in a process of its own, holding the freight; its base URL."""
    [port] = ports.free_ports("127.0.0.1", 1)
    process = subprocess.Popen(
        [sys.executable, "-m", "palletflow.sandbox", "simulator", "palletforce", "--port", str(port)]
    )
    root = f"http://127.0.0.1:{port}"
    try:
        deadline = time.monotonic() + 30
        while True:
            with contextlib.suppress(requests.ConnectionError):
                requests.get(f"{root}/_sim/journal", timeout=5)
                break
            if time.monotonic() > deadline:
                raise TimeoutError("the simulator does not start")
            time.sleep(0.05)
        span = {"from": WINDOW[0].isoformat(), "to": (NOW - timedelta(minutes=1)).isoformat()}
        freight = {"depot": "900", "role": "requested", "count": CONSIGNMENTS, **span}
        requests.post(f"{root}/_sim/consignments", json=freight, timeout=300).raise_for_status()
        yield f"{root}/api/ExternalScanning"
    finally:
        process.terminate()
        process.wait()


class Pull:
    """The depot pull of the freight into an order store, and its yardstick."""

    def __init__(self, base_url: str) -> None:
        os.environ.setdefault(deployment.VARIABLE, str(PROJECT / "include" / "deployment.yaml"))
        self.plan = deployment.load()
        self.settings = settings.parse(
            "bench", base_url, ACCESS_KEYS["900"], {"allow_http": True, "page_size": PAGE, "depot_codes": "900"}
        )

    def download(self) -> int:
        """The yardstick: the same pages one after another, downloaded and parsed as JSON, nothing else."""
        lower, upper = self.settings.local_time.window(*WINDOW)
        found = page = 0
        with requests.Session() as session:
            while True:
                page += 1
                answer = session.post(
                    f"{self.settings.base_url}/DownloadManifest",
                    json={
                        "accessKey": self.settings.access_key,
                        "depot": "900",
                        "fromDateTime": lower,
                        "toDateTime": upper,
                        "pageNumber": str(page),
                        "pageSize": str(PAGE),
                    },
                    timeout=60,
                )
                reply = json.loads(answer.content)
                found += len(reply["manifests"])
                if page == int(reply["totalPages"]):
                    return found

    def into(self, dsn: str) -> Counts:
        """The whole job."""
        mapper = Mapper(self.plan, self.settings.local_time, import_unaccepted=True)
        with connect(dsn) as conn, PalletforceClient(self.settings, {}) as client:
            return pull_depot(
                conn,
                client,
                mapper,
                self.plan,
                "900",
                asked=WINDOW,
                clock=lambda: datetime.now(UTC),
                run="bench",
                actor="bench",
                report=lambda _: None,
            )


def pull_figures(distance_s: float) -> list[Figure]:
    """First pull and unchanged re-pull of 10,000 consignments, from a network that answers after `distance_s`.

    Far away the second one is a download and little else, and says nothing of the import.
    """
    downloads, firsts, agains = [], [], []
    where = f"{distance_s * 1000:.0f} ms away" if distance_s else "on loopback"
    with tempfile.TemporaryDirectory() as home, simulator() as base_url:
        job = Pull(base_url)
        if distance_s:
            slow = {
                "operation": "DownloadManifest",
                "fault": "slow",
                "count": 10**6,
                "options": {"seconds": distance_s},
            }
            root = base_url.removesuffix("/api/ExternalScanning")
            requests.post(f"{root}/_sim/faults", json=slow, timeout=30).raise_for_status()
        server = EmbeddedPostgres(Path(home))
        server.start()
        try:
            for round_number in range(ROUNDS):
                print(f"pull {where}: round {round_number + 1} of {ROUNDS} ...", flush=True)
                with connect(server.dsn("postgres")) as admin:
                    admin.execute("DROP DATABASE palletflow")
                    admin.execute("CREATE DATABASE palletflow")
                dsn = server.dsn("palletflow")
                migrate.upgrade(dsn)
                downloads.append(timed(lambda: expect(job.download() >= CONSIGNMENTS)))
                firsts.append(timed(lambda: expect(job.into(dsn).created >= CONSIGNMENTS)))  # noqa: B023 - called here
                agains.append(timed(lambda: expect(job.into(dsn).unchanged >= CONSIGNMENTS)))  # noqa: B023
        finally:
            server.remove()
    yardstick = f"download and parse {CONSIGNMENTS:,} serially"
    first = Figure(f"API pull of {CONSIGNMENTS:,}, {where}", min(firsts), yardstick, min(downloads), 1.5)
    if distance_s:
        return [first]
    return [first, Figure("the same again, unchanged", min(agains), "the first pull", min(firsts), 0.4)]


def parse_figure() -> Figure:
    """Parsing every DAG file in a new process, against importing airflow.sdk alone."""
    alone = "import airflow.sdk; airflow.sdk.DAG"
    parse = "import runpy, pathlib\nfor file in sorted(pathlib.Path('dags').glob('*.py')): runpy.run_path(str(file))"
    environment = os.environ | {"AIRFLOW_HOME": tempfile.mkdtemp(), "AIRFLOW__CORE__LOAD_EXAMPLES": "False"}

    def run(code: str) -> None:
        subprocess.run([sys.executable, "-c", code], check=True, cwd=PROJECT, env=environment)

    rounds = [(timed(lambda: run(parse)), timed(lambda: run(alone))) for _ in range(ROUNDS)]
    parsing, importing = (min(column) for column in zip(*rounds, strict=True))
    return Figure("parsing all DAG files", parsing, "importing airflow.sdk alone", importing, 1.5)


def main() -> None:
    """Measures and prints the table; arguments name parts of it, those below."""
    parts: dict[str, Callable[[], list[Figure]]] = {
        "pull": lambda: [*pull_figures(0), *pull_figures(DISTANCE_S)],
        "files": file_figures,
        "queue": queue_figures,
        "dispatch": dispatch_figures,
        "nexus": nexus_figures,
        "scans": scan_figures,
        "photos": photo_figures,
        "uploads": upload_figures,
        "desk": desk_figures,
        "dags": lambda: [parse_figure()],
    }
    figures = [figure for name in sys.argv[1:] or parts for figure in parts[name]()]
    print(f"\n{'figure':<58}{'measured':>10}  {'yardstick':<38}{'measured':>10}{'ratio':>8}{'target':>9}")
    for figure in figures:
        verdict = "" if figure.ratio <= figure.target else "  missed"
        print(
            f"{figure.name:<58}{figure.measured:>10.2f}  {figure.yardstick:<38}{figure.yardstick_measured:>10.2f}"
            f"{figure.ratio:>8.2f}{f'<= {figure.target:.3g}':>9}{verdict}"
        )


if __name__ == "__main__":
    main()
