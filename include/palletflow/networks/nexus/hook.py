"""Turns Airflow connections of the types 'nexus' and 'optimize' into clients."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from functools import partial

from airflow.sdk.exceptions import AirflowNotFoundException

from palletflow import deployment
from palletflow.airflow import order_store
from palletflow.airflow.checked_hook import CheckedHook, usable
from palletflow.connection_settings import as_object
from palletflow.deployment import Deployment
from palletflow.intake.replay import Replayer
from palletflow.network_errors import Misconfigured
from palletflow.networks.nexus import replay, settings
from palletflow.networks.nexus.client import NexusClient
from palletflow.networks.nexus.exchange import MOST_IN_FLIGHT
from palletflow.networks.nexus.lookups import Lookups
from palletflow.networks.nexus.mapper import Mapper
from palletflow.networks.nexus.optimize import OptimizeClient
from palletflow.networks.nexus.settings import OptimizeSettings, Settings
from palletflow.networks.nexus.wire import read_wire
from palletflow.networks.nexus.work import NETWORK, Access, Reach
from palletflow.store.connection import Connection, connect
from palletflow.work.budget import CallBudget
from palletflow.work.flagged import require_unflagged

OPTIMIZE = "nexus_optimize"

# Gives Optimize's client, None when there is no connection to it. Raises Misconfigured.
Optimize = Callable[[], OptimizeClient | None]


class NexusHook(CheckedHook):
    """Nexus through one Airflow connection (contract 1.1)."""

    conn_name_attr = "nexus_conn_id"
    default_conn_name = "nexus_default"
    conn_type = "nexus"
    hook_name = "Pall-Ex and Fortec (Nexus)"
    works = "Nexus answers and accepts user name and password."

    def __init__(self, nexus_conn_id: str = default_conn_name) -> None:
        super().__init__()
        self.nexus_conn_id = nexus_conn_id

    def settings(self) -> Settings:
        """The connection, checked. Raises Misconfigured, AirflowNotFoundException."""
        found = self.get_connection(self.nexus_conn_id)
        extra = as_object(self.nexus_conn_id, found.extra)
        return settings.parse(self.nexus_conn_id, found.host, found.login, found.password, extra)

    def get_conn(self) -> NexusClient:
        """A client that knows what the template says of the wire.

        Raises Misconfigured, AirflowNotFoundException, and FileFault for deployment file and template.
        """
        return NexusClient(self.settings(), read_wire(Mapper(deployment.load()).template.sections))


class OptimizeHook(CheckedHook):
    """Optimize through its Airflow connection (contract 10)."""

    conn_name_attr = "optimize_conn_id"
    default_conn_name = OPTIMIZE
    conn_type = "optimize"
    hook_name = "Optimize (ETAs to Nexus)"
    works = "Optimize answers and accepts the API key."

    def __init__(self, optimize_conn_id: str = default_conn_name) -> None:
        super().__init__()
        self.optimize_conn_id = optimize_conn_id

    def settings(self) -> OptimizeSettings:
        """The connection, checked. Raises Misconfigured, AirflowNotFoundException."""
        found = self.get_connection(self.optimize_conn_id)
        extra = as_object(self.optimize_conn_id, found.extra)
        return settings.parse_optimize(self.optimize_conn_id, found.host, found.password, extra)

    def get_conn(self) -> OptimizeClient:
        """A client. Raises Misconfigured, AirflowNotFoundException."""
        return OptimizeClient(self.settings())


def replayer(plan: Deployment, party: str) -> Replayer:
    """How records are replayed, through whichever connection (`party`) they came. Raises FileFault."""
    return replay.replayer(Mapper(plan))


@contextmanager
def opened(plan: Deployment, connection: str) -> Iterator[Access]:
    """One connection's way to Nexus for the poll, whose client waits out pauses.

    Raises FileFault, Misconfigured, AirflowNotFoundException.
    """
    checked = NexusHook(connection).settings()
    with ExitStack() as stack:
        yield _access(stack, checked, Mapper(plan), patient=True)


@contextmanager
def reaching(plan: Deployment) -> Iterator[Reach]:
    """Opens every depot's way to Nexus for handlers of work items, whose threads cannot ask Airflow.

    Depots with the same connection share its client, and with it one login; all processes share one call budget a
    connection. No client waits out a pause: the queue does. A connection that is wrong stops only its own depots.
    """
    mapper = Mapper(plan)
    accesses: dict[str, Access] = {}
    wrong: dict[str, str] = {}
    with ExitStack() as stack:
        readers = {name: NexusHook(name).settings for name in plan.network(NETWORK).depots.values()}
        for name, checked in usable(readers, wrong):
            accesses[name] = _access(stack, checked, mapper, patient=False)

        def reach(conn: Connection, depot: str) -> Access:
            name = plan.depot_connection(NETWORK, depot)
            if name in wrong:
                raise Misconfigured(name, "Settings", wrong[name])
            require_unflagged(conn, name, accesses[name].client.check)
            return accesses[name]

        yield reach


@contextmanager
def optimizing() -> Iterator[Optimize]:
    """Opens Optimize for handlers of work items, if there is a connection to it (contract 10)."""
    client: OptimizeClient | None = None
    wrong: Misconfigured | None = None
    with ExitStack() as stack:
        try:
            checked = OptimizeHook().settings()
        except AirflowNotFoundException:
            pass
        except Misconfigured as error:
            wrong = error
        else:
            budget = stack.enter_context(_budget(checked.connection, 0.0))
            client = stack.enter_context(OptimizeClient(checked, budget=budget, patient=False))

        def optimize() -> OptimizeClient | None:
            if wrong:
                raise Misconfigured(wrong.connection, wrong.operation, wrong.detail)
            return client

        yield optimize


def _access(stack: ExitStack, checked: Settings, mapper: Mapper, *, patient: bool) -> Access:
    sections = mapper.template.sections
    budget = stack.enter_context(_budget(checked.connection, 1 / checked.rate_per_second))
    client = stack.enter_context(NexusClient(checked, read_wire(sections), budget=budget, patient=patient))
    return Access(client, Lookups(client, sections["ids"], lambda: datetime.now(UTC)), mapper)


def _budget(connection: str, spacing_s: float) -> CallBudget:
    """What all processes together may send through a connection."""
    return CallBudget(partial(connect, order_store.dsn()), connection, MOST_IN_FLIGHT, spacing_s=spacing_s)
