"""The Nexus connections of the sandbox: one for each user of the simulator, and Optimize."""

from typing import Any

from palletflow.networks.nexus.simulator import OPTIMIZE_KEY, PASSWORD, USERS


def sandbox_connections(base_url: str) -> dict[str, dict[str, Any]]:
    """Airflow connections by id, as fields of Airflow's JSON connections.

    base_url: where the simulator answers, such as http://127.0.0.1:8090.
    """
    users = {
        f"nexus_{depot.lower()}": {
            "conn_type": "nexus",
            "host": f"{base_url}/v1/",
            "login": user,
            "password": PASSWORD,
            # The simulator speaks plain HTTP on the loopback interface, and takes statuses (section 8.3).
            "extra": {"allow_http": True, "status_export": True},
        }
        for user, depot in USERS.items()
    }
    optimize = {
        "conn_type": "optimize",
        "host": f"{base_url}/optimize",
        "password": OPTIMIZE_KEY,
        "extra": {"allow_http": True},
    }
    return {**users, "nexus_optimize": optimize}
