"""Tells people: by webhook, by mail, or not at all until one of the two connections exists.

`alert_webhook`: an http connection whose Host is the webhook's address (Slack-compatible: it gets {"text": ...}); a
Password, if any, is sent as bearer token. `alert_mail`: an smtp connection with Extra {"from": ..., "to": [...]};
"starttls" in Extra is true unless it says false.

Everything that is to be told goes through store.alerts, which sees to it that it is told once. Only while the order
store is away, it is told directly.
"""

import asyncio
import logging
import smtplib
import ssl
from collections.abc import Callable, Mapping
from contextlib import suppress
from email.message import EmailMessage
from functools import partial
from typing import Any

import requests
from airflow.sdk import BaseHook, BaseNotifier, Context
from airflow.sdk.configuration import conf
from airflow.sdk.exceptions import AirflowNotFoundException

from palletflow import deployment
from palletflow.airflow import order_store
from palletflow.checked_yaml import FileFault
from palletflow.deployment import Alerts
from palletflow.store import alerts
from palletflow.store.alerts import Alert, Condition
from palletflow.store.connection import Connection, ConnectionLost, DatabaseUnavailable, connect

WEBHOOK, MAIL = "alert_webhook", "alert_mail"
TIMEOUT_S = 15
RUNNING = ("queued", "running")
HOUR_S = 3600.0
# The area of alerts that runs raise, and what their subjects end with after the DAG's name.
RUNS = "runs"
FAILED, LATE = " failed", " is late"
CANNOT_TELL = (requests.RequestException, smtplib.SMTPException, OSError, ValueError, LookupError)

# The connections there are, by name.
Ways = Mapping[str, Any]

log = logging.getLogger(__name__)


class FailureNotifier(BaseNotifier):
    """A DAG's on_failure_callback: says which run failed, why, and where to look."""

    def notify(self, context: Context) -> None:
        """Tells of the failed run, unless it was told a while ago that this DAG fails."""
        run = context["dag_run"]
        failed = Condition(
            f"{run.dag_id}{FAILED}",
            f"{run.dag_id}: run {run.run_id} failed ({context.get('reason') or 'see its tasks'}). "
            "Open the run in Airflow; the DAG's Details say what to do.",
            _run_link(run.dag_id, run.run_id),
        )
        _tell_now(failed, lambda: connect(order_store.dsn()), known_ways())


async def late_run(context: dict[str, Any]) -> None:
    """A deadline's callback, which runs in the triggerer: in an executor it could not read connections.

    Airflow calls it for runs that failed meanwhile too; those have been told already.
    """
    run = context["dag_run"]
    if run["state"] not in RUNNING:
        return
    ways = {}
    for name in WAYS:
        with suppress(AirflowNotFoundException):
            ways[name] = await BaseHook.aget_connection(name)
    late = Condition(
        f"{run['dag_id']}{LATE}",
        f"{run['dag_id']}: run {run['dag_run_id']} is still {run['state']} since {run['queued_at']}. "
        "Open its task log in Airflow: the last line says what it waits for.",
        _run_link(run["dag_id"], run["dag_run_id"]),
    )
    try:
        opened = partial(connect, await order_store.dsn_in_triggerer())
    except AirflowNotFoundException:
        await asyncio.to_thread(send, late.subject, with_link(late.message, late.link), ways)
    else:
        await asyncio.to_thread(_tell_now, late, opened, ways)


def known_ways() -> dict[str, Any]:
    """The connections there are. Airflow says the same of one that is not there and of one that it cannot look up."""
    found = {}
    for name in WAYS:
        with suppress(AirflowNotFoundException):
            found[name] = BaseHook.get_connection(name)
    return found


