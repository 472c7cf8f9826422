"""The watch sees what no run can tell of, tells it once, and goes on whatever is away."""

import json
import os
import re
import socket
import subprocess
import sys
import threading
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
import sqlalchemy
from tests.conftest import PROJECT
from tests.waiting import until

from palletflow.airflow.metrics import Meter
from palletflow.airflow.watch import Watch
from palletflow.desk.needs import CAUSES
from palletflow.store import alerts, connection_flags, figures, session_lock, work_items
from palletflow.store.connection import DatabaseUnavailable, connect

WELL = dict.fromkeys(("api-server", "database", "scheduler", "dag-processor", "triggerer"), True)


class SilentMeter(Meter):
    """Keeps what would be emitted."""

    def __init__(self):
        self.readings = {}

    def emit(self, readings, *, whole=True):
        self.readings = {(name, labels): float(value) for name, value, labels in readings}


@pytest.fixture
def health():
    return dict(WELL)


@pytest.fixture
def watch(conn, dsn, webhook, plan, health):
    """A watch of a house whose Airflow is as `health` says."""
    return Watch(connect=lambda: connect(dsn), health=lambda: health, load=lambda: plan, meter=SilentMeter())


@pytest.fixture
def told(webhook):
    """What was told since the last time this was asked for."""

    def read():
        texts = [message["text"] for _, message in webhook]
        webhook.clear()
        return texts

    return read


def park(conn, kind="dispatch"):
    work_items.enqueue(conn, "nexus", kind, ["1"])
    [item] = work_items.claim(conn, "nexus", kind, 1, 60)
    work_items.park(conn, item, "HTTP 500: refused")


def an_hour_later(conn):
    conn.execute("UPDATE alerts SET seen_at = seen_at - interval '1 hour'")


def test_what_lasts_is_told_once_and_once_more_when_it_is_over(conn, watch, told, monkeypatch):
    monkeypatch.setenv("AIRFLOW__API__BASE_URL", "https://palletflow.example.com")
    park(conn)
    watch.look(conn)
    assert told() == []
    watch.look(conn)
    watch.look(conn)
    [text] = told()
    assert re.match(
        r"Parked work of nexus dispatch: 1, the first since .*\. Most often for: HTTP 500: refused\. "
        r"Mend the cause, then press Try again\.\nhttps://palletflow\.example\.com/palletflow/desk/attention/parked$",
        text,
    )

    work_items.requeue(conn)
    watch.look(conn)
    assert told() == []
    an_hour_later(conn)
    watch.look(conn)
    watch.look(conn)
    [over] = told()
    assert over.startswith("Over: Parked: nexus dispatch. It began ")


def test_a_sync_that_never_ran_at_all_is_told(conn, watch, told):
    watch.look(conn)
    conn.execute("UPDATE poll_runs SET expected_since = now() - interval '1 hour' WHERE network = 'nexus'")
    watch.look(conn)
    watch.look(conn)
    [text] = told()
    assert text.startswith("nexus_poll has not come to its end when it should have: nexus ")
    assert text.count("last synced never") == 3
    assert watch.meter.readings["sync_stale", ("nexus", "orders", "nexus_pgd302")] == 1
    assert watch.meter.readings["sync_behind_seconds", ("nexus", "orders", "nexus_pgd302")] >= 3600


