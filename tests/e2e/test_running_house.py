"""The whole deployment, running: what a data engineer and the night would see."""

import json
import os
import re
import subprocess
import threading
from collections.abc import Iterator
from contextlib import nullcontext
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from unittest.mock import patch
from urllib.parse import quote

import psutil
import pytest
import requests
from tests.e2e.waiting import until

from palletflow.networks.nexus import simulator as nexus
from palletflow.networks.palletforce.simulator import ACCESS_KEYS
from palletflow.networks.palletways import simulator as palletways
from palletflow.networks.palletways.sandbox import sandbox_connections
from palletflow.sandbox import demo
from palletflow.sandbox.house import House
from palletflow.sandbox.postgres_binaries import installation_in_wheel
from palletflow.store.connection import Connection, connect

DAG = "palletforce_import"
# A key as it is, and as it stands in an address.
CANARIES = ("canary+of/a-key=", "canary%2Bof%2Fa-key%3D")


@pytest.fixture(scope="module")
def alerts(house) -> Iterator[list[str]]:
    """What a webhook is told, whose connection was made on the page."""
    received: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            received.append(json.loads(self.rfile.read(int(self.headers["Content-Length"])))["text"])
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_):
            """Silence."""

    server = HTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    house.api.post(
        "connections",
        {"connection_id": "alert_webhook", "conn_type": "http", "host": f"http://127.0.0.1:{server.server_port}/"},
    )
    yield received
    server.shutdown()
    server.server_close()


def until_ended(house: House, run_id: str) -> str:
    path = f"dags/{DAG}/dagRuns/{run_id}"
    return until(lambda: (state := house.api.get(path)["state"]) in ("success", "failed") and state)


def watermarks(store: Connection) -> list[tuple]:
    return store.execute("SELECT party, high FROM watermarks WHERE network = 'palletforce' ORDER BY party").fetchall()


@pytest.fixture
def between_pulls(house) -> None:
    """No pull is under way, and its schedule begins none within the time a test of pulls takes."""

    def is_quiet() -> bool:
        if house.api.has_runs_under_way(DAG):
            return False
        next_at = house.api.get(f"dags/{DAG}")["next_dagrun_run_after"]  # none until a run's end is noticed
        return bool(next_at) and datetime.fromisoformat(next_at) - datetime.now(UTC) > timedelta(minutes=2)

    until(is_quiet)


def test_the_first_pull_filled_the_order_store(house, store):
    batches = store.execute(
        "SELECT party, records, created, rejected FROM inbound_batches WHERE network = 'palletforce' "
        "ORDER BY id LIMIT 3"
    ).fetchall()
    assert sorted(party for party, *_ in batches) == ["900", "901", "902"]
    assert all(records > 0 and rejected == 0 for _, records, _, rejected in batches)
    assert store.execute("SELECT count(*) FROM consignments").fetchone()[0] > 100


@pytest.mark.usefixtures("between_pulls")
def test_a_manual_run_with_from_and_to_reads_that_window_and_leaves_the_watermark(house, store):
    before = watermarks(store)
    start = (datetime.now(UTC) - timedelta(hours=40)).replace(microsecond=0)
    window = {"from": start.isoformat(), "to": (start + timedelta(hours=10)).isoformat()}

    assert until_ended(house, house.api.trigger(DAG, window)) == "success"

    asked = store.execute(
        "SELECT count(*) FROM inbound_batches WHERE (window_from, window_to) = (%s, %s) AND records > 0",
        (start, start + timedelta(hours=10)),
    )
    assert asked.fetchone() == (3,)
    assert watermarks(store) == before


@pytest.mark.usefixtures("between_pulls")
def test_a_backfill_over_yesterday_leaves_the_watermark(house, store):
    before = watermarks(store)
    yesterday = (datetime.now(UTC) - timedelta(days=1)).replace(hour=12, minute=0, second=0, microsecond=0)
    asked = {"dag_id": DAG, "from_date": yesterday.isoformat(), "to_date": (yesterday + timedelta(hours=1)).isoformat()}

    house.api.post("backfills", {**asked, "max_active_runs": 4, "run_backwards": False})

    runs = until(
        lambda: (
            [
                run
                for run in house.api.get(f"dags/{DAG}/dagRuns", run_type="backfill")["dag_runs"]
                if run["state"] == "success"
            ]
            if len(house.api.get(f"dags/{DAG}/dagRuns", run_type="backfill", state="success")["dag_runs"]) >= 3
            else None
        )
    )
    intervals = sorted((run["data_interval_start"], run["data_interval_end"]) for run in runs)
    windows = store.execute(
        "SELECT DISTINCT window_from, window_to FROM inbound_batches WHERE run LIKE '%backfill%' ORDER BY 1"
    ).fetchall()
    assert [tuple(map(datetime.fromisoformat, interval)) for interval in intervals] == windows
    assert watermarks(store) == before


