"""Alerts reach a real webhook and a real mail server, and nobody before one is configured."""

import asyncio
import json
import logging
import socketserver
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from types import SimpleNamespace

import pytest

from palletflow.airflow.notify import FailureNotifier, late_run, tell_alerts
from palletflow.store import alerts

RUN = SimpleNamespace(dag_id="palletforce_import", run_id="manual__1")


def serving(server):
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server


@pytest.fixture
def webhook(monkeypatch):
    received = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            body = self.rfile.read(int(self.headers["Content-Length"]))
            received.append((self.headers["Authorization"], json.loads(body)))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_):
            """Silence."""

    server = serving(HTTPServer(("127.0.0.1", 0), Handler))
    connection = {"conn_type": "http", "host": f"http://127.0.0.1:{server.server_port}/hook", "password": "hook-token"}
    monkeypatch.setenv("AIRFLOW_CONN_ALERT_WEBHOOK", json.dumps(connection))
    yield received
    server.shutdown()
    server.server_close()


@pytest.fixture
def mailbox(monkeypatch):
    received = []

    class Handler(socketserver.StreamRequestHandler):
        """As much SMTP as a mail needs."""

        def handle(self):
            self.say("220 here")
            for line in self.rfile:
                word = line.split()[0].upper()
                if word == b"DATA":
                    self.say("354 go on")
                    received.append(b"".join(iter(self.rfile.readline, b".\r\n")).decode())
                self.say("221 bye" if word == b"QUIT" else "250 fine")

        def say(self, text):
            self.wfile.write(f"{text}\r\n".encode())

    server = serving(socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler))
    connection = {
        "conn_type": "smtp",
        "host": "127.0.0.1",
        "port": server.server_address[1],
        "extra": {"from": "palletflow@example.com", "to": ["ops@example.com", "night@example.com"], "starttls": False},
    }
    monkeypatch.setenv("AIRFLOW_CONN_ALERT_MAIL", json.dumps(connection))
    yield received
    server.shutdown()
    server.server_close()


def test_a_failed_run_is_told_by_webhook(webhook):
    FailureNotifier()({"dag_run": RUN, "reason": "task_failure"})

    [(authorization, message)] = webhook
    assert authorization == "Bearer hook-token"
    assert "run manual__1 failed (task_failure)" in message["text"]


def test_a_failed_run_is_told_by_mail(mailbox):
    FailureNotifier()({"dag_run": RUN, "reason": "task_failure"})

    [mail] = mailbox
    assert "Subject: Palletflow: palletforce_import failed" in mail
    assert "To: ops@example.com, night@example.com" in mail


def test_without_an_alert_connection_it_is_only_logged(caplog):
    with caplog.at_level(logging.WARNING):
        FailureNotifier()({"dag_run": RUN})
    assert "Nobody is told" in caplog.text


@pytest.mark.parametrize(("state", "told"), [("running", 1), ("queued", 1), ("failed", 0), ("success", 0)])
def test_a_deadline_alerts_only_for_runs_still_under_way(webhook, state, told):
    run = {"dag_id": "palletforce_import", "dag_run_id": "r1", "state": state, "queued_at": "2026-07-13T09:30:00Z"}
    asyncio.run(late_run(context={"dag_run": run}))
    assert len(webhook) == told


def test_what_was_raised_is_told_once(conn, webhook):
    alerts.raise_alert(conn, "palletways-egress is silent", "Nobody calls for 16 minutes.")
    tell_alerts(conn)
    tell_alerts(conn)

    [(_, message)] = webhook
    assert message["text"] == "Nobody calls for 16 minutes."


def test_what_could_not_be_told_is_told_the_next_time(conn, webhook, monkeypatch):
    alerts.raise_alert(conn, "photos of 60000000017: malformed", "Look at it in the quarantine.")
    with monkeypatch.context() as broken:
        broken.setenv("AIRFLOW_CONN_ALERT_WEBHOOK", json.dumps({"conn_type": "http", "host": "http://127.0.0.1:1/"}))
        tell_alerts(conn)
    assert webhook == []

    tell_alerts(conn)
    assert len(webhook) == 1


BROKEN = {
    "AIRFLOW_CONN_ALERT_WEBHOOK": {"conn_type": "http", "host": "http://127.0.0.1:1/hook-secret"},
    "AIRFLOW_CONN_ALERT_MAIL": {"conn_type": "smtp", "host": "127.0.0.1", "port": 1, "extra": {}},
}


@pytest.mark.parametrize("broken", BROKEN)
def test_one_way_that_works_tells_once(conn, webhook, mailbox, monkeypatch, caplog, broken):
    monkeypatch.setenv(broken, json.dumps(BROKEN[broken]))
    alerts.raise_alert(conn, "photos of 60000000017: malformed", "Look at it in the quarantine.")
    alerts.raise_alert(conn, "photos of 60000000018: malformed", "Look at it in the quarantine.")

    tell_alerts(conn)
    tell_alerts(conn)

    assert (len(webhook), len(mailbox)) == ((0, 2) if "WEBHOOK" in broken else (2, 0))
    assert "hook-secret" not in caplog.text
    assert conn.execute("SELECT count(*) FROM alerts WHERE told_at IS NULL").fetchall() == [(0,)]


def test_what_no_way_could_tell_stays_without_stopping_the_work(conn, monkeypatch):
    for name, value in BROKEN.items():
        monkeypatch.setenv(name, json.dumps(value))
    alerts.raise_alert(conn, "photos of 60000000017: malformed", "Look at it in the quarantine.")

    tell_alerts(conn)

    assert conn.execute("SELECT count(*) FROM alerts WHERE told_at IS NULL").fetchall() == [(1,)]
