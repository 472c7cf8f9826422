"""Tells people: by webhook, by mail, or not at all until one of the two connections exists.

`alert_webhook`: an http connection whose Host is the webhook's address (Slack-compatible: it gets {"text": ...}); a
Password, if any, is sent as bearer token. `alert_mail`: an smtp connection with Extra {"from": ..., "to": [...]};
"starttls" in Extra is true unless it says false.
"""

import asyncio
import logging
import smtplib
from collections.abc import Callable, Mapping
from contextlib import suppress
from email.message import EmailMessage
from typing import Any

import requests
from airflow.sdk import BaseHook, BaseNotifier, Context
from airflow.sdk.exceptions import AirflowNotFoundException

from palletflow.store import alerts
from palletflow.store.alerts import Alert
from palletflow.store.connection import Connection

WEBHOOK, MAIL = "alert_webhook", "alert_mail"
TIMEOUT_S = 15
RUNNING = ("queued", "running")

log = logging.getLogger(__name__)


class FailureNotifier(BaseNotifier):
    """A DAG's on_failure_callback: says which run failed, why, and where to look."""

    def notify(self, context: Context) -> None:
        """Sends one message for the failed run."""
        run = context["dag_run"]
        _send(
            f"{run.dag_id} failed",
            f"{run.dag_id}: run {run.run_id} failed ({context.get('reason') or 'see its tasks'}). "
            "Open the run in Airflow; the DAG's Details say what to do.",
            {name: connection for name in WAYS if (connection := _connection(name))},
        )


def tell_alerts(conn: Connection) -> None:
    """Tells people what was raised (store.alerts); what could not be told is told by the next who calls this.

    One way is enough, so that nobody is told again and again by the one that works. It never raises for a way.
    """
    with conn.transaction():
        raised = alerts.take(conn)
        connections = {name: connection for name in WAYS if raised and (connection := _connection(name))}
        working, untold = dict(connections), []
        for alert in raised:
            if not connections:
                _send(alert.subject, alert.message, {})
            elif not _told(alert, working):
                untold.append(alert.subject)
        alerts.put_back(conn, untold)


def _told(alert: Alert, working: dict[str, Any]) -> bool:
    """Tells by all ways that work; whether by any. One that fails is not tried again, and taken out of them."""
    told = False
    for name, connection in list(working.items()):
        try:
            WAYS[name](connection, alert.subject, alert.message)
            told = True
        except (requests.RequestException, smtplib.SMTPException, OSError, ValueError, LookupError) as error:
            del working[name]
            # Without its text: the address of a webhook is a secret.
            log.warning("Alerts could not be told by %s: %s; see its connection", name, type(error).__name__)
    return told


async def late_run(context: dict[str, Any]) -> None:
    """A deadline's callback, which runs in the triggerer: in an executor it could not read connections.

    Airflow calls it for runs that failed meanwhile too; those have been told already.
    """
    run = context["dag_run"]
    if run["state"] not in RUNNING:
        return
    connections = {}
    for name in WAYS:
        with suppress(AirflowNotFoundException):
            connections[name] = await BaseHook.aget_connection(name)
    await asyncio.to_thread(
        _send,
        f"{run['dag_id']} is late",
        f"{run['dag_id']}: run {run['dag_run_id']} is still {run['state']} since {run['queued_at']}. "
        "Open its task log in Airflow: the last line says what it waits for.",
        connections,
    )


def _connection(name: str) -> Any:
    try:
        return BaseHook.get_connection(name)
    except AirflowNotFoundException:
        return None


def _send(subject: str, text: str, connections: Mapping[str, Any]) -> None:
    if not connections:
        log.warning("Nobody is told, as neither connection %s nor %s exists: %s", WEBHOOK, MAIL, text)
    for name, connection in connections.items():
        WAYS[name](connection, subject, text)


def _webhook(connection: Any, subject: str, text: str) -> None:
    headers = {"Authorization": f"Bearer {connection.password}"} if connection.password else {}
    answer = requests.post(connection.host, json={"text": text}, headers=headers, timeout=TIMEOUT_S)
    answer.raise_for_status()


def _mail(connection: Any, subject: str, text: str) -> None:
    extra = connection.extra_dejson
    message = EmailMessage()
    message["Subject"], message["From"], message["To"] = f"Palletflow: {subject}", extra["from"], ", ".join(extra["to"])
    message.set_content(text)
    with smtplib.SMTP(connection.host, connection.port or 587, timeout=TIMEOUT_S) as server:
        if extra.get("starttls", True):
            server.starttls()
        if connection.login:
            server.login(connection.login, connection.password)
        server.send_message(message)


WAYS: dict[str, Callable[[Any, str, str], None]] = {WEBHOOK: _webhook, MAIL: _mail}
