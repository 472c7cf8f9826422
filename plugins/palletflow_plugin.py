"""The one Airflow plugin: mounts the order API into Airflow's own web server, below /palletflow.

Every Airflow process imports this file, tasks included, so it imports nothing of ours: the API is built where a web
server asks the plugin for its applications.
"""

from functools import cached_property
from typing import Any

from airflow.sdk.plugins_manager import AirflowPlugin


class PalletflowPlugin(AirflowPlugin):
    """Adds /palletflow/api/v1; see palletflow.desk.app."""

    name = "palletflow"

    @cached_property
    def fastapi_apps(self) -> list[dict[str, Any]]:
        from palletflow.airflow import order_store
        from palletflow.desk.access import admit
        from palletflow.desk.app import create_app

        app = create_app(admit, order_store.connect)
        return [{"name": "Palletflow order API", "url_prefix": "/palletflow", "app": app}]
