"""The pages of the order desk over a million consignments: what one waits for each, over real HTTP.

`python tools/bench_desk.py` prints it; tools/bench.py prints it with all the others. With the address of an order store
that holds a seeded million it measures there and seeds none: `python tools/bench_desk.py postgresql://...`.
"""

import contextlib
import multiprocessing
import os
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from math import ceil
from pathlib import Path
from typing import Any
from urllib.parse import quote

import requests
import uvicorn

from figures import Figure
from palletflow.desk.gate import Caller
from palletflow.desk.needs import CAUSES
from palletflow.desk.pages.app import create_pages
from palletflow.desk.pages.render import STYLE_NAME
from palletflow.desk.pipelines import Pipeline
from palletflow.sandbox import ports
from palletflow.sandbox.postgres import EmbeddedPostgres
from palletflow.store.connection import connect
from seed import PROJECT, seed

PROMISED_MS = 300.0
WARM_UP, ROUNDS = 2, 20
CHEAPEST = f"/static/{STYLE_NAME}"
# What the addresses below name: the first value of each.
SUBJECTS = {
    "busy": "SELECT consignment_id FROM tracking_events WHERE code = 'AGAIN' LIMIT 1",
    "tracking": "SELECT tracking_number FROM consignments WHERE tracking_number IS NOT NULL ORDER BY id LIMIT 1",
    "number": "SELECT consignment_number FROM consignments ORDER BY id DESC LIMIT 1",
    "key": "SELECT source_key FROM orders WHERE source = 'api' ORDER BY id LIMIT 1",
    "reference": "SELECT reference FROM orders WHERE reference <> 'STOCK' ORDER BY id LIMIT 1",
    "barcode": "SELECT barcode FROM pallet_barcodes WHERE state = 'confirmed' ORDER BY consignment_id LIMIT 1",
    "earlier": "SELECT barcode FROM pallet_barcodes WHERE state = 'superseded' ORDER BY consignment_id LIMIT 1",
    "postcode": "SELECT postcode FROM stops WHERE kind = 'delivery' ORDER BY consignment_id LIMIT 1",
    "outward": "SELECT split_part(postcode, ' ', 1) FROM stops WHERE kind = 'delivery' ORDER BY consignment_id LIMIT 1",
    "trip": "SELECT trip FROM dispatch_tasks ORDER BY consignment_id DESC LIMIT 1",
    "quarantined": "SELECT min(id) FROM inbound_records WHERE outcome = 'rejected' AND settled_at IS NULL",
}
# What a page is called: its address below the desk's. A number that fits one consignment is answered with a redirect.
PAGES = {
    "today": "/",
    "find, nothing typed": "/find",
    "find by tracking number": "/find?q={tracking}",
    "find by consignment number": "/find?q={number}",
    "find by order key": "/find?q={key}",
    "find by reference": "/find?q={reference}",
    "find by barcode": "/find?q={barcode}",
    "find by earlier barcode": "/find?q={earlier}",
    "find by postcode": "/find?q={postcode}",
    "find by first half of a postcode": "/find?q={outward}",
    "find by trip": "/find?q={trip}",
    "find by customer": "/find?q=ACME",
    "find by part of many customers' names": "/find?q=Ltd",
    "find by a reference that 18,000 orders share": "/find?q=STOCK",
    "find what there is not": "/find?q=9999999999999",
    "find by depot": "/find?depot=900",
    "find by network, depot and role": "/find?network=palletforce&depot=901&role=delivery",
    "find by status": "/find?status=EXCEPTION",
    "find by dispatch state": "/find?status=failed",
    "find by origin and status": "/find?origin=palletforce+orders+file&status=CANCELLED&depot=902",
    "find by filters that nothing fits": "/find?network=nexus&depot=900",
    "find by customer and rare filters": "/find?q=ACME&network=nexus&role=delivery&status=DELIVERED&origin=api",
    "find by shared reference and rare filters": "/find?q=STOCK&network=nexus&role=delivery&status=DELIVERED",
    "find, an old page": "/find?status=DELIVERED&after=300000",
    "find by customer, an old page": "/find?q=ACME&after=300000",
    "consignment with 800 entries": "/consignment/{busy}",
    "consignment, raw records": "/consignment/{busy}/raw",
    "links for customers": "/consignment/{busy}/links",
    "needs attention": "/attention",
    **{f"attention: {cause.title.lower()}": f"/attention/{code}" for code, cause in CAUSES.items()},
    "quarantine editor": "/quarantine/{quarantined}",
}