def tell_alerts(conn: Connection, ways: Ways | None = None, *, nobody: bool = False) -> int:
    """Tells people what was raised (store.alerts); how much. What cannot be told now, the next who calls this tells.

    One way is enough, so that nobody is told again and again by the one that works. It never raises for a way.
    `ways`: those known, without them they are looked up. `nobody`: if there are none, there is nobody to be told, and
    what was raised is only logged.
    """
    if not alerts.untold(conn):
        return 0
    working = dict(known_ways() if ways is None else ways)
    if not working and not nobody:
        log.warning("Something is to be told, and here is neither connection %s nor %s", WEBHOOK, MAIL)
        return 0
    is_anybody, told, untold = bool(working), 0, []
    while taken := alerts.take(conn):
        for alert in taken:
            if is_anybody and not _told(alert, working):
                untold.append(alert)
            else:
                alerts.told(conn, alert)
                told += is_anybody
                if not is_anybody:
                    send(alert.subject, alert.message, {})
        if is_anybody and not working:
            break
    for alert in untold:
        alerts.put_back(conn, alert)
    return told


def send(subject: str, text: str, ways: Ways) -> bool:
    """Tells by all ways; whether by any. It never raises for a way."""
    if not ways:
        log.warning("Nobody is told, as neither connection %s nor %s exists: %s", WEBHOOK, MAIL, text)
    return _sent(subject, text, dict(ways))


def _tell_now(condition: Condition, opened: Callable[[], Connection], ways: Ways) -> None:
    """Tells of a condition that begins, through the order store if that answers."""
    try:
        with opened() as conn:
            if alerts.stands(conn, RUNS, condition, _settings().again_h * HOUR_S):
                tell_alerts(conn, ways)
            return
    except (DatabaseUnavailable, ConnectionLost, AirflowNotFoundException) as error:
        log.warning("Told without the order store: %s", type(error).__name__)
    send(condition.subject, with_link(condition.message, condition.link), ways)


def _settings() -> Alerts:
    try:
        return deployment.load().alerts
    except FileFault:
        return Alerts()


def _told(alert: Alert, working: dict[str, Any]) -> bool:
    """Tells by all ways that work; whether by any."""
    if alert.over_at is None:
        return _sent(alert.subject, with_link(alert.message, alert.link), working)
    over = (
        f"Over: {alert.subject}. It began {alert.raised_at:%a %d %b %H:%M} UTC and was over by "
        f"{alert.over_at:%a %d %b %H:%M} UTC."
    )
    return _sent(f"Over: {alert.subject}", with_link(over, alert.link), working)


def _sent(subject: str, text: str, working: dict[str, Any]) -> bool:
    """Sends by all ways that work; whether by any. One that does not answer is taken out of them."""
    sent = False
    for name, connection in list(working.items()):
        try:
            WAYS[name](connection, subject, text)
            sent = True
        except CANNOT_TELL as error:
            if not isinstance(error, requests.HTTPError):  # which may be about this one text
                del working[name]
            # Without its text: the address of a webhook is a secret.
            log.warning("Alerts could not be told by %s: %s; see its connection", name, type(error).__name__)
    return sent


def _run_link(dag_id: str, run_id: str) -> str:
    return f"/dags/{dag_id}/runs/{run_id}"


def with_link(message: str, link: str) -> str:
    """What is told, with where to look if the page's address is known (Airflow's setting [api] base_url)."""
    base = conf.get("api", "base_url", fallback="") or ""
    return f"{message}\n{base.rstrip('/')}{link}" if base and link else message


def _webhook(connection: Any, subject: str, text: str) -> None:
    headers = {"Authorization": f"Bearer {connection.password}"} if connection.password else {}
    # Slack reads <...> as a mention or a link, and a text may have come from outside.
    escaped = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    answer = requests.post(connection.host, json={"text": escaped}, headers=headers, timeout=TIMEOUT_S)
    answer.raise_for_status()


def _mail(connection: Any, subject: str, text: str) -> None:
    extra = connection.extra_dejson
    message = EmailMessage()
    message["Subject"] = " ".join(f"Palletflow: {subject}".split())
    message["From"], message["To"] = extra["from"], ", ".join(extra["to"])
    message.set_content(text)
    with smtplib.SMTP(connection.host, connection.port or 587, timeout=TIMEOUT_S) as server:
        if extra.get("starttls", True):
            # Without a context smtplib asks for no certificate, and the password could go to anybody.
            server.starttls(context=ssl.create_default_context())
        if connection.login:
            server.login(connection.login, connection.password)
        server.send_message(message)


WAYS: dict[str, Callable[[Any, str, str], None]] = {WEBHOOK: _webhook, MAIL: _mail}
