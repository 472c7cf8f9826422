"""Turns an Airflow connection of type 'palletforce' into a client."""

import json
from typing import Any

from airflow.sdk import BaseHook

from palletflow import deployment
from palletflow.checked_yaml import FileFault
from palletflow.deployment import Deployment
from palletflow.network_errors import Misconfigured, NetworkError
from palletflow.networks.palletforce import settings
from palletflow.networks.palletforce.client import PalletforceClient
from palletflow.networks.palletforce.mapper import NETWORK, Mapper, preview


class PalletforceHook(BaseHook):
    """Palletforce through one Airflow connection (contract 1.1)."""

    conn_name_attr = "palletforce_conn_id"
    default_conn_name = "palletforce_default"
    conn_type = "palletforce"
    hook_name = "Palletforce"

    def __init__(self, palletforce_conn_id: str = default_conn_name) -> None:
        super().__init__()
        self.palletforce_conn_id = palletforce_conn_id

    def settings(self) -> settings.Settings:
        """The connection, checked. Raises Misconfigured, AirflowNotFoundException."""
        connection = self.get_connection(self.palletforce_conn_id)
        return settings.parse(
            self.palletforce_conn_id, connection.host, connection.password, self._extra(connection.extra)
        )

    def _extra(self, text: str | None) -> dict[str, Any]:
        # Connection.extra_dejson would give {} for what is no JSON, and the defaults would go unnoticed.
        try:
            extra = json.loads(text or "{}")
        except ValueError:
            extra = None
        if not isinstance(extra, dict):
            raise Misconfigured(self.palletforce_conn_id, "Settings", "Extra is not a JSON object")
        return extra

    def get_conn(self) -> PalletforceClient:
        """A client that knows the import template's other names of response fields.

        Raises Misconfigured, AirflowNotFoundException, and FileFault for deployment file and template.
        """
        checked = self.settings()
        return PalletforceClient(checked, preview(deployment.load()).template.aliases)

    def test_connection(self) -> tuple[bool, str]:
        """Airflow's Test button: looks up a number that cannot exist, which changes nothing in the network."""
        try:
            with self.get_conn() as client:
                client.check()
        except (NetworkError, FileFault) as error:
            return False, str(error)
        return True, "Palletforce answers and accepts the access key."


def translator(plan: Deployment, depot: str) -> Mapper:
    """The mapper for records that came through a depot's connection. Raises FileFault, Misconfigured."""
    settings = PalletforceHook(plan.network(NETWORK).depots[depot]).settings()
    return Mapper(plan, settings.local_time, settings.import_unaccepted)
