"""What commands of `palletflow` share: how they say that they cannot, and where the order store is."""

import os

ORDER_STORE = "AIRFLOW_CONN_ORDER_STORE"


class Usage(Exception):
    """The command cannot be carried out as given."""


def order_store_dsn() -> str:
    """The order store's address, for libpq. Raises Usage."""
    try:
        return os.environ[ORDER_STORE]
    except KeyError:
        raise Usage(
            f"set {ORDER_STORE} to the order store's address, postgresql://user:password@host/database"
        ) from None
