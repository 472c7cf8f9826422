"""Tries one Airflow connection without changing anything on the other side, and without telling anybody anything.

It is found as Airflow finds it: in the environment, in a secrets backend, or in the metadata database.
"""

import importlib
import smtplib
import ssl
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple
from urllib.parse import quote, urlsplit

import requests
from airflow.sdk import BaseHook
from airflow.sdk.exceptions import AirflowNotFoundException

from palletflow.airflow import order_store, sftp_drop
from palletflow.airflow.checked_hook import NOT_THERE, CheckedHook
from palletflow.airflow.notify import MAIL, TIMEOUT_S, WEBHOOK
from palletflow.airflow.provider import get_provider_info
from palletflow.airflow.server_process import become_part_of_the_server
from palletflow.network_errors import NetworkError
from palletflow.store import migrate
from palletflow.store.connection import DatabaseUnavailable, connect

SFTP = "sftp"
# Words in the names of Extra's settings whose values are secrets.
SECRET_WORDS = ("key", "secret", "token", "pass")
PUBLIC = ("host_key", "key_kind", "no_host_key_check", "allow_host_key_change")
LEAST_SECRET = 4


class Checked(NamedTuple):
    """Whether a connection works, and a sentence that holds no secret."""

    passed: bool
    said: str


def check(name: str) -> Checked:
    """Tries the connection with this id."""
    become_part_of_the_server()
    try:
        found = BaseHook.get_connection(name)
    except AirflowNotFoundException:
        return Checked(False, f"{NOT_THERE}, neither in the environment nor in Airflow's database")
    try:
        passed, said = BY_NAME.get(name, BY_TYPE.get(found.conn_type, _by_hook))(found)
    except (NetworkError, DatabaseUnavailable) as error:
        passed, said = False, str(error)
    except Exception as error:  # a line is owed for everything, and this text may hold anything
        passed, said = False, f"the check itself failed with {type(error).__name__}"
    return Checked(passed, _plain(_masked(said, found)))


def _by_hook(found: Any) -> tuple[bool, str]:
    """By the method behind the Test button; what the hooks of others do there is not known."""
    for described in get_provider_info()["connection-types"]:
        if described["connection-type"] == found.conn_type:
            module, _, name = described["hook-class-name"].rpartition(".")
            hook: CheckedHook = getattr(importlib.import_module(module), name)(found.conn_id)
            return hook.test_connection()
    return False, f"nothing of Palletflow uses a connection of the type '{found.conn_type}'"


def _order_store(_: Any) -> tuple[bool, str]:
    with connect(order_store.dsn()) as conn:
        held, wanted = migrate.held_revision(conn), migrate.revisions()[-1]
    if held != wanted:
        return False, f"The order store answers, but its schema is at revision {held or 'none'} and not at {wanted}."
    return True, f"The order store answers; its schema is at revision {held}."


def _sftp(found: Any) -> tuple[bool, str]:
    waiting = sftp_drop.check(found.conn_id)
    return True, (
        f"The server's key is the known one; it accepts the login and shows the folder, where {waiting} files wait. "
        "Whether files can be moved there is not tried."
    )


def _webhook(found: Any) -> tuple[bool, str]:
    """Asks the server for nothing at its root: the webhook's own address would tell people."""
    parts = urlsplit(found.host or "")
    if parts.scheme not in ("https", "http") or not parts.hostname:
        return False, "the Host is not the webhook's complete address"
    try:
        requests.head(f"{parts.scheme}://{parts.netloc}/", timeout=TIMEOUT_S, allow_redirects=False)
    except requests.exceptions.SSLError:
        return False, "the server's certificate is not good"
    except requests.RequestException as error:
        return False, f"the server does not answer ({type(error).__name__})"
    return True, "The server answers. Whether the webhook takes messages is not tried, as that would tell people."


def _mail(found: Any) -> tuple[bool, str]:
    """As far as a mail would go before it names anybody."""
    extra = found.extra_dejson
    missing = [name for name in ("from", "to") if not extra.get(name)]
    if missing:
        return False, f"Extra lacks {' and '.join(missing)}"
    try:
        with smtplib.SMTP(found.host, found.port or 587, timeout=TIMEOUT_S) as server:
            if extra.get("starttls", True):
                server.starttls(context=ssl.create_default_context())
            if found.login:
                server.login(found.login, found.password)
            server.noop()
    except smtplib.SMTPAuthenticationError:
        return False, "the mail server refuses the login"
    except ssl.SSLCertVerificationError:
        return False, "the mail server's certificate is not good"
    except (OSError, smtplib.SMTPException, ValueError) as error:
        return False, f"the mail server does not answer as it should ({type(error).__name__})"
    login = " and accepts the login" if found.login else ""
    return True, f"The mail server answers{login}. Whether it takes mails is not tried, as that would tell people."


BY_NAME: Mapping[str, Callable[[Any], tuple[bool, str]]] = {
    order_store.CONNECTION: _order_store,
    WEBHOOK: _webhook,
    MAIL: _mail,
}
BY_TYPE: Mapping[str, Callable[[Any], tuple[bool, str]]] = {SFTP: _sftp}


def _masked(text: str, found: Any) -> str:
    """Without what the connection holds of secrets; our own errors hold none, those of libraries may."""
    secrets = [found.password, urlsplit(found.host or "").path if found.conn_id == WEBHOOK else ""]
    secrets += [
        value
        for name, value in found.extra_dejson.items()
        if isinstance(value, str) and name not in PUBLIC and any(word in name.lower() for word in SECRET_WORDS)
    ]
    for secret in secrets:
        if secret and len(secret) >= LEAST_SECRET:
            for form in (secret, quote(secret, safe="")):
                text = text.replace(form, "***")
    return text


def _plain(text: str) -> str:
    """On one line, without what a terminal carries out."""
    return " ".join("".join(sign if sign.isprintable() else " " for sign in text).split())
