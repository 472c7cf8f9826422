"""Turns an Airflow connection of type 'palletforce' into a client."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial

from palletflow import deployment
from palletflow.airflow import order_store
from palletflow.airflow.checked_hook import CheckedHook, needed, usable
from palletflow.connection_settings import as_object
from palletflow.deployment import Deployment
from palletflow.intake.replay import Replayer
from palletflow.network_errors import Misconfigured
from palletflow.networks.palletforce import replay, settings
from palletflow.networks.palletforce.client import PalletforceClient
from palletflow.networks.palletforce.mapper import NETWORK, Mapper, preview
from palletflow.networks.palletforce.work import Access, Reach
from palletflow.store.connection import Connection, connect
from palletflow.work.budget import CallBudget
from palletflow.work.flagged import require_unflagged


class PalletforceHook(CheckedHook):
    """Palletforce through one Airflow connection (contract 1.1)."""

    conn_name_attr = "palletforce_conn_id"
    default_conn_name = "palletforce_default"
    conn_type = "palletforce"
    hook_name = "Palletforce"
    works = "Palletforce answers and accepts the access key."

    def __init__(self, palletforce_conn_id: str = default_conn_name) -> None:
        super().__init__()
        self.palletforce_conn_id = palletforce_conn_id

    def settings(self, depot: str | None = None) -> settings.Settings:
        """The connection, checked, also for being that of `depot`. Raises Misconfigured, AirflowNotFoundException."""
        connection = self.get_connection(self.palletforce_conn_id)
        checked = settings.parse(
            self.palletforce_conn_id,
            connection.host,
            connection.password,
            as_object(self.palletforce_conn_id, connection.extra),
        )
        if depot and checked.depot_codes and depot not in checked.depot_codes:
            codes = ", ".join(checked.depot_codes)
            raise Misconfigured(
                self.palletforce_conn_id, "Settings", f"it is used for depot {depot}, but its depot codes are {codes}"
            )
        return checked

    def get_conn(self) -> PalletforceClient:
        """A client that knows the import template's other names of response fields.

        Raises Misconfigured, AirflowNotFoundException, and FileFault for deployment file and template.
        """
        checked = self.settings()
        return PalletforceClient(checked, preview(deployment.load()).template.aliases)


def replayer(plan: Deployment, depot: str) -> Replayer:
    """How records are replayed that came through a depot's connection. Raises FileFault, Misconfigured."""
    name = plan.depot_connection(NETWORK, depot)
    checked = needed(name, partial(PalletforceHook(name).settings, depot))
    return replay.replayer(Mapper(plan, checked.local_time, checked.import_unaccepted))


@contextmanager
def reaching(plan: Deployment) -> Iterator[Reach]:
    """Opens every depot's way to the network for handlers of work items, whose threads cannot ask Airflow.

    All processes share one call budget a connection, and no client waits out a pause: the queue does. A connection that
    is wrong stops only its own depot.
    """
    open_connection = partial(connect, order_store.dsn())
    accesses: dict[str, Access] = {}
    wrong: dict[str, str] = {}
    with ExitStack() as opened:
        depots = plan.network(NETWORK).depots
        readers = {depot: partial(PalletforceHook(name).settings, depot) for depot, name in depots.items()}
        for depot, checked in usable(readers, wrong):
            mapper = Mapper(plan, checked.local_time, checked.import_unaccepted)
            budget = opened.enter_context(CallBudget(open_connection, depots[depot], checked.max_in_flight))
            client = PalletforceClient(checked, mapper.template.aliases, budget=budget, patient=False)
            accesses[depot] = Access(opened.enter_context(client), mapper)

        def reach(conn: Connection, depot: str) -> Access:
            name = plan.depot_connection(NETWORK, depot)
            if depot in wrong:
                raise Misconfigured(name, "Settings", wrong[depot])
            require_unflagged(conn, name, accesses[depot].client.check)
            return accesses[depot]

        yield reach
