"""The order store as seen from Airflow: the connection 'order_store'."""

from typing import Any

from airflow.sdk import BaseHook

from palletflow.store import connection
from palletflow.store.connection import Connection

CONNECTION = "order_store"


def dsn() -> str:
    """How to reach the order store, for libpq. Raises AirflowNotFoundException."""
    return _dsn(BaseHook.get_connection(CONNECTION))


async def dsn_in_triggerer() -> str:
    """The same where the triggerer's event loop runs, which a call that waits would stop."""
    return _dsn(await BaseHook.aget_connection(CONNECTION))


def connect() -> Connection:
    """Opens the order store. Raises DatabaseUnavailable, AirflowNotFoundException."""
    return connection.connect(dsn())


def _dsn(given: Any) -> str:
    parts = {"host": given.host, "port": given.port, "user": given.login, "password": given.password}
    return connection.conninfo(dbname=given.schema, **parts)