def test_everything_else_somebody_is_needed_for_is_told(conn, watch, told, health):
    connection_flags.raise_flag(conn, "nexus_pgd302", "The password was refused.")
    conn.execute("INSERT INTO lost_documents (sha256, found_at) VALUES (sha256('x'), now())")
    work_items.enqueue(conn, "palletways", "photo", ["1"], datetime.now(UTC) - timedelta(hours=1))
    conn.execute(
        "WITH batch AS (INSERT INTO inbound_batches (network, stream, party, run, pages, records, created, updated,"
        " unchanged, rejected, ignored, fetched_at) VALUES ('nexus', 'orders', 'p', 'r', 1, 10, 0, 0, 0, 10, 0, now())"
        " RETURNING id) INSERT INTO inbound_records (batch_id, network, stream, record_key, raw, raw_digest, read_at,"
        " outcome, reason_code, reason, warnings) SELECT id, 'nexus', 'orders', n::text, '{}', sha256(n::text::bytea),"
        " now(), 'rejected', 'UNKNOWN_CUSTOMER', 'because', '{}' FROM batch, generate_series(1, 10) n"
    )
    health |= {"scheduler": False, "dag-processor": False, "triggerer": False}
    watch.look(conn)
    watch.look(conn)
    begun = sorted(text.split(":")[0].split(" since")[0] for text in told())
    assert begun == [
        "10 records of nexus were quarantined within an hour for UNKNOWN_CUSTOMER; 10 wait for that. Look at one of "
        "them",
        "Airflow's dag-processor gives no sign of life",
        "Airflow's scheduler gives no sign of life",
        "Airflow's triggerer gives no sign of life",
        "Connection nexus_pgd302 is flagged",
        "Documents whose bytes are not where documents lie",
        "Work of palletways photo that is due",
    ]
    assert watch.meter.readings["airflow_up", ("scheduler",)] == 0
    links = {link for (link,) in conn.execute("SELECT link FROM alerts")}
    causes = {f"{alerts.ATTENTION}/{cause}" for cause in CAUSES}
    assert links - causes == {"/dags"}


def test_what_is_told_again_is_told_after_the_hours_of_the_deployment_file(conn, watch, plan, told):
    watch.load = lambda: replace(plan, alerts=replace(plan.alerts, again_h=2))
    park(conn)
    watch.look(conn)
    watch.look(conn)
    assert len(told()) == 1
    conn.execute("UPDATE alerts SET told_at = told_at - interval '119 minutes'")
    watch.look(conn)
    assert told() == []
    conn.execute("UPDATE alerts SET told_at = told_at - interval '2 minutes'")
    watch.look(conn)
    assert len(told()) == 1


def test_what_cannot_be_looked_at_is_not_over(conn, watch, told, health):
    health["scheduler"] = False
    watch.look(conn)
    watch.look(conn)
    assert len(told()) == 1

    an_hour_later(conn)
    for component in ("scheduler", "dag-processor", "triggerer"):
        del health[component]
    health["database"] = False
    watch.look(conn)
    assert "Airflow's scheduler gives no sign of life" in alerts.standing(conn, "airflow")
    assert told() == []


def test_while_airflow_is_away_people_are_told_by_the_connections_known_last(conn, watch, told, health, monkeypatch):
    watch.look(conn)
    monkeypatch.delenv("AIRFLOW_CONN_ALERT_WEBHOOK")
    health.clear()
    health |= {"api-server": False, "database": False}
    watch.look(conn)
    watch.look(conn)
    assert [text.split(":")[0] for text in told()] == [
        "Airflow's api-server gives no sign of life",
        "Airflow's database gives no sign of life",
    ]


def test_while_nobody_knows_whom_to_tell_nothing_counts_as_told(conn, watch, health, monkeypatch, caplog):
    monkeypatch.delenv("AIRFLOW_CONN_ALERT_WEBHOOK")
    alerts.raise_alert(conn, "No answer", "Nobody calls for 16 minutes.")
    health["database"] = False
    watch.look(conn)
    assert alerts.untold(conn)

    health["database"] = True
    watch.look(conn)
    assert "Nobody is told" in caplog.text
    assert not alerts.untold(conn)


def test_the_order_store_being_away_is_told_and_when_it_is_back(conn, watch, told, health):
    watch.look(conn)
    watch.look_without_store()
    assert told() == []
    watch.look_without_store()
    watch.look_without_store()
    [text] = told()
    assert text.startswith("The order store does not answer: nothing is imported")
    assert watch.meter.readings["order_store_up", ()] == 0

    watch.look(conn)
    assert told() == ["Over: The order store does not answer."]
    assert watch.meter.readings["order_store_up", ()] == 1


