"""The simulated networks of the sandbox, found by looking into palletflow.networks.

A network takes part by having a module `simulator.app` with `create_app()`, an ASGI application. If it also has a
module `sandbox` with `sandbox_connections(base_url)`, the Airflow connections that returns lead to its simulator. The
names in its SERVERS are those of servers that the application can run besides, such as one for files: both functions
then take a port for each by its name, and create_app the address to listen on as `bind`.
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


def servers(network: str) -> tuple[str, ...]:
    """Names of what a network's simulator serves besides its HTTP address."""
    return getattr(network_part(network, "sandbox"), "SERVERS", ()) if _has(network, "sandbox") else ()


def connections(network: str, base_url: str, server_ports: Mapping[str, int]) -> Mapping[str, str]:
    """Connection id to connection as JSON, as Airflow reads them from AIRFLOW_CONN_<ID>."""
    if not _has(network, "sandbox"):
        return {}
    fields_of = network_part(network, "sandbox").sandbox_connections(base_url, **server_ports)
    return {name: json.dumps(fields) for name, fields in fields_of.items()}


def serve(network: str, host: str, port: int, server_ports: Mapping[str, int]) -> None:
    """Runs one simulator until it is told to end."""
    besides = {"bind": host, **server_ports} if server_ports else {}
    app = network_part(network, "simulator.app").create_app(**besides)
    uvicorn.run(app, host=host, port=port, log_level="info", timeout_graceful_shutdown=2)


def _has(network: str, module: str) -> bool:
    return importlib.util.find_spec(f"{PACKAGE}.{network}.{module}") is not None
