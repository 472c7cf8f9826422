"""Housekeeping of the order store: networks say what of theirs is not kept for ever."""

import importlib.util
import logging
from datetime import UTC, datetime

from palletflow import deployment
from palletflow.airflow import order_store
from palletflow.discovery import PACKAGE, network_part
from palletflow.documents.storage import open_storage

PART = "housekeeping"

log = logging.getLogger(__name__)


def tidy_networks() -> dict[str, dict[str, int]]:
    """Deletes what has been kept long enough: network to what to how many.

    Raises FileFault, StorageUnavailable, DatabaseUnavailable.
    """
    deleted: dict[str, dict[str, int]] = {}
    with order_store.connect() as conn:
        for network in deployment.load().networks:
            if importlib.util.find_spec(f"{PACKAGE}.{network}.{PART}") is None:
                continue
            deleted[network] = network_part(network, PART).tidy(conn, open_storage(), datetime.now(UTC))
            log.info(
                "%s: %s", network, ", ".join(f"{count} {what} deleted" for what, count in deleted[network].items())
            )
    return deleted