def test_a_wrong_deployment_file_stops_the_look_at_syncs_and_ends_none_of_their_alerts(conn, watch, told, tmp_path):
    from palletflow import deployment

    alerts.stands(conn, "syncs", alerts.Condition("Not synced: nexus_poll", "message", ""), 3600)
    wrong = tmp_path / "deployment.yaml"
    wrong.write_text("networks: 7")
    watch.load = lambda: deployment.load(wrong)
    park(conn)
    an_hour_later(conn)
    watch.look(conn)
    watch.look(conn)
    assert list(alerts.standing(conn, "syncs")) == ["Not synced: nexus_poll"]
    assert list(alerts.standing(conn, "work")) == ["Parked: nexus dispatch"]
    assert any(text.startswith("The deployment file cannot be used: ") for text in told())


@contextmanager
def running(watch):
    stop = threading.Event()
    thread = threading.Thread(target=watch.run, args=(stop, 0.05))
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def test_one_of_several_looks_and_another_takes_over_when_it_ends(conn, dsn, watch):
    with connect(dsn) as first, session_lock.alone(first, "watch"), running(watch):
        lock = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND query LIKE %s"
        until(lambda: conn.execute(lock, ("%pg_try_advisory_lock%",)).fetchone()[0] >= 2)
        assert not figures.was_looked(conn, timedelta(hours=1))
        first.close()
        until(lambda: figures.was_looked(conn, timedelta(hours=1)))


def test_it_goes_on_when_the_order_store_was_away_and_a_look_failed(conn, dsn, watch, told):
    troubles = iter([DatabaseUnavailable("no"), DatabaseUnavailable("no"), DatabaseUnavailable("no")])

    def opened():
        for trouble in troubles:
            raise trouble
        return connect(dsn)

    watch.connect = opened
    failing = iter([1])
    load = watch.load
    watch.load = lambda: (next(failing, None) and 1 / 0) or load()
    with running(watch):
        until(lambda: figures.was_looked(conn, timedelta(hours=1)))
        # Its session is cut off in the middle.
        conn.execute("DELETE FROM watch_looks")
        conn.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
        until(lambda: figures.was_looked(conn, timedelta(hours=1)))
    texts = told()
    assert texts[0].startswith("The order store does not answer")
    assert texts[1] == "Over: The order store does not answer."


# The process itself, with Airflow's own settings and database.


@pytest.fixture
def metrics_received():
    """A real StatsD listener: {name: {tags: (value, kind)}}."""
    listener = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    listener.bind(("127.0.0.1", 0))
    listener.settimeout(0.2)
    received, stop = {}, threading.Event()

    def listen():
        while not stop.is_set():
            try:
                line = listener.recv(65536).decode()
            except TimeoutError:
                continue
            name, value, kind = re.fullmatch(r"([^:]+):([^|]+)\|(\w+)", line).groups()
            name, *tags = name.split(",")
            received.setdefault(name, {})[tuple(tags)] = (float(value), kind)

    thread = threading.Thread(target=listen)
    thread.start()
    received["port"] = listener.getsockname()[1]
    yield received
    stop.set()
    thread.join()
    listener.close()


@pytest.fixture
def airflow_page():
    """As much of Airflow's page as says how Airflow is."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            parts = ("metadatabase", "scheduler", "dag_processor", "triggerer")
            body = json.dumps({part: {"status": "healthy"} for part in parts}).encode()
            self.send_response(200 if self.path == "/api/v2/monitor/health" else 404)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            """Silence."""

    server = HTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


@pytest.fixture
def airflow_database(tmp_path):
    """Airflow's database with its connections and runs in it; its address."""
    from airflow.models.connection import Connection
    from airflow.models.dagrun import DagRun

    address = f"sqlite:///{tmp_path / 'airflow.db'}"
    engine = sqlalchemy.create_engine(address)
    tables = [Connection.__table__, DagRun.__table__]
    bare = sqlalchemy.MetaData()
    for table in tables:
        columns = [sqlalchemy.Column(column.name, column.type) for column in table.columns]
        sqlalchemy.Table(table.name, bare, *columns)
    bare.create_all(engine)
    yield engine, bare.tables
    engine.dispose()


