"""Airflow operators for Nexus: arguments in, counts out; the work is in poll.py, fetch.py and the handlers."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any, NamedTuple

from airflow.sdk import BaseOperator, Context

from palletflow import deployment
from palletflow.airflow import order_store, runs
from palletflow.airflow.connection_guard import guarded
from palletflow.airflow.work import DrainOperator, NetworkDrainOperator
from palletflow.deployment import Deployment
from palletflow.networks.nexus.hook import NexusHook, opened, optimizing, reaching
from palletflow.networks.nexus.work import (
    CANCEL,
    DISPATCH,
    DOCUMENT_FETCH,
    DOCUMENT_UPLOAD,
    ETA_EXPORT,
    LABEL,
    NETWORK,
    STATUS_EXPORT,
    Access,
    Reach,
)
from palletflow.store.connection import Connection
from palletflow.work.handling import Handler


class _Opened(NamedTuple):
    """What a task works with: the order store, a connection's way to Nexus, and the deployment file."""

    conn: Connection
    access: Access
    plan: Deployment


@contextmanager
def _opened(plan: Deployment, connection: str) -> Iterator[_Opened]:
    """Opens everything, unless the connection is flagged. Raises FileFault, Misconfigured, DatabaseUnavailable."""
    with (
        order_store.connect() as conn,
        guarded(conn, connection, NexusHook(connection).check),
        opened(plan, connection) as access,
    ):
        yield _Opened(conn, access, plan)


def _now() -> datetime:
    return datetime.now(UTC)


class NexusPollOperator(BaseOperator):
    """Reads what is new and what has changed through one Nexus connection; XCom gets the counts.

    A run with `from` and `to` among its parameters reads those days and leaves the watermark alone; any other run reads
    what is due.
    """

    template_fields: Sequence[str] = ("connection",)

    def __init__(self, *, connection: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.connection = connection

    def execute(self, context: Context) -> dict[str, int]:
        """Raises NetworkError, FileFault, DatabaseUnavailable; what was stored until then stays."""
        from palletflow.networks.nexus.poll import poll

        with _opened(deployment.load(), self.connection) as task:
            return poll(
                task.conn,
                task.access,
                task.plan,
                self.connection,
                asked=runs.asked_window(context),
                clock=_now,
                run=runs.name(context),
                actor=runs.actor(context),
                report=self.log.info,
                # A repeated try goes on where the one before was interrupted.
                begun=context["dag_run"].start_date,
                next_due_at=runs.next_due_at(context),
            )._asdict()


class NexusFetchOperator(BaseOperator):
    """Imports one consignment, its statuses and its documents now; XCom gets the counts of the import."""

    template_fields: Sequence[str] = ("depot", "consignment")

    def __init__(self, *, depot: str, consignment: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.depot, self.consignment = depot, consignment

    def execute(self, context: Context) -> dict[str, int]:
        """Raises NotFound when Nexus knows no such consignment of the depot; else as the poll."""
        from palletflow.networks.nexus.fetch import fetch_consignment

        plan = deployment.load()
        with _opened(plan, plan.depot_connection(NETWORK, self.depot.upper())) as task:
            counts = fetch_consignment(
                task.conn,
                task.access,
                task.plan,
                self.consignment,
                clock=_now,
                run=runs.name(context),
                actor=runs.actor(context),
            )
        self.log.info("Consignment %s: %s", self.consignment, counts.outcomes())
        return counts._asdict()


class NexusDrainOperator(NetworkDrainOperator):
    """Works off what calls Nexus through the connections of our depots."""

    network = NETWORK
    reaching = staticmethod(reaching)


class NexusDispatchOperator(NexusDrainOperator):
    """Works off dispatches, labels and cancellations; XCom gets {kind: {outcome: count}}."""

    # How many at once; calls keep to the budget of their connection besides.
    limits: Mapping[str, int] = {DISPATCH: 4, LABEL: 4, CANCEL: 2}

    def handlers_of(self, plan: Deployment, reach: Reach) -> Mapping[str, Handler]:
        from palletflow.documents.storage import open_storage
        from palletflow.networks.nexus.cancel import Canceller
        from palletflow.networks.nexus.dispatch import Dispatcher
        from palletflow.networks.nexus.labels import LabelFetcher

        return {
            DISPATCH: Dispatcher(plan, reach, _now),
            LABEL: LabelFetcher(plan, reach, open_storage(), _now),
            CANCEL: Canceller(plan, reach, _now),
        }


class NexusStatusExportOperator(NexusDrainOperator):
    """Tells Nexus what our people reported; XCom gets {kind: {outcome: count}}."""

    limits: Mapping[str, int] = {STATUS_EXPORT: 4}

    def handlers_of(self, plan: Deployment, reach: Reach) -> Mapping[str, Handler]:
        from palletflow.networks.nexus.status_export import StatusExport

        return {STATUS_EXPORT: StatusExport(plan, reach, _now)}


class NexusDocumentsOperator(NexusDrainOperator):
    """Sends our documents and looks for others'; XCom gets {kind: {outcome: count}}."""

    limits: Mapping[str, int] = {DOCUMENT_UPLOAD: 4, DOCUMENT_FETCH: 4}

    def handlers_of(self, plan: Deployment, reach: Reach) -> Mapping[str, Handler]:
        from palletflow.documents.storage import open_storage
        from palletflow.networks.nexus.document_fetch import Fetcher
        from palletflow.networks.nexus.document_upload import Uploader

        storage = open_storage()
        return {
            DOCUMENT_UPLOAD: Uploader(plan, reach, storage, _now),
            DOCUMENT_FETCH: Fetcher(plan, reach, storage, _now),
        }


class NexusEtaOperator(DrainOperator):
    """Tells Optimize when our deliveries are expected; XCom gets {kind: {outcome: count}}."""

    network = NETWORK
    # One at a time: a trip goes out in one call, and what the call has told is not told again.
    limits: Mapping[str, int] = {ETA_EXPORT: 1}

    @contextmanager
    def handlers(self, context: Context) -> Iterator[Mapping[str, Handler]]:
        """Raises FileFault, DatabaseUnavailable."""
        from palletflow.networks.nexus.etas import EtaExport

        plan = deployment.load()
        with optimizing() as optimize:
            yield {ETA_EXPORT: EtaExport(plan, optimize, _now)}
