"""What tests share: a real Postgres, an empty order store a test, and a real Palletforce simulator on a real socket."""

import os
import socket
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest
import requests
import uvicorn
from tests.order_stores import OrderStores
from xdist.scheduler import LoadScopeScheduling

from palletflow import deployment
from palletflow.deployment import Deployment
from palletflow.networks.palletforce import settings
from palletflow.networks.palletforce.client import PalletforceClient
from palletflow.networks.palletforce.mapper import Mapper
from palletflow.networks.palletforce.pull import Pulled, pull_depot
from palletflow.networks.palletforce.simulator import ACCESS_KEYS
from palletflow.networks.palletforce.simulator.app import create_app
from palletflow.sandbox.postgres import EmbeddedPostgres
from palletflow.store import migrate
from palletflow.store.connection import Connection, connect
from palletflow.store.imports import Counts

# Before anything imports Airflow: it must not look into the home of whoever runs the tests.
os.environ["AIRFLOW_HOME"] = tempfile.mkdtemp(prefix="palletflow-tests-")
os.environ["AIRFLOW__CORE__LOAD_EXAMPLES"] = "False"

PROJECT = Path(__file__).parents[1]
# A Monday morning in summer time.
NOW = datetime(2026, 7, 13, 9, 30, tzinfo=UTC)


class HousesFirst(LoadScopeScheduling):
    """Tests go to whichever worker is free, but those that stand houses up go to one worker each kind, from the start:
    a house takes half a minute to stand up and keeps a core busy.

    The marks that xdist 3.8 has for this do nothing with pytest 9.2.
    """

    def _split_scope(self, nodeid: str) -> str:
        """What runs on one worker: the largest such group is begun first."""
        if nodeid.startswith("tests/e2e/test_demo.py"):
            return "demo"
        return "houses" if nodeid.startswith(("tests/e2e/", "tests/sandbox/")) else nodeid


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> HousesFirst:
    return HousesFirst(config, log)


@pytest.fixture(scope="session")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedPostgres]:
    server = EmbeddedPostgres(tmp_path_factory.mktemp("house"), durable=False)
    server.start()
    yield server
    server.remove()


@pytest.fixture(scope="session")
def migrated(postgres: EmbeddedPostgres) -> str:
    """Name of a migrated, empty database to copy."""
    with connect(postgres.dsn("postgres")) as conn:
        conn.execute("CREATE DATABASE template_of_order_stores")
    migrate.upgrade(postgres.dsn("template_of_order_stores"))
    return "template_of_order_stores"


@pytest.fixture(scope="session")
def order_stores(postgres: EmbeddedPostgres, migrated: str) -> OrderStores:
    return OrderStores(postgres, migrated)


@pytest.fixture
def dsn(order_stores: OrderStores) -> Iterator[str]:
    """A migrated order store in which nothing is."""
    with order_stores.lent() as dsn:
        yield dsn


@pytest.fixture
def conn(dsn: str) -> Iterator[Connection]:
    with connect(dsn) as connection:
        yield connection


class Simulator:
    """A simulated Palletforce on a real socket. `control` speaks to its control paths."""

    def __init__(self, **options: Any) -> None:
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.root = f"http://127.0.0.1:{self._socket.getsockname()[1]}"
        self.base_url = f"{self.root}/api/ExternalScanning"
        self._server = uvicorn.Server(
            uvicorn.Config(create_app(**options), log_level="error", timeout_graceful_shutdown=1)
        )
        self._thread = threading.Thread(target=self._server.run, kwargs={"sockets": [self._socket]})
        self._thread.start()
        while not self._server.started:
            time.sleep(0.01)

    def stop(self) -> None:
        self._server.should_exit = True
        self._thread.join()
        self._socket.close()

    def control(self, path: str, **body: Any) -> Any:
        answer = requests.post(f"{self.root}/_sim/{path}", json=body, timeout=30)
        assert answer.ok, answer.text
        return answer.json()

    def fault(self, fault: str, operation: str = "*", count: int = 1, **options: Any) -> None:
        self.control("faults", operation=operation, fault=fault, count=count, options=options)

    def create(self, **body: Any) -> list[str]:
        """Creates consignments, several over the last 20 hours; their tracking numbers."""
        if "count" in body:
            body.setdefault("from", (NOW - timedelta(hours=20)).isoformat())
        return list(self.control("consignments", **body)["trackingNumbers"])

    def journal(self) -> list[dict[str, Any]]:
        return list(requests.get(f"{self.root}/_sim/journal", timeout=30).json()["requests"])


@pytest.fixture(scope="session")
def served_simulator() -> Iterator[Simulator]:
    served = Simulator(now=NOW - timedelta(minutes=1), traffic=False)
    yield served
    served.stop()


@pytest.fixture
def simulator(served_simulator: Simulator) -> Simulator:
    """Standing still a minute before NOW, with no consignments but those a test creates."""
    served_simulator.control("reset")
    return served_simulator


@pytest.fixture
def plan() -> Deployment:
    return deployment.load(PROJECT / "include" / "deployment.yaml")


@pytest.fixture
def open_client(simulator: Simulator) -> Iterator[Callable[..., PalletforceClient]]:
    """Makes clients of the simulator; keyword arguments are the connection's Extra. Pauses are noted, not waited."""
    opened = []

    def make(*, depot: str = "900", key: str | None = None, **extra: Any) -> PalletforceClient:
        parsed = settings.parse(
            f"palletforce_{depot}", simulator.base_url, key or ACCESS_KEYS[depot], {"allow_http": True, **extra}
        )
        pauses: list[float] = []
        client = PalletforceClient(parsed, {}, sleep=pauses.append, jitter=lambda: 1.0)
        client.pauses = pauses  # type: ignore[attr-defined]  # for the test that looks
        opened.append(client)
        return client

    yield make
    for client in opened:
        client.close()


class Puller:
    """Pulls a depot from the simulator into an order store, as the operator does."""

    def __init__(self, conn: Connection, plan: Deployment, open_client: Callable[..., PalletforceClient]) -> None:
        self.conn, self.plan, self._open_client = conn, plan, open_client
        self.reports: list[Pulled] = []
        self.now = NOW

    def __call__(self, depot: str = "900", asked: tuple[datetime, datetime] | None = None, **extra: Any) -> Counts:
        client = self._open_client(depot=depot, **extra)
        mapper = Mapper(self.plan, client.settings.local_time, client.settings.import_unaccepted)
        return pull_depot(
            self.conn,
            client,
            mapper,
            self.plan,
            depot,
            asked=asked,
            clock=lambda: self.now,
            run="test",
            actor="tester",
            report=self.reports.append,
            next_due_at=None if asked else self.now + timedelta(minutes=30),
        )


@pytest.fixture
def pull(conn: Connection, plan: Deployment, open_client: Callable[..., PalletforceClient]) -> Puller:
    return Puller(conn, plan, open_client)


@pytest.fixture
def fetch(conn: Connection) -> Callable[..., list[tuple[Any, ...]]]:
    def fetched(query: str, *values: Any) -> list[tuple[Any, ...]]:
        with psycopg.ClientCursor(conn) as cursor:
            return cursor.execute(query.encode(), values).fetchall()

    return fetched
