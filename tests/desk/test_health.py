"""What an outside monitor is told without a login: whether all is well, part by part, and nothing else."""

import threading

import pytest
import requests
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Mount, Route
from tests.conftest import PROJECT
from tests.desk.conftest import Served

from palletflow.desk import health
from palletflow.desk.health import WithHealth
from palletflow.store import figures, syncs, work_items
from palletflow.store.connection import connect


class House:
    """/palletflow/health over a real server, as Airflow mounts it. `airflow`: what Airflow says of itself."""

    def __init__(self, dsn):
        self.dsn, self.looks, self.airflow = dsn, 0, {"database": True, "scheduler": True}
        api = Starlette(routes=[Route("/api/v1/orders", lambda _: PlainTextResponse("orders"))])
        app = WithHealth(api, self._connect, lambda: self.airflow)
        self.served = Served(Starlette(routes=[Mount("/palletflow", app)]))

    def _connect(self):
        self.looks += 1
        return connect(self.dsn)

    def __call__(self, method="GET", path="/health"):
        return requests.request(method, f"{self.served.url}/palletflow{path}", timeout=30)

    def checks(self):
        answer = self()
        told = answer.json()
        assert (answer.status_code, told["status"]) in ((200, "healthy"), (503, "unhealthy"))
        assert (answer.status_code == 200) == (set(told["checks"].values()) == {"ok"})
        return {name: said for name, said in told["checks"].items() if said != "ok"}


@pytest.fixture
def house(dsn, monkeypatch):
    monkeypatch.setenv("PALLETFLOW_DEPLOYMENT", str(PROJECT / "include" / "deployment.yaml"))
    monkeypatch.setattr(health, "KEPT_S", 0.0)
    made = House(dsn)
    yield made
    made.served.stop()


def test_a_house_that_is_well_is_healthy(conn, house):
    figures.looked(conn)
    answer = house()
    assert answer.status_code == 200
    assert answer.json() == {
        "status": "healthy",
        "checks": dict.fromkeys(("order_store", "syncs", "work", "watch", "airflow"), "ok"),
    }
    assert answer.headers["Cache-Control"] == "no-store"
    assert house("HEAD").status_code == 200


def test_each_part_that_is_not_well_is_told_without_saying_where(conn, house):
    assert house.checks() == {"watch": "not ok"}
    figures.looked(conn)
    conn.execute("UPDATE watch_looks SET looked_at = now() - interval '6 minutes'")
    assert house.checks() == {"watch": "not ok"}
    figures.looked(conn)

    work_items.enqueue(conn, "nexus", "dispatch", ["1"])
    assert house.checks() == {}
    conn.execute("UPDATE work_items SET due_at = now() - interval '31 minutes'")
    assert house.checks() == {"work": "not ok"}

    syncs.expect(conn, [("nexus", "orders", "nexus_pgd302")])
    conn.execute("UPDATE poll_runs SET expected_since = now() - interval '1 hour'")
    house.airflow["scheduler"] = False
    assert house.checks() == {"work": "not ok", "syncs": "not ok", "airflow": "not ok"}
    assert "nexus" not in house().text


def test_what_cannot_be_looked_at_is_unknown_and_not_healthy(conn, house, monkeypatch):
    figures.looked(conn)
    monkeypatch.setenv("PALLETFLOW_DEPLOYMENT", "/nowhere/deployment.yaml")
    assert house.checks() == {"syncs": "unknown"}
    assert "nowhere" not in house().text

    house.dsn = "postgresql://nobody:secret@127.0.0.1:1/none"
    assert house.checks() == {"order_store": "not ok", "syncs": "unknown", "work": "unknown", "watch": "unknown"}
    assert "nobody" not in house().text


def test_however_often_it_is_asked_it_looks_once(house, monkeypatch):
    monkeypatch.setattr(health, "KEPT_S", 60.0)
    askers = [threading.Thread(target=house) for _ in range(20)]
    for asker in askers:
        asker.start()
    for asker in askers:
        asker.join()
    assert house.looks == 1


@pytest.mark.parametrize(("method", "path", "status"), [
    ("GET", "/api/v1/orders", 200),
    ("POST", "/health", 404),
    ("GET", "/health/more", 404),
    ("GET", "/healthy", 404),
])  # fmt: skip
def test_everything_else_is_the_order_apis(house, method, path, status):
    assert house(method, path).status_code == status
    assert house.looks == 0
