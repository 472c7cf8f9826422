"""Tells Airflow our connection types; the entry point of the installed package."""

import logging
from typing import Any

from palletflow.discovery import network_names, network_part

log = logging.getLogger(__name__)


def get_provider_info() -> dict[str, Any]:
    """Airflow's provider description: every network's connection type with its form fields and Test button."""
    connection_types: list[dict[str, Any]] = []
    for network in network_names():
        try:
            connection_types += network_part(network, "connection_types").CONNECTION_TYPES
        except Exception:  # one broken network must not take the others' forms away
            log.exception("The connection types of network '%s' cannot be loaded", network)
    return {
        "package-name": "palletflow",
        "name": "Palletflow",
        "description": "Connects a haulier's orders with the UK pallet networks.",
        "connection-types": connection_types,
    }
