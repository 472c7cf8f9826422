"""Airflow operators for Palletways: arguments in, counts out; the work is in poll.py, fetch.py and the handlers."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any, NamedTuple

from airflow.sdk import BaseOperator, Context
from airflow.sdk.exceptions import AirflowSkipException

from palletflow import deployment
from palletflow.airflow import order_store, runs
from palletflow.airflow.connection_guard import guarded
from palletflow.airflow.notify import tell_alerts
from palletflow.airflow.work import DrainOperator, NetworkDrainOperator
from palletflow.deployment import Deployment
from palletflow.networks.palletways.hook import PalletwaysHook, opened, reaching
from palletflow.networks.palletways.work import (
    CANCEL,
    DISPATCH,
    LABEL,
    LOOK_UP,
    NETWORK,
    NOTES_OUT,
    PHOTO_BACKOFF,
    PHOTO_DOWNLOAD,
    PHOTO_UPLOAD,
    TRACKING_ID,
    Access,
    Reach,
)
from palletflow.store.connection import Connection
from palletflow.work.backoff import Backoff
from palletflow.work.handling import Handler


class _Opened(NamedTuple):
    """What a task works with: the order store, a depot's way to Palletways, and the deployment file."""

    conn: Connection
    access: Access
    plan: Deployment


def _now() -> datetime:
    return datetime.now(UTC)


