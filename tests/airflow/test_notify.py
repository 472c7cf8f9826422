"""Alerts reach a real webhook and a real mail server, and nobody before one is configured."""

import asyncio
import json
import logging
from types import SimpleNamespace

import pytest

from palletflow.airflow.notify import FailureNotifier, late_run, tell_alerts
from palletflow.store import alerts
from palletflow.store.alerts import Condition
from palletflow.store.connection import connect

RUN = SimpleNamespace(dag_id="palletforce_import", run_id="manual__1")


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


def test_a_run_that_fails_is_told_once_however_often_airflow_says_so(order_store, webhook, monkeypatch):
    monkeypatch.setenv("AIRFLOW__API__BASE_URL", "https://palletflow.example.com/")
    for run_id in ("manual__1", "manual__1", "manual__2"):
        FailureNotifier()({"dag_run": SimpleNamespace(dag_id="palletforce_import", run_id=run_id), "reason": "failure"})

    [(_, message)] = webhook
    first, last = message["text"].splitlines()
    assert first.startswith("palletforce_import: run manual__1 failed (failure)")
    assert last == "https://palletflow.example.com/dags/palletforce_import/runs/manual__1"


def test_a_late_run_is_told_once_through_the_order_store(order_store, webhook):
    run = {"dag_id": "nexus_poll", "dag_run_id": "r1", "state": "running", "queued_at": "2026-07-13T09:30:00Z"}
    asyncio.run(late_run(context={"dag_run": run}))
    asyncio.run(late_run(context={"dag_run": run}))

    [(_, message)] = webhook
    assert "nexus_poll: run r1 is still running" in message["text"]


def test_a_failed_run_that_could_not_be_told_is_told_by_the_next(order_store, webhook, monkeypatch):
    with monkeypatch.context() as broken:
        broken.setenv("AIRFLOW_CONN_ALERT_WEBHOOK", json.dumps({"conn_type": "http", "host": "http://127.0.0.1:1/"}))
        FailureNotifier()({"dag_run": RUN, "reason": "task_failure"})
    assert webhook == []

    tell_alerts(order_store)
    assert len(webhook) == 1


def test_while_the_order_store_is_away_it_is_told_directly(webhook, monkeypatch):
    monkeypatch.setenv("AIRFLOW_CONN_ORDER_STORE", "postgresql://nobody@127.0.0.1:1/none")
    FailureNotifier()({"dag_run": RUN, "reason": "task_failure"})

    assert len(webhook) == 1


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


def test_what_is_over_is_told_with_its_time(conn, webhook):
    alerts.settle(conn, "work", [Condition("Parked: nexus dispatch", "3 items are parked.", "/")], 3600, 60)
    tell_alerts(conn)
    alerts.settle(conn, "work", [], 3600, 0)
    tell_alerts(conn)

    begun, over = (message["text"] for _, message in webhook)
    assert begun == "3 items are parked."
    assert over.startswith("Over: Parked: nexus dispatch. It began ")


def test_a_text_from_outside_calls_nobody_in_slack_and_adds_no_header_to_a_mail(conn, webhook, mailbox):
    alerts.raise_alert(conn, "odd\r\nBcc: all@example.com", "<!channel> said: <https://example.com|look> & sign")
    tell_alerts(conn)

    [(_, message)], [mail] = webhook, mailbox
    assert message["text"] == "&lt;!channel&gt; said: &lt;https://example.com|look&gt; &amp; sign"
    assert "\r\nBcc" not in mail.split("\r\n\r\n")[0]


def test_who_is_told_by_one_that_is_killed_meanwhile_is_told_by_the_next(conn, dsn, webhook, monkeypatch):
    """Between taking an alert and having told it."""
    alerts.raise_alert(conn, "No answer", "Nobody calls for 16 minutes.")
    with connect(dsn) as killed:
        alerts.take(killed)
    tell_alerts(conn)
    assert webhook == []

    conn.execute("UPDATE alerts SET taken_until = now()")
    tell_alerts(conn)
    assert len(webhook) == 1


def test_where_it_is_known_that_there_is_nobody_to_tell_it_is_only_logged(conn, caplog):
    alerts.raise_alert(conn, "No answer", "Nobody calls for 16 minutes.")
    tell_alerts(conn)
    assert alerts.untold(conn)

    tell_alerts(conn, {}, nobody=True)
    assert "Nobody is told" in caplog.text
    assert not alerts.untold(conn)


def test_what_one_text_is_refused_for_keeps_no_other_from_being_told(conn, webhook):
    alerts.raise_alert(conn, "bad", "refuse this")
    alerts.raise_alert(conn, "good", "take this")
    tell_alerts(conn)
    assert [message["text"] for _, message in webhook] == ["take this"]
    assert alerts.untold(conn)


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
