"""The control paths and records that every simulated network has, over HTTP."""

import socket
import threading
import time
from datetime import UTC, datetime, timedelta

import pytest
import requests
import uvicorn

from palletflow.simulation import steering
from palletflow.simulation.application import Application, Paths, add_control
from palletflow.simulation.clock import Clock
from palletflow.simulation.journal import KEPT, Journal, Violations

START = datetime(2026, 7, 13, 9, 30, tzinfo=UTC)


class Simulation:
    """The least that can be steered."""

    def __init__(self) -> None:
        self.caught_up: list[datetime] = []
        self.reset()

    def reset(self, *, seed: int | None = None, now: datetime | None = None) -> None:
        self.seed = 1 if seed is None else seed
        self.clock = Clock(START if now is None else now)

    def catch_up(self) -> None:
        self.caught_up.append(self.clock.now())


def echo(simulation, body, one=None):
    return {"body": body, "one": one}


def find(simulation, number):
    return {"7": "seven"}.get(number)


PATHS = Paths[Simulation](
    gets={"files/servers": lambda simulation, query: {"query": query}},
    posts={"reset": steering.reset, "clock": steering.clock, "echo": echo},
    posts_of_one={"scan": echo},
    find=find,
)


@pytest.fixture
def simulation():
    return Simulation()


class Http:
    """The application on a real socket."""

    def __init__(self, app: Application) -> None:
        self._socket = socket.create_server(("127.0.0.1", 0))
        self._root = f"http://127.0.0.1:{self._socket.getsockname()[1]}/_sim/"
        self._server = uvicorn.Server(uvicorn.Config(app, log_level="error", timeout_graceful_shutdown=1))
        self._thread = threading.Thread(target=self._server.run, kwargs={"sockets": [self._socket]})
        self._thread.start()
        deadline = time.monotonic() + 30
        while not self._server.started:
            assert time.monotonic() < deadline
            time.sleep(0.01)

    def get(self, path, **more):
        return requests.get(self._root + path, timeout=30, **more)

    def post(self, path, **more):
        return requests.post(self._root + path, timeout=30, **more)

    def stop(self):
        self._server.should_exit = True
        self._thread.join()
        self._socket.close()


@pytest.fixture
def http(simulation):
    app = Application("A network")
    add_control(app, simulation, PATHS)
    served = Http(app)
    yield served
    served.stop()


def test_paths_lead_to_their_functions(http):
    assert http.get("files/servers", params={"a": "1"}).json() == {"query": {"a": "1"}}
    assert http.post("echo", json={"b": 2}).json() == {"body": {"b": 2}, "one": None}
    assert http.post("echo").json() == {"body": {}, "one": None}
    assert http.post("consignments/7/scan", json={}).json() == {"body": {}, "one": "seven"}


@pytest.mark.parametrize("path", ["nothing", "consignments/8/scan", "consignments/7/nothing", "consignments/7"])
def test_what_is_not_there_is_404_with_a_sentence(http, path):
    answer = http.post(f"{path}", json={})
    assert answer.status_code == 404
    assert answer.json()["error"].startswith("There is no ")
    assert http.get("echo").status_code == 404


@pytest.mark.parametrize("text", ["{", "[]", '"x"', "[" * 100_000, b"\xff"])
def test_a_body_that_is_no_json_object_is_422(http, text):
    answer = http.post("echo", data=text)
    assert answer.status_code == 422
    assert answer.json()["error"].startswith("The request body ")


def test_the_clock_is_moved_and_what_is_due_happens(http, simulation):
    assert http.post("clock").json() == {"now": START.isoformat(), "frozen": True}
    http.post("clock", json={"advance_s": 90})
    http.post("clock", json={"now": "2026-07-13T12:00:00"})  # in summer, an hour ahead of UTC
    assert simulation.caught_up[1:] == [START + timedelta(seconds=90), START.replace(hour=11, minute=0)]
    assert http.post("clock", json={"run": True}).json()["frozen"] is False
    for body in ({"now": "2020-01-01"}, {"advance_s": -1}, {"advance_s": True}, {"run": 1}, {"run": True, "now": "x"}):
        assert http.post("clock", json=body).status_code == 422


def test_a_reset_begins_again_with_another_seed_or_instant(http):
    http.post("clock", json={"advance_s": 90})
    assert http.post("reset").json() == {"seed": 1, "now": START.isoformat(), "frozen": True}
    begun = http.post("reset", json={"seed": 2, "now": "2026-01-05T10:00:00+00:00"}).json()
    assert begun == {"seed": 2, "now": "2026-01-05T10:00:00+00:00", "frozen": True}
    assert http.post("reset", json={"seed": True}).status_code == 422
    assert http.post("reset", json={"sede": 1}).json()["error"] == (
        "There is no key 'sede' here; the keys are: seed, now"
    )


def test_the_journal_keeps_the_newest_and_counts_all():
    journal = Journal()
    for number in range(KEPT + 2):
        journal.open(path=str(number))["status"] = 200
    assert journal.total == KEPT + 2
    assert len(journal.entries()) == KEPT
    assert journal.entries()[0] == {"number": 3, "path": "2", "status": 200, "fault": None}


def test_violations_name_rule_detail_request_and_time():
    violations = Violations()
    violations.add("rate", "three at once", 4, START)
    assert violations.listed() == [
        {"rule": "rate", "detail": "three at once", "request": 4, "time": "2026-07-13T09:30:00+00:00"}
    ]