@pytest.mark.usefixtures("between_pulls")
def test_a_two_day_old_watermark_catches_up_in_one_go(house, store):
    two_days_ago = datetime.now(UTC) - timedelta(days=2)
    store.execute("UPDATE watermarks SET high = %s WHERE party = '902'", (two_days_ago,))
    last = store.execute("SELECT max(id) FROM inbound_batches").fetchone()[0]

    assert until_ended(house, house.api.trigger(DAG)) == "success"

    windows = store.execute(
        "SELECT window_from, window_to FROM inbound_batches WHERE id > %s AND party = '902' ORDER BY id", (last,)
    ).fetchall()
    assert len(windows) == 3
    assert windows[0][0] == two_days_ago - timedelta(minutes=15)
    assert dict(watermarks(store))["902"] == windows[-1][1]


@pytest.fixture
def refused(house, between_pulls) -> str:
    """A run in which one depot's key is refused."""
    fault = {"operation": "DownloadManifest", "fault": "http_401", "count": 1}
    requests.post(f"{house.simulators['palletforce']}/_sim/faults", json=fault, timeout=10).raise_for_status()
    return house.api.trigger(DAG)


@pytest.mark.rule("PF-1.3-16")
def test_a_depot_that_is_refused_does_not_stop_the_others_and_comes_back_by_itself(house, store, alerts, refused):
    assert until_ended(house, refused) == "failed"

    tasks = house.api.get(f"dags/{DAG}/dagRuns/{refused}/taskInstances")["task_instances"]
    assert sorted(task["state"] for task in tasks) == ["failed", "success", "success", "success"]
    [(connection, reason)] = store.execute("SELECT connection, reason FROM connection_flags").fetchall()
    assert connection.startswith("palletforce_90")
    assert "HTTP 401" in reason
    assert until(lambda: [text for text in alerts if refused in text])

    assert until_ended(house, house.api.trigger(DAG)) == "success"
    assert store.execute("SELECT count(*) FROM connection_flags").fetchone() == (0,)


def test_a_demo_whose_pull_is_refused_fails_and_says_why(house, refused, tmp_path, monkeypatch, capsys):
    assert until_ended(house, refused) == "failed"
    monkeypatch.setattr(demo, "running_house", lambda *_: nullcontext(house))
    with patch.dict(os.environ, {"PALLETFLOW_HOME": str(tmp_path)}):
        assert demo.main() == 1

    said = capsys.readouterr().out
    tasks = house.api.get(f"dags/{DAG}/dagRuns/~/taskInstances")["task_instances"]
    [named] = re.findall("DEMO FAILED: palletforce_import: task import_depot (.*) is failed", said)
    assert named in {task["rendered_map_index"] for task in tasks if task["state"] == "failed"}
    assert f"through connection 'palletforce_{named}'" in said
    assert "HTTP 401" in said


@pytest.mark.usefixtures("between_pulls")
def test_a_task_killed_in_the_middle_leaves_nothing_and_its_rerun_is_whole(house, store):
    before = watermarks(store)
    requests.post(
        f"{house.simulators['palletforce']}/_sim/consignments", json={"depot": "900", "count": 5}, timeout=10
    ).raise_for_status()
    with connect(house.order_store_dsn) as holder, holder.transaction():
        # The row that this depot's pull alone waits for; the tables are other pipelines' too.
        holder.execute("SELECT FROM watermarks WHERE (network, party) = ('palletforce', '900') FOR UPDATE")
        run_id = house.api.trigger(DAG)
        port = until(
            lambda: store.execute(
                "SELECT client_port FROM pg_stat_activity WHERE %s = ANY (pg_blocking_pids(pid))",
                (holder.info.backend_pid,),
            ).fetchone()
        )[0]
        [task] = [
            psutil.Process(link.pid)
            for link in psutil.net_connections("tcp")
            if link.laddr and link.laddr[1] == port and link.pid
        ]
        task.kill()
    path = f"dags/{DAG}/dagRuns/{run_id}/taskInstances"

    def only_one_is_left() -> list[dict]:
        tasks = house.api.get(path)["task_instances"]
        left = [task for task in tasks if task["state"] != "success"]
        return left if [task["state"] for task in left] == ["up_for_retry"] else []

    [killed] = until(only_one_is_left)
    standing = [party for party, high in watermarks(store) if high == dict(before)[party]]
    assert standing == ["900"], "the killed depot's watermark alone stands where it was"

    body = {"dag_run_id": run_id, "task_ids": [["import_depot", killed["map_index"]]], "dry_run": False}
    house.api.post(f"dags/{DAG}/clearTaskInstances", {**body, "only_failed": False})

    assert until_ended(house, run_id) == "success"
    assert all(high > dict(before)[party] for party, high in watermarks(store))


