"""Whether one of Airflow's components lives, as Airflow's page says: by its heartbeat in the database.

A component can hang and still run: the scheduler does, for one, when Postgres crashes while its tasks run.
"""

import requests

ASK_SECONDS = 5.0
WELL = "healthy"


def is_well(page: str, component: str) -> bool | None:
    """`component`: as Airflow's health names it, e.g. dag_processor. None when page or database do not answer."""
    try:
        # A proxy of the environment has no part in talking to this machine.
        with requests.Session() as session:
            session.trust_env = False
            told = session.get(f"{page}/api/v2/monitor/health", timeout=ASK_SECONDS).json()
            if told["metadatabase"]["status"] != WELL:
                return None
            return bool(told[component]["status"] == WELL)
    except (requests.RequestException, ValueError, KeyError):
        return None