def test_the_process_finds_connections_in_airflows_database_tells_people_and_emits_metrics(
    conn, dsn, order_store, webhook, airflow_database, airflow_page, metrics_received, tmp_path
):
    engine, tables = airflow_database
    now = datetime.now(UTC)
    with engine.begin() as given:
        hook = json.loads(os.environ["AIRFLOW_CONN_ALERT_WEBHOOK"])
        given.execute(
            tables["connection"].insert(),
            {"id": 1, "conn_id": "alert_webhook", "conn_type": "http", "host": hook["host"], "is_encrypted": False},
        )
        for number, (dag_id, state) in enumerate([("mended", "failed"), ("mended", "success"), ("broken", "failed")]):
            ended = now + timedelta(minutes=number)
            run = {"id": number, "dag_id": dag_id, "state": state, "end_date": ended, "run_id": str(number)}
            given.execute(tables["dag_run"].insert(), run)
        given.execute(
            tables["dag_run"].insert(), {"id": 9, "dag_id": "slow", "state": "running", "queued_at": now, "run_id": "9"}
        )
    for subject in ("mended failed", "broken failed", "slow is late", "gone is late"):
        alerts.stands(conn, "runs", alerts.Condition(subject, "message", ""), 3600)
    conn.execute(
        "UPDATE alerts SET told_at = now(), seen_at = now() - interval '1 hour', raised_at = now() + interval '1 s'"
    )
    park(conn)
    environment = {name: value for name, value in os.environ.items() if name != "AIRFLOW_CONN_ALERT_WEBHOOK"}
    environment |= {
        "AIRFLOW_HOME": str(tmp_path / "airflow"),
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": str(engine.url),
        "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"{airflow_page}/execution/",
        "AIRFLOW__METRICS__STATSD_ON": "True",
        "AIRFLOW__METRICS__STATSD_HOST": "127.0.0.1",
        "AIRFLOW__METRICS__STATSD_PORT": str(metrics_received.pop("port")),
        "PALLETFLOW_DEPLOYMENT": str(PROJECT / "include" / "deployment.yaml"),
        **_settings_of_the_house("AIRFLOW__METRICS__"),
    }
    sign = tmp_path / "sign"
    command = [Path(sys.executable).with_name("palletflow"), "watch", "--sign", sign]
    process = subprocess.Popen(command, env=environment)
    try:
        until(lambda: "airflow.palletflow.looks" in metrics_received and sign.exists())
    finally:
        process.terminate()
        assert process.wait(30) == 0

    assert sorted(message["text"].split(". ")[0] for _, message in webhook) == [
        "Over: gone is late",
        "Over: mended failed",
    ]
    assert set(alerts.standing(conn, "runs")) == {"broken failed", "slow is late"}
    assert metrics_received["airflow.palletflow.work_parked"] == {("network=nexus", "kind=dispatch"): (1.0, "g")}
    assert metrics_received["airflow.palletflow.airflow_up"][("component=scheduler",)] == (1.0, "g")
    labels = ("network=palletforce", "stream=depot_pull", "party=900")
    assert labels in metrics_received["airflow.palletflow.sync_behind_seconds"]
    assert metrics_received["airflow.palletflow.looks"] == {(): (1.0, "c")}


def _settings_of_the_house(prefix):
    lines = (PROJECT / "include" / "airflow.env").read_text().splitlines()
    return dict(line.split("=", 1) for line in lines if line.startswith(prefix))


def test_what_is_no_level_any_more_becomes_none(monkeypatch):
    from airflow.observability import stats

    from palletflow.airflow.metrics import Reading

    emitted = []
    monkeypatch.setattr(stats, "gauge", lambda name, value, tags: emitted.append((name, value, tags)))
    meter = Meter()
    meter.emit([Reading("work_parked", 3, ("nexus", "dispatch"))])
    meter.emit([])
    meter.emit([])
    tags = {"network": "nexus", "kind": "dispatch"}
    assert emitted[:2] == [("palletflow.work_parked", 3.0, tags), ("palletflow.work_parked", 0.0, tags)]
