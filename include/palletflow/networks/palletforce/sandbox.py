"""The Palletforce connections of the sandbox: one for each depot the simulator has a key for."""

from typing import Any

from palletflow.networks.palletforce.simulator import ACCESS_KEYS


def sandbox_connections(base_url: str) -> dict[str, dict[str, Any]]:
    """Airflow connections by id, as fields of Airflow's JSON connections.

    base_url: where the simulator answers, such as http://127.0.0.1:8090.
    """
    return {
        f"palletforce_{depot}": {
            "conn_type": "palletforce",
            "host": f"{base_url}/api/ExternalScanning",
            "password": key,
            # The simulator speaks plain HTTP on the loopback interface.
            "extra": {"allow_http": True, "depot_codes": [depot]},
        }
        for depot, key in ACCESS_KEYS.items()
    }
