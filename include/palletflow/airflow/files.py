"""Imports CSV files from an Airflow run: what waits in a network's watched folder and SFTP drop."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

from airflow.sdk import BaseOperator, Context, Param
from airflow.sdk.exceptions import AirflowSkipException

from palletflow import deployment, syncs
from palletflow.airflow import order_store, runs
from palletflow.deployment import NetworkDeployment
from palletflow.discovery import network_part
from palletflow.intake.file_drops import Drop, Finished, FolderDrop, Importer
from palletflow.store import syncs as stored_syncs
from palletflow.store.files import PARTIAL, REJECTED

FOLDER, SFTP = "folder", "sftp"
FILE_PARAMS = {
    "path": Param(
        None,
        type=["null", "string"],
        title="File",
        description="Only this file: its path in the watched folder, e.g. orders.csv or rejected/orders.csv. "
        "Empty takes what waits in the folder and in the SFTP drop.",
    ),
    "kind": Param(
        None,
        type=["null", "string"],
        title="Kind",
        description="orders or manifest, for the file above; empty tells it from its headings.",
    ),
}


class FilesOperator(BaseOperator):
    """Imports what waits in one place of a network, `folder` or `sftp`; XCom gets how many files ended in each way.

    A run with `path` among its parameters imports that file of the folder and nothing else. Skips when the deployment
    file does not have the place.
    """

    template_fields: Sequence[str] = ("network", "place")

    def __init__(self, *, network: str, place: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.network, self.place = network, place

    def execute(self, context: Context) -> dict[str, int]:
        """Raises FileFault, NoSuchFile, Misconfigured, NotSent, DatabaseUnavailable."""
        plan = deployment.load()
        asked, kind = context["params"].get("path"), context["params"].get("kind")
        with order_store.connect() as conn, self._opened(plan.network(self.network), asked) as drop:
            importer = Importer(
                conn,
                self.network,
                network_part(self.network, "csv_files").kinds(plan),
                plan,
                clock=lambda: datetime.now(UTC),
                run=runs.name(context),
                actor=runs.actor(context),
            )
            if asked and isinstance(drop, FolderDrop):
                finished = importer.import_one(drop, drop.asked(asked), kind)
                self.report(finished)
                return {finished.outcome: 1}
            outcomes = importer.import_all(drop, self.report)
            if due_at := runs.next_due_at(context):
                stored_syncs.succeeded(
                    conn, self.network, syncs.FILES, self.place, at=datetime.now(UTC), next_due_at=due_at
                )
            return outcomes

    @contextmanager
    def _opened(self, ours: NetworkDeployment, asked: str | None) -> Iterator[Drop]:
        if self.place == SFTP:
            if ours.sftp is None:
                raise AirflowSkipException(f"networks.{self.network}.files.sftp is not in the deployment file")
            if asked:
                raise AirflowSkipException("The file asked for lies in the watched folder")
            from palletflow.airflow import sftp_drop  # half a second, which reading the DAG file must not pay

            with sftp_drop.opened(ours.sftp) as drop:
                yield drop
        elif ours.folder is None:
            raise AirflowSkipException(f"networks.{self.network}.files.folder is not in the deployment file")
        else:
            yield FolderDrop(ours.folder)

    def report(self, finished: Finished) -> None:
        """One line a file; a warning where a person has something to do."""
        log = self.log.warning if finished.outcome in (PARTIAL, REJECTED) else self.log.info
        log("%s", finished.line())
