"""Airflow operators for Palletforce: arguments in, counts out; the work is in pull.py, fetch.py and handlers.py."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import partial
from typing import Any, NamedTuple

from airflow.sdk import BaseOperator, Context
from airflow.sdk.exceptions import AirflowSkipException

from palletflow import deployment
from palletflow.airflow import order_store, runs
from palletflow.airflow.connection_guard import guarded
from palletflow.airflow.work import NetworkDrainOperator
from palletflow.deployment import Deployment
from palletflow.networks.palletforce.client import PalletforceClient
from palletflow.networks.palletforce.fetch import fetch_consignment
from palletflow.networks.palletforce.hook import PalletforceHook, reaching
from palletflow.networks.palletforce.mapper import NETWORK, Mapper
from palletflow.networks.palletforce.pull import Pulled, pull_depot
from palletflow.networks.palletforce.status_export import StatusExport
from palletflow.networks.palletforce.status_import import StatusImport
from palletflow.networks.palletforce.work import DISPATCH, NETWORK_LABELS, OWN_LABELS, ROUTING, STATUS_EXPORT, Reach
from palletflow.store import tracking
from palletflow.store.connection import Connection, connect
from palletflow.work.budget import CallBudget
from palletflow.work.handling import Handler


class _Opened(NamedTuple):
    """What a task works with: the order store, a client, the mapper and the deployment file."""

    conn: Connection
    client: PalletforceClient
    mapper: Mapper
    plan: Deployment


class PalletforceOperator(BaseOperator):
    """A task that asks Palletforce something as one of our depots, through that depot's connection."""

    template_fields: Sequence[str] = ("depot",)

    def __init__(self, *, depot: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.depot = depot

    @contextmanager
    def opened(self) -> Iterator[_Opened]:
        """Opens everything, unless the connection is flagged. Raises FileFault, Misconfigured, DatabaseUnavailable."""
        plan = deployment.load()
        connection = plan.depot_connection(NETWORK, self.depot)
        hook = PalletforceHook(connection)
        with order_store.connect() as conn, guarded(conn, connection, hook.check):
            settings = hook.settings(self.depot)
            mapper = Mapper(plan, settings.local_time, settings.import_unaccepted)
            open_connection = partial(connect, order_store.dsn())
            with (
                CallBudget(open_connection, connection, settings.max_in_flight) as budget,
                PalletforceClient(settings, mapper.template.aliases, budget=budget) as client,
            ):
                yield _Opened(conn, client, mapper, plan)


class PalletforceImportOperator(PalletforceOperator):
    """Imports the consignments of one of our depots; XCom gets the counts by outcome.

    A backfill run, or a run with `from` and `to` among its parameters, reads that window and leaves the watermark
    alone; any other run reads what is due since the watermark.
    """

    def execute(self, context: Context) -> dict[str, int]:
        """Raises NetworkError, FileFault, DatabaseUnavailable; palletflow.airflow.retries knows which to retry."""
        with self.opened() as opened:
            return pull_depot(
                *opened,
                self.depot,
                asked=runs.asked_window(context),
                clock=lambda: datetime.now(UTC),
                run=runs.name(context),
                actor=runs.actor(context),
                report=self.report,
                next_due_at=runs.next_due_at(context),
            )._asdict()

    def report(self, pulled: Pulled) -> None:
        """One line a window, and one a kind of warning."""
        self.log.info(pulled.line())
        for warning, count in sorted(pulled.warnings.items()):
            self.log.warning("%s (%d records)", warning, count)


class PalletforceFetchOperator(PalletforceOperator):
    """Imports one consignment by its tracking number; XCom gets the counts by outcome."""

    template_fields: Sequence[str] = ("depot", "tracking_number")

    def __init__(self, *, tracking_number: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.tracking_number = tracking_number

    def execute(self, context: Context) -> dict[str, int]:
        """Raises NotFound when the network does not know the number; else as the import."""
        with self.opened() as opened:
            counts = fetch_consignment(
                *opened,
                self.depot,
                self.tracking_number,
                now=datetime.now(UTC),
                run=runs.name(context),
                actor=runs.actor(context),
            )
        self.log.info("Consignment %s: %s", self.tracking_number, counts.outcomes())
        return counts._asdict()


class PalletforceStatusesOperator(PalletforceOperator):
    """Reads the statuses of one of our depots' consignments; XCom gets the counts.

    With a `tracking_number` it asks for that consignment alone, if it is this depot's turn to ask for it.
    """

    template_fields: Sequence[str] = ("depot", "tracking_number")

    def __init__(self, *, tracking_number: str = "", **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.tracking_number = tracking_number

    def execute(self, context: Context) -> dict[str, int]:
        """Raises NetworkError, FileFault, DatabaseUnavailable; what was stored until then stays."""
        with self.opened() as opened:
            ours = list(opened.plan.network(NETWORK).depots)
            importer = StatusImport(
                opened.conn, opened.client, opened.mapper, clock=lambda: datetime.now(UTC), actor=runs.actor(context)
            )
            if self.tracking_number:
                asker = tracking.asker(opened.conn, NETWORK, self.tracking_number, ours)
                if asker != self.depot:
                    raise AirflowSkipException(f"{self.tracking_number} is asked for as {asker or 'no depot of ours'}")
                counts = importer.one(self.tracking_number, self.depot)
            else:
                # A repeated try goes on where the one before was interrupted.
                began = context["dag_run"].start_date or datetime.now(UTC)
                counts = importer.poll(self.depot, ours, polled_before=began, next_due_at=runs.next_due_at(context))
        self.log.info("Depot %s: %s", self.depot, ", ".join(f"{n} {name}" for name, n in counts._asdict().items()))
        for warning, count in sorted(importer.warnings.items()):
            self.log.warning("%s (%d times)", warning, count)
        return counts._asdict()


class PalletforceDrainOperator(NetworkDrainOperator):
    """Works off what calls Palletforce through the connections of our depots."""

    network = NETWORK
    reaching = staticmethod(reaching)


class PalletforceStatusExportOperator(PalletforceDrainOperator):
    """Tells Palletforce what our people reported; XCom gets {kind: {outcome: count}}."""

    limits: Mapping[str, int] = {STATUS_EXPORT: 4}

    def handlers_of(self, plan: Deployment, reach: Reach) -> Mapping[str, Handler]:
        return {STATUS_EXPORT: StatusExport(plan, reach, lambda: datetime.now(UTC))}


class PalletforceDispatchOperator(PalletforceDrainOperator):
    """Works off dispatches, routing and labels; XCom gets {kind: {outcome: count}}."""

    # How many at once; calls keep to the budget of their connection besides.
    limits: Mapping[str, int] = {DISPATCH: 6, ROUTING: 4, NETWORK_LABELS: 6, OWN_LABELS: 2}

    def handlers_of(self, plan: Deployment, reach: Reach) -> Mapping[str, Handler]:
        # What draws labels takes a quarter of a second to import, which reading the DAG file must not pay.
        from palletflow.documents.storage import open_storage
        from palletflow.networks.palletforce.handlers import handlers

        return handlers(plan, reach, open_storage(), lambda: datetime.now(UTC))
