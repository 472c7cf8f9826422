"""Turns an Airflow connection of type 'palletforce' into a client."""

from collections.abc import Mapping

from airflow.sdk import BaseHook

from palletflow.deployment import Deployment
from palletflow.network_errors import NetworkError
from palletflow.networks.palletforce import settings
from palletflow.networks.palletforce.client import PalletforceClient
from palletflow.networks.palletforce.mapper import NETWORK, Mapper


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
            self.palletforce_conn_id, connection.host, connection.password, connection.extra_dejson or {}
        )

    def get_conn(self, aliases: Mapping[str, str] | None = None) -> PalletforceClient:
        """A client; `aliases` are the import template's other names of response fields."""
        return PalletforceClient(self.settings(), aliases or {})

    def test_connection(self) -> tuple[bool, str]:
        """Airflow's Test button: looks up a number that cannot exist, which changes nothing in the network."""
        try:
            with self.get_conn() as client:
                client.check()
        except NetworkError as error:
            return False, str(error)
        return True, "Palletforce answers and accepts the access key."


def translator(plan: Deployment, depot: str) -> Mapper:
    """The mapper for records that came through a depot's connection. Raises FileFault, Misconfigured."""
    settings = PalletforceHook(plan.network(NETWORK).depots[depot]).settings()
    return Mapper(plan, settings.local_time, settings.import_unaccepted)