def test_a_late_run_is_told(house, alerts):
    until(lambda: "late_run" in {dag["dag_id"] for dag in house.api.all("dags", "dags")})

    late = house.api.trigger("late_run")

    until(lambda: [text for text in alerts if late in text and "is still running" in text])


def test_a_run_that_failed_is_not_told_again_when_its_deadline_passes(house, alerts):
    until(lambda: "failed_run" in {dag["dag_id"] for dag in house.api.all("dags", "dags")})
    failed = house.api.trigger("failed_run")
    until(lambda: [text for text in alerts if failed in text])

    with connect(house.environment["AIRFLOW_CONN_AIRFLOW_METADATA"]) as airflow:
        [(callback,)] = airflow.execute(
            "UPDATE deadline SET deadline_time = now() FROM dag_run r WHERE r.id = dagrun_id AND run_id = %s "
            "RETURNING callback_id",
            (failed,),
        ).fetchall()
        has_run = "SELECT state = 'success' FROM callback WHERE id = %s"
        until(lambda: airflow.execute(has_run, (callback,)).fetchone()[0])

    [told] = [text for text in alerts if failed in text]
    assert told.startswith("failed_run: run ")
    assert told.endswith(f"\n{house.settings.page}/dags/failed_run/runs/{failed}")


def test_an_outside_monitor_is_told_without_a_login_that_the_house_and_its_watch_are_well(house):
    def is_well() -> bool:
        answer = requests.get(f"{house.settings.reach}/palletflow/health", timeout=30)
        checks = answer.json()["checks"]
        return {checks["order_store"], checks["watch"], checks["airflow"]} == {"ok"}

    until(is_well)
    log = (house.settings.home / "logs" / "watch.log").read_text()
    assert "Watching" in log
    assert "Traceback" not in log


def test_one_consignment_is_fetched_by_its_number(house, store):
    body = {"depot": "900", "role": "requested"}
    made = requests.post(f"{house.simulators['palletforce']}/_sim/consignments", json=body, timeout=10).json()
    [number] = made["trackingNumbers"]

    run_id = house.api.trigger("palletforce_fetch", {"tracking_number": number, "depot": "900"})

    path = f"dags/palletforce_fetch/dagRuns/{run_id}"
    until(lambda: house.api.get(path)["state"] == "success")
    actors = store.execute(
        "SELECT a.actor FROM activity a JOIN consignments c ON c.id = consignment_id WHERE c.tracking_number = %s",
        (number,),
    )
    assert actors.fetchall() == [("ops",)]


def test_the_connection_form_and_its_test_button(house):
    headers = {"Authorization": f"Bearer {house.api.token}"}
    forms = requests.get(f"{house.api.base_url}/ui/connections/hook_meta", headers=headers, timeout=30).json()
    [form] = [form for form in forms if form["connection_type"] == "palletforce"]
    assert form["hook_name"] == "Palletforce"
    assert "depot_codes" in form["extra_fields"]
    assert form["standard_fields"]["host"]["placeholder"].startswith("https://")

    address = f"{house.simulators['palletforce']}/api/ExternalScanning"
    connection = {
        "connection_id": "tried",
        "conn_type": "palletforce",
        "host": address,
        "extra": '{"allow_http": true}',
    }
    good = house.api.post("connections/test", {**connection, "password": ACCESS_KEYS["900"]})
    assert good == {"status": True, "message": "Palletforce answers and accepts the access key."}
    bad = house.api.post("connections/test", {**connection, "password": "not-the-key"})
    assert not bad["status"]
    assert "Correct the connection's password" in bad["message"]
    assert "not-the-key" not in bad["message"]


@pytest.mark.parametrize(
    ("conn_type", "path", "login", "password", "says"),
    [
        ("nexus", "/v1/", "sim_pgd302", nexus.PASSWORD, "Nexus answers and accepts user name and password."),
        ("optimize", "/optimize", "", nexus.OPTIMIZE_KEY, "Optimize answers and accepts the API key."),
    ],
)
def test_the_connection_forms_of_nexus_and_their_test_buttons(house, conn_type, path, login, password, says):
    headers = {"Authorization": f"Bearer {house.api.token}"}
    forms = requests.get(f"{house.api.base_url}/ui/connections/hook_meta", headers=headers, timeout=30).json()
    assert [form for form in forms if form["connection_type"] == conn_type]

    address = f"{house.simulators['nexus']}{path}"
    connection = {
        "connection_id": "tried",
        "conn_type": conn_type,
        "host": address,
        "login": login,
        "extra": '{"allow_http": true}',
    }
    assert house.api.post("connections/test", {**connection, "password": password}) == {"status": True, "message": says}
    bad = house.api.post("connections/test", {**connection, "password": "canary-of-a-key"})
    assert not bad["status"]
    assert "canary-of-a-key" not in bad["message"]


