"""Turns an Airflow connection of the type 'palletways' into a client of the web services."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from functools import partial
from urllib.parse import quote

from airflow.sdk.log import mask_secret

from palletflow.airflow import order_store
from palletflow.airflow.checked_hook import CheckedHook, needed, usable
from palletflow.connection_settings import as_object
from palletflow.deployment import Deployment
from palletflow.intake.replay import Replayer
from palletflow.network_errors import Misconfigured, NetworkError
from palletflow.networks.palletways import replay, settings
from palletflow.networks.palletways.client import PalletwaysClient
from palletflow.networks.palletways.closed_methods import ClosedMethods, SharedClosedMethods
from palletflow.networks.palletways.mapper import Mapper
from palletflow.networks.palletways.settings import Settings
from palletflow.networks.palletways.work import NETWORK, Access, Reach
from palletflow.store.connection import Connection, DatabaseUnavailable, connect
from palletflow.work.flagged import require_unflagged
from palletflow.work.minute_budget import MinuteBudget


class PalletwaysHook(CheckedHook):
    """The web services of Palletways through one Airflow connection (contract 1.1)."""

    conn_name_attr = "palletways_conn_id"
    default_conn_name = "palletways_default"
    conn_type = "palletways"
    hook_name = "Palletways (web services)"
    works = "Palletways answers and accepts the API key."

    def __init__(self, palletways_conn_id: str = default_conn_name) -> None:
        super().__init__()
        self.palletways_conn_id = palletways_conn_id

    def settings(self) -> Settings:
        """The connection, checked; no log of Airflow shows its key from now on, encoded or not [PW-1.1-13].

        Raises Misconfigured, AirflowNotFoundException.
        """
        found = self.get_connection(self.palletways_conn_id)
        extra = as_object(self.palletways_conn_id, found.extra)
        checked = settings.parse(self.palletways_conn_id, found.login, found.password, extra)
        for form in (checked.key, quote(checked.key, safe="")):
            mask_secret(form)
        return checked

    def get_conn(self) -> PalletwaysClient:
        """A client that asks anew which methods are open. Its calls count as all others do.

        Raises Misconfigured, AirflowNotFoundException.
        """
        return _client(self.settings(), ClosedMethods(_now), patient=False)

    def test_connection(self) -> tuple[bool, str]:
        """See CheckedHook; says also when the key belongs to another depot [PW-2.1-2]."""
        try:
            with self.get_conn() as client:
                other = client.check()
        except (NetworkError, DatabaseUnavailable) as error:
            return False, str(error)
        return True, f"{self.works} But {other}." if other else self.works


def replayer(plan: Deployment, depot: str) -> Replayer:
    """How records are replayed that came through a depot's connection. Raises FileFault, Misconfigured."""
    name = plan.depot_connection(NETWORK, depot)
    return replay.replayer(Mapper(plan, needed(name, PalletwaysHook(name).settings).tracking_id_pattern))


@contextmanager
def opened(plan: Deployment, connection: str) -> Iterator[Access]:
    """One connection's way to Palletways for the poll, whose client waits out pauses.

    Raises FileFault, Misconfigured, AirflowNotFoundException.
    """
    checked = PalletwaysHook(connection).settings()
    with _client(checked, _shared(checked), patient=True) as client:
        yield Access(client, Mapper(plan, checked.tracking_id_pattern))


@contextmanager
def reaching(plan: Deployment) -> Iterator[Reach]:
    """Opens every depot's way to Palletways for handlers of work items, whose threads cannot ask Airflow.

    Depots with the same connection share its client. No client waits out a pause: the queue does. A connection that is
    wrong stops only its own depots. Raises FileFault.
    """
    accesses: dict[str, Access] = {}
    wrong: dict[str, str] = {}
    with ExitStack() as stack:
        readers = {name: PalletwaysHook(name).settings for name in plan.network(NETWORK).depots.values()}
        for name, checked in usable(readers, wrong):
            client = stack.enter_context(_client(checked, _shared(checked), patient=False))
            accesses[name] = Access(client, Mapper(plan, checked.tracking_id_pattern))

        def reach(conn: Connection, depot: str) -> Access:
            name = plan.depot_connection(NETWORK, depot)
            if name in wrong:
                raise Misconfigured(name, "Settings", wrong[name])
            client = accesses[name].client
            require_unflagged(conn, name, lambda: _check(client))
            return accesses[name]

        yield reach


def _client(checked: Settings, closed: ClosedMethods, *, patient: bool) -> PalletwaysClient:
    budget = MinuteBudget(
        partial(connect, order_store.dsn()),
        checked.rate_group,
        checked.calls_per_minute,
        checked.background_calls_per_minute,
    )
    return PalletwaysClient(checked, budget=budget, closed=closed, patient=patient, clock=_now)


def _shared(checked: Settings) -> SharedClosedMethods:
    return SharedClosedMethods(partial(connect, order_store.dsn()), checked.connection, _now)


def _check(client: PalletwaysClient) -> None:
    client.check()


def _now() -> datetime:
    return datetime.now(UTC)