class NoPipelines:
    """Airflow is not part of what is measured."""

    def listed(self) -> Mapping[str, Pipeline]:
        """None."""
        return {}

    def trigger(self, dag_id: str, conf: Mapping[str, Any], by: str) -> str:
        """Nothing is triggered by looking."""
        raise LookupError(dag_id)


async def _anybody(_request: Any, _writes: bool) -> Caller:
    return Caller("bench", may_write=True, by_cookie=True)


def serve(dsn: str, port: int) -> None:
    """The desk of one web server process."""
    os.environ["PALLETFLOW_DEPLOYMENT"] = str(PROJECT / "include" / "deployment.yaml")
    desk = create_pages(_anybody, lambda: connect(dsn), b"bench", NoPipelines())
    uvicorn.run(desk, port=port, log_level="error")


@contextlib.contextmanager
def desk_over(dsn: str) -> Iterator[str]:
    """The desk in a process of its own; its address."""
    [port] = ports.free_ports("127.0.0.1", 1)
    process = multiprocessing.get_context("spawn").Process(target=serve, args=(dsn, port))
    process.start()
    root = f"http://127.0.0.1:{port}"
    try:
        deadline = time.monotonic() + 60
        while True:
            with contextlib.suppress(requests.ConnectionError):
                requests.get(root + CHEAPEST, timeout=5)
                break
            if time.monotonic() > deadline:
                raise TimeoutError("the desk does not start")
            time.sleep(0.05)
        yield root
    finally:
        process.terminate()
        process.join()


@contextlib.contextmanager
def seeded() -> Iterator[str]:
    """An order store of a million consignments; its address."""
    with tempfile.TemporaryDirectory() as home:
        server = EmbeddedPostgres(Path(home), durable=False)
        server.start()
        try:
            dsn = server.dsn("palletflow")
            seed(dsn, report=lambda line: print(f"desk: seeding, {line}", flush=True))
            yield dsn
        finally:
            server.remove()


def desk_figures(dsn: str = "") -> list[Figure]:
    """Within how many milliseconds 95 of 100 requests of each page are answered, beside what is promised.

    Beside that the median, and what the same server's cheapest answer takes. `dsn`: a seeded order store, "" to make
    one.
    """
    with contextlib.nullcontext(dsn) if dsn else seeded() as store, desk_over(store) as root:
        with connect(store) as conn:
            found = {name: conn.execute(query.encode()).fetchone() for name, query in SUBJECTS.items()}
        subjects = {name: quote(str(row[0])) for name, row in found.items() if row}
        cheapest = _taken(root + CHEAPEST)[0]
        figures = []
        for name, address in PAGES.items():
            median, most = _taken(root + address.format(**subjects))
            print(f"desk: {name}: {median:.0f} ms, 95 of 100 within {most:.0f} ms", flush=True)
            yardstick = f"target; median {median:.0f}, style sheet {cheapest:.1f}"
            figures.append(Figure(f"{name}, ms", most, yardstick, PROMISED_MS, 1))
    return figures


def _taken(url: str) -> tuple[float, float]:
    """Median and 95th percentile of a page, in milliseconds, after a warm-up, over one connection."""
    times = []
    with requests.Session() as session:
        for _ in range(WARM_UP + ROUNDS):
            begun = time.perf_counter()
            answer = session.get(url, timeout=60, allow_redirects=False)
            times.append((time.perf_counter() - begun) * 1000)
            if answer.status_code not in (200, 303):
                raise AssertionError(f"{url} answered {answer.status_code}")
    kept = sorted(times[WARM_UP:])
    return kept[len(kept) // 2], kept[ceil(len(kept) * 0.95) - 1]


if __name__ == "__main__":
    desk_figures(*sys.argv[1:2])