@pytest.mark.parametrize("which", ["palletways_123", "palletways_upload_123", "palletways_upload_124"])
def test_the_connection_forms_of_palletways_and_their_test_buttons(house, which):
    base_url, ports = house.simulators["palletways"], house.settings.server_ports["palletways"]
    fields = sandbox_connections(base_url, **ports)[which]
    headers = {"Authorization": f"Bearer {house.api.token}"}
    forms = requests.get(f"{house.api.base_url}/ui/connections/hook_meta", headers=headers, timeout=30).json()
    assert [form for form in forms if form["connection_type"] == fields["conn_type"]]

    connection = {"connection_id": "tried", **fields, "extra": json.dumps(fields["extra"])}
    good = house.api.post("connections/test", connection)
    assert good["status"], good["message"]
    bad = house.api.post("connections/test", {**connection, "password": "canary+of/a-key="})
    assert not bad["status"]
    assert not [form for form in CANARIES if form in bad["message"]]


def test_what_customers_entered_at_palletways_becomes_orders_and_is_followed(house, store):
    entered = "SELECT count(*) FROM consignments WHERE network = 'palletways' AND registered"
    until(lambda: store.execute(entered).fetchone()[0] > 0)
    # A depot without a note in its first day has no watermark yet; that it was followed stands with its runs.
    followed = "SELECT count(succeeded_at) FROM poll_runs WHERE (network, stream) = ('palletways', 'notes')"
    until(lambda: store.execute(followed).fetchone()[0] == 2)


def test_the_poll_of_nexus_brings_orders_of_every_depot_and_one_is_fetched_with_its_documents(house, store):
    last_poll = "dags/nexus_poll/dagRuns"
    until(lambda: house.api.get(last_poll, order_by="run_after", limit=1)["dag_runs"][0]["state"] == "success")
    depots = store.execute(
        "SELECT DISTINCT unnest(ARRAY[requesting_depot, collecting_depot, delivery_depot]) FROM consignments "
        "WHERE network = 'nexus'"
    ).fetchall()
    assert {("PGD302",), ("UKD101",), ("FTD201",)} <= set(depots)

    control = f"{house.simulators['nexus']}/_sim/consignments"
    body = {"depot": "FTD201", "role": "requesting", "deliveryDepotCode": "FTD215", "network": "FORTEC"}
    [number] = requests.post(control, json=body, timeout=10).json()["consignmentIDs"]
    requests.post(f"{control}/{number}/scan", json={"status": "Delivered"}, timeout=10).raise_for_status()
    requests.post(f"{control}/{number}/attachments", json={"type": "POD"}, timeout=10).raise_for_status()

    run_id = house.api.trigger("nexus_fetch", {"consignment": str(number), "depot": "FTD201"})
    path = f"dags/nexus_fetch/dagRuns/{run_id}"
    until(lambda: house.api.get(path)["state"] == "success")
    stored = (
        "SELECT d.kind FROM documents d JOIN consignments c ON c.id = d.consignment_id WHERE c.tracking_number = %s"
    )
    until(lambda: store.execute(stored, (str(number),)).fetchall() == [("POD",)])


def test_the_secrets_appear_in_no_log_and_in_no_table(house):
    """Runs last: everything above has been logged and stored by then."""
    keys = [form for key in palletways.KEYS for form in (key, quote(key, safe=""))]
    secrets = [*ACCESS_KEYS.values(), nexus.OPTIMIZE_KEY, "sim-b-", "sim-r-", "canary-of-a-key", *keys, *CANARIES]
    logs = [file for file in house.settings.home.rglob("*.log") if file.is_file()]
    assert any("import_depot" in str(file) for file in logs)
    for database in ("airflow", "palletflow"):
        dsn = house.order_store_dsn.rpartition("/")[0] + f"/{database}"
        dump = subprocess.run(
            [Path(installation_in_wheel()) / "bin" / "pg_dump", dsn], capture_output=True, check=True, text=True
        ).stdout
        assert "palletforce_import" in dump
        assert "nexus_poll" in dump
        assert "palletways" in dump
        leaked = [line for line in dump.splitlines() if any(secret in line for secret in secrets)]
        assert leaked == []
    leaked = [str(file) for file in logs if any(secret in file.read_text(errors="replace") for secret in secrets)]
    assert leaked == []
