"""The order store as seen from Airflow: the connection 'order_store'."""

from airflow.sdk import BaseHook

from palletflow.store import connection
from palletflow.store.connection import Connection

CONNECTION = "order_store"


def connect() -> Connection:
    """Opens the order store. Raises DatabaseUnavailable, AirflowNotFoundException."""
    given = BaseHook.get_connection(CONNECTION)
    parts = {"host": given.host, "port": given.port, "user": given.login, "password": given.password}
    return connection.connect(connection.conninfo(dbname=given.schema, **parts))
