"""The order store as seen from Airflow: the connection 'order_store'."""

from airflow.sdk import BaseHook
from psycopg.conninfo import make_conninfo

from palletflow.store import connection
from palletflow.store.connection import Connection

CONNECTION = "order_store"


def connect() -> Connection:
    """Opens the order store. Raises DatabaseUnavailable, AirflowNotFoundException."""
    given = BaseHook.get_connection(CONNECTION)
    return connection.connect(
        make_conninfo(host=given.host, port=given.port, user=given.login, password=given.password, dbname=given.schema)
    )
