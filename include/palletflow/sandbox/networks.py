"""The simulated networks of the sandbox, found by looking into palletflow.networks.

A network takes part by having a module `simulator` with `create_app()`, an ASGI application. If it also has a module
`sandbox` with `sandbox_connections(base_url)`, the Airflow connections that returns lead to its simulator.
"""

import importlib.util
import json
from collections.abc import Mapping

import uvicorn

from palletflow.discovery import PACKAGE, network_names, network_part

HOST = "127.0.0.1"


def simulated_networks() -> list[str]:
    """Names of the networks that have a simulator, in alphabetical order."""
    return [name for name in network_names() if _has(name, "simulator")]


def connections(network: str, base_url: str) -> Mapping[str, str]:
    """Connection id to connection as JSON, as Airflow reads them from AIRFLOW_CONN_<ID>."""
    if not _has(network, "sandbox"):
        return {}
    fields_of = network_part(network, "sandbox").sandbox_connections(base_url)
    return {name: json.dumps(fields) for name, fields in fields_of.items()}


def serve(network: str, port: int) -> None:
    """Runs one simulator until it is told to end."""
    app = network_part(network, "simulator").create_app()
    uvicorn.run(app, host=HOST, port=port, log_level="info", timeout_graceful_shutdown=2)


def _has(network: str, module: str) -> bool:
    return importlib.util.find_spec(f"{PACKAGE}.{network}.{module}") is not None
