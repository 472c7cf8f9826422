"""Which DAGs get a run at once, against an Airflow API on a real socket that answers as the test says."""

import json
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from palletflow.sandbox.airflow_api import AirflowApi
from palletflow.sandbox.first_runs import run_first

STARTED = datetime(2026, 7, 13, 9, 30, tzinfo=UTC)
BEFORE, AFTER = "2026-07-13T09:29:59Z", "2026-07-13T09:30:01Z"


class FakeAirflow(ThreadingHTTPServer):
    """`dags` and `errors` are served; `active` are DAGs with a run under way; `triggered` collects the runs asked for.

    `on_list` is called with the number of the listing before it is answered.
    """

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.dags: list[dict[str, Any]] = []
        self.errors: list[dict[str, Any]] = []
        self.active: set[str] = set()
        self.refused: set[str] = set()
        self.triggered: list[str] = []
        self.listings = 0
        self.on_list: Any = lambda number: None

    def add(self, dag_id: str, tags: tuple[str, ...] = ("first-run",), read: str = AFTER, paused: bool = False) -> None:
        tags_shown = [{"name": tag} for tag in tags]
        self.dags.append({"dag_id": dag_id, "tags": tags_shown, "last_parsed_time": read, "is_paused": paused})


class Handler(BaseHTTPRequestHandler):
    server: FakeAirflow

    def do_GET(self) -> None:
        url = urlsplit(self.path)
        offset = int(parse_qs(url.query).get("offset", ["0"])[0])
        if url.path == "/api/v2/importErrors":
            self.answer({"import_errors": self.server.errors[offset:]})
        elif url.path == "/api/v2/dags":
            if not offset:
                self.server.listings += 1
                self.server.on_list(self.server.listings)
            self.answer({"dags": self.server.dags[offset : offset + 2]})
        else:
            assert parse_qs(url.query)["state"] == ["queued", "running"]
            self.answer({"total_entries": int(url.path.split("/")[4] in self.server.active)})

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        dag_id = self.path.split("/")[4]
        assert self.headers["Authorization"] == "Bearer token"
        assert body["logical_date"] is None
        self.server.triggered.append(dag_id)
        self.answer({"dag_run_id": "manual"}, 409 if dag_id in self.server.refused else 200)

    def answer(self, body: Any, status: int = 200) -> None:
        content = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def airflow() -> Iterator[FakeAirflow]:
    with FakeAirflow() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def api(airflow: FakeAirflow) -> AirflowApi:
    return AirflowApi(f"http://127.0.0.1:{airflow.server_port}", "token")


@pytest.fixture
def dags(tmp_path: Path) -> Path:
    return tmp_path


def files(folder: Path, *names: str) -> None:
    for name in names:
        (folder / f"{name}.py").touch()


def test_every_dag_tagged_first_run_gets_a_run_and_no_other(airflow: FakeAirflow, api: AirflowApi, dags: Path) -> None:
    files(dags, "pull_a", "pull_b", "sweep")
    airflow.add("pull_a", tags=("import", "first-run"))
    airflow.add("sweep", tags=("import",))
    airflow.add("pull_b")

    outcome = run_first(api, dags, STARTED)

    assert sorted(airflow.triggered) == sorted(outcome.running) == ["pull_a", "pull_b"]
    assert not outcome.broken
    assert not outcome.unread


def test_a_dag_read_by_an_earlier_start_waits_until_it_is_read_again(
    airflow: FakeAirflow, api: AirflowApi, dags: Path
) -> None:
    files(dags, "pull")
    airflow.add("pull", read=BEFORE)
    seen_before: list[list[str]] = []

    def read_at_third_look(number: int) -> None:
        seen_before.append(list(airflow.triggered))
        if number == 3:
            airflow.dags[0]["last_parsed_time"] = AFTER

    airflow.on_list = read_at_third_look

    outcome = run_first(api, dags, STARTED, sleep=lambda _: None)

    assert outcome.running == ["pull"]
    assert seen_before == [[], [], []]


def test_a_paused_dag_and_one_under_way_get_no_further_run(airflow: FakeAirflow, api: AirflowApi, dags: Path) -> None:
    files(dags, "paused", "under_way")
    airflow.add("paused", paused=True)
    airflow.add("under_way")
    airflow.active = {"under_way"}

    outcome = run_first(api, dags, STARTED)

    assert airflow.triggered == []
    assert outcome.running == ["under_way"]
    assert not outcome.unread


def test_a_broken_file_is_named_with_its_error_and_does_not_stop_the_others(
    airflow: FakeAirflow, api: AirflowApi, dags: Path
) -> None:
    files(dags, "broken", "pull")
    trace = "Traceback (most recent call last):\n  File ...\nNameError: name 'depto' is not defined\n"
    airflow.errors = [{"filename": "broken.py", "timestamp": AFTER, "stack_trace": trace}]
    airflow.add("pull")

    outcome = run_first(api, dags, STARTED)

    assert outcome.broken == {"broken": "NameError: name 'depto' is not defined"}
    assert outcome.running == ["pull"]


def test_an_error_of_an_earlier_start_does_not_count(airflow: FakeAirflow, api: AirflowApi, dags: Path) -> None:
    files(dags, "mended")
    airflow.errors = [{"filename": "mended.py", "timestamp": BEFORE, "stack_trace": "NameError"}]
    airflow.add("mended")

    assert run_first(api, dags, STARTED).running == ["mended"]


def test_a_refused_run_is_reported(airflow: FakeAirflow, api: AirflowApi, dags: Path) -> None:
    files(dags, "pull")
    airflow.add("pull")
    airflow.refused = {"pull"}

    outcome = run_first(api, dags, STARTED)

    assert "409" in outcome.broken["pull"]
    assert outcome.running == []


def test_a_file_that_is_never_read_is_reported(airflow: FakeAirflow, api: AirflowApi, dags: Path) -> None:
    files(dags, "slow")

    assert run_first(api, dags, STARTED, seconds=0.1).unread == {"slow"}
