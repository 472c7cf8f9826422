"""Opens connections to the order store."""

from typing import Any

import psycopg
import psycopg.conninfo

Connection = psycopg.Connection[tuple[Any, ...]]
# The server went away under an open connection: a system fault as well.
ConnectionLost = psycopg.OperationalError
# A value that no column takes: bad data, and nothing of its statement was kept.
NotStorable = psycopg.DataError
conninfo = psycopg.conninfo.make_conninfo
# Of every session. A machine that vanishes without a word closes nothing. Its sessions, and with them the sign that
# a drain is there and its places in call budgets, end after a minute and not after hours. So does waiting for a server.
SESSION: dict[str, Any] = {
    "connect_timeout": 10,
    "keepalives_idle": 30,
    "keepalives_interval": 10,
    "keepalives_count": 3,
    "tcp_user_timeout": 60_000,
    "options": "-c tcp_keepalives_idle=30 -c tcp_keepalives_interval=10 -c tcp_keepalives_count=3 "
    "-c timezone=UTC -c datestyle=ISO",
}


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
            application_name="palletflow",
            **SESSION,
        )
    except psycopg.OperationalError as error:
        raise DatabaseUnavailable(str(error)) from error
