"""Opens connections to the order store."""

from typing import Any

import psycopg
import psycopg.conninfo

Connection = psycopg.Connection[tuple[Any, ...]]
# The server went away under an open connection: a system fault as well.
ConnectionLost = psycopg.OperationalError
conninfo = psycopg.conninfo.make_conninfo


class DatabaseUnavailable(Exception):
    """The order store cannot be reached: a system fault, worth trying again later."""

    def __init__(self, detail: str) -> None:
        super().__init__(
            "The order store does not answer. Check that Postgres runs and that the connection 'order_store' "
            f"(AIRFLOW_CONN_ORDER_STORE) points at it. Postgres said: {detail.strip()}"
        )


def connect(dsn: str) -> Connection:
    """Opens an autocommit connection in UTC; one unit of work is one explicit `with conn.transaction()`.

    Raises DatabaseUnavailable.
    """
    try:
        return psycopg.connect(
            dsn,
            autocommit=True,
            connect_timeout=10,
            application_name="palletflow",
            options="-c timezone=UTC -c datestyle=ISO",
        )
    except psycopg.OperationalError as error:
        raise DatabaseUnavailable(str(error)) from error