class PalletwaysOperator(BaseOperator):
    """A task for one of our depots, whose code is the template field `depot`."""

    template_fields: Sequence[str] = ("depot",)

    def __init__(self, *, depot: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.depot = depot

    @contextmanager
    def opened(self) -> Iterator[_Opened]:
        """Opens everything, unless the connection is flagged. Raises FileFault, Misconfigured, DatabaseUnavailable."""
        plan = deployment.load()
        connection = plan.depot_connection(NETWORK, self.depot)
        with (
            order_store.connect() as conn,
            guarded(conn, connection, PalletwaysHook(connection).check),
            opened(plan, connection) as access,
        ):
            try:
                yield _Opened(conn, access, plan)
            finally:
                if not conn.closed:
                    tell_alerts(conn)


class PalletwaysPollOperator(PalletwaysOperator):
    """Reads notes and statuses through one depot's key; XCom gets the counts.

    A run with `from` and `to` among its parameters reads the notes of that time and leaves the watermark alone; any
    other run reads what is due.
    """

    def execute(self, context: Context) -> dict[str, int]:
        """Raises NetworkError, FileFault, DatabaseUnavailable; what was stored until then stays."""
        from palletflow.networks.palletways.poll import poll

        with self.opened() as task:
            return poll(
                task.conn,
                task.access,
                task.plan,
                self.depot,
                asked=runs.asked_window(context),
                clock=_now,
                run=runs.name(context),
                actor=runs.actor(context),
                report=self.log.info,
                next_due_at=runs.next_due_at(context),
            )._asdict()


class PalletwaysEnteredOperator(PalletwaysOperator):
    """Imports what customers entered themselves at one depot, today and yesterday; XCom gets the counts."""

    def execute(self, context: Context) -> dict[str, int]:
        """Raises NetworkError, FileFault, DatabaseUnavailable. Skips when the connection does not ask for it."""
        from palletflow.networks.palletways.entered import import_entered

        with self.opened() as task:
            entered = import_entered(
                task.conn,
                task.access,
                task.plan,
                self.depot,
                clock=_now,
                run=runs.name(context),
                actor=runs.actor(context),
                next_due_at=runs.next_due_at(context),
            )
            if not task.access.client.settings.import_cons_entered:
                raise AirflowSkipException(f"import_cons_entered is off in the connection of depot {self.depot}")
            return entered._asdict()


class PalletwaysFetchOperator(PalletwaysOperator):
    """Imports one consignment now; XCom gets the counts of the import."""

    template_fields: Sequence[str] = ("depot", "tracking_id")

    def __init__(self, *, tracking_id: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.tracking_id = tracking_id

    def execute(self, context: Context) -> dict[str, int]:
        """Raises NotFound when Palletways knows no such consignment; else as the poll."""
        from palletflow.networks.palletways.fetch import fetch_consignment

        with self.opened() as task:
            counts = fetch_consignment(
                task.conn,
                task.access,
                task.plan,
                self.tracking_id,
                clock=_now,
                run=runs.name(context),
                actor=runs.actor(context),
            )
        self.log.info("Consignment %s: %s", self.tracking_id, counts.outcomes())
        return counts._asdict()


class PalletwaysFetchPhotosOperator(BaseOperator):
    """Looks for photos of up to 50 consignments now; XCom gets what became of each tracking ID."""

    template_fields: Sequence[str] = ("tracking_ids",)

    def __init__(self, *, tracking_ids: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.tracking_ids = tracking_ids

    def execute(self, context: Context) -> dict[str, str]:
        """Raises FileFault, DatabaseUnavailable; what went wrong with one tracking ID stops no other."""
        from palletflow.documents.storage import open_storage
        from palletflow.networks.palletways.photo_download import fetch_now

        plan = deployment.load()
        asked = self.tracking_ids.replace(",", " ").split()
        with order_store.connect() as conn, reaching(plan) as reach:
            outcomes = fetch_now(conn, reach, plan, open_storage(), asked, clock=_now, actor=runs.actor(context))
        for tracking_id, outcome in outcomes.items():
            self.log.info("%s: %s", tracking_id, outcome)
        return outcomes


class PalletwaysDrainOperator(NetworkDrainOperator):
    """Works off what calls Palletways through the connections of our depots."""

    network = NETWORK
    reaching = staticmethod(reaching)


class PalletwaysDispatchOperator(PalletwaysDrainOperator):
    """Works off dispatches, tracking IDs, labels, look-ups and cancellations; XCom gets {kind: {outcome: count}}."""

    # How many at once; calls keep to the budget of all our keys besides.
    limits: Mapping[str, int] = {DISPATCH: 4, TRACKING_ID: 2, LABEL: 4, LOOK_UP: 4, CANCEL: 2}

    def handlers_of(self, plan: Deployment, reach: Reach) -> Mapping[str, Handler]:
        from palletflow.documents.storage import open_storage
        from palletflow.networks.palletways.cancel import Canceller
        from palletflow.networks.palletways.dispatch import Dispatcher
        from palletflow.networks.palletways.labels import LabelFetcher
        from palletflow.networks.palletways.look_up import LookUp
        from palletflow.networks.palletways.tracking_ids import TrackingIds

        return {
            DISPATCH: Dispatcher(plan, reach, _now),
            TRACKING_ID: TrackingIds(plan, reach, _now),
            LABEL: LabelFetcher(plan, reach, open_storage(), _now),
            LOOK_UP: LookUp(plan, reach, _now),
            CANCEL: Canceller(plan, reach, _now),
        }


class PalletwaysNotesOperator(PalletwaysDrainOperator):
    """Tells Palletways what our people reported; XCom gets {kind: {outcome: count}}."""

    limits: Mapping[str, int] = {NOTES_OUT: 4}

    def handlers_of(self, plan: Deployment, reach: Reach) -> Mapping[str, Handler]:
        from palletflow.networks.palletways.notes_out import NotesOut

        return {NOTES_OUT: NotesOut(plan, reach, _now)}


class PalletwaysPhotoDownloadOperator(PalletwaysDrainOperator):
    """Looks for photos of deliveries; XCom gets {kind: {outcome: count}}."""

    limits: Mapping[str, int] = {PHOTO_DOWNLOAD: 4}
    backoffs: Mapping[str, Backoff] = {PHOTO_DOWNLOAD: PHOTO_BACKOFF}

    def handlers_of(self, plan: Deployment, reach: Reach) -> Mapping[str, Handler]:
        from palletflow.documents.storage import open_storage
        from palletflow.networks.palletways.photo_download import PhotoDownload

        return {PHOTO_DOWNLOAD: PhotoDownload(plan, reach, open_storage(), _now)}


class PalletwaysPhotoUploadOperator(DrainOperator):
    """Sends photos of our deliveries; XCom gets {kind: {outcome: count}}."""

    network = NETWORK
    # Far servers are worth many at once; sessions keep to the limit of their connection.
    limits: Mapping[str, int] = {PHOTO_UPLOAD: 16}

    @contextmanager
    def handlers(self, context: Context) -> Iterator[Mapping[str, Handler]]:
        """Raises FileFault, DatabaseUnavailable."""
        from palletflow.documents.storage import open_storage
        from palletflow.networks.palletways.photo_upload import PhotoUpload
        from palletflow.networks.palletways.upload_hook import uploading

        plan = deployment.load()
        with reaching(plan) as reach, uploading(plan) as uploads:
            yield {PHOTO_UPLOAD: PhotoUpload(plan, reach, uploads, open_storage(), _now)}
