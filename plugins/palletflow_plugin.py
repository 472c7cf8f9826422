"""The one Airflow plugin: mounts the order desk and the order API into Airflow's own web server, below /palletflow.

Every Airflow process imports this file, tasks included, so it imports nothing of ours: the applications are built where
a web server asks the plugin for them.
"""

from functools import cached_property
from typing import Any, ClassVar

from airflow.sdk.plugins_manager import AirflowPlugin


class PalletflowPlugin(AirflowPlugin):
    """Adds the pages /palletflow/desk, those for customers /palletflow/track, and the order API /palletflow/api/v1."""

    name = "palletflow"
    external_views: ClassVar[list[dict[str, Any]]] = [
        {
            "name": "Order desk",
            "href": "/palletflow/desk/",
            "destination": "nav",
            "url_route": "order-desk",
            "icon": "/palletflow/desk/static/pallet.svg",
            "icon_dark_mode": "/palletflow/desk/static/pallet-light.svg",
            "nav_top_level": True,
        }
    ]

    @cached_property
    def fastapi_apps(self) -> list[dict[str, Any]]:
        from palletflow.airflow import house_health, order_store
        from palletflow.desk.access import admit, signing_key
        from palletflow.desk.app import create_app
        from palletflow.desk.health import WithHealth
        from palletflow.desk.pages.app import create_pages
        from palletflow.desk.pipelines_of_airflow import AirflowPipelines
        from palletflow.desk.track import create_track

        desk = create_pages(admit, order_store.connect, signing_key(), AirflowPipelines())
        # The first whose prefix fits is asked, so the shorter one comes last.
        return [
            {"name": "Palletflow order desk", "url_prefix": "/palletflow/desk", "app": desk},
            {
                "name": "Palletflow customer view",
                "url_prefix": "/palletflow/track",
                "app": create_track(order_store.connect),
            },
            {
                "name": "Palletflow order API and health",
                "url_prefix": "/palletflow",
                "app": WithHealth(
                    create_app(admit, order_store.connect), order_store.connect, house_health.health_in_database
                ),
            },
        ]
