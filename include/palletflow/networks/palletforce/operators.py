"""Airflow operators for Palletforce: arguments in, counts out; the work is in pull.py."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from airflow.sdk import BaseOperator, Context

from palletflow import deployment
from palletflow.airflow import order_store, runs
from palletflow.airflow.connection_guard import guarded
from palletflow.networks.palletforce.client import PalletforceClient
from palletflow.networks.palletforce.hook import PalletforceHook
from palletflow.networks.palletforce.mapper import NETWORK, Mapper
from palletflow.networks.palletforce.pull import Pulled, pull_depot


class PalletforceImportOperator(BaseOperator):
    """Imports the consignments of one of our depots; XCom gets the counts by outcome.

    A backfill run, or a run with `from` and `to` among its parameters, reads that window and leaves the watermark
    alone; any other run reads what is due since the watermark.
    """

    template_fields: Sequence[str] = ("depot",)

    def __init__(self, *, depot: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.depot = depot

    def execute(self, context: Context) -> dict[str, int]:
        """Raises NetworkError, FileFault, DatabaseUnavailable; palletflow.airflow.retries knows which to retry."""
        plan = deployment.load()
        hook = PalletforceHook(plan.network(NETWORK).depots[self.depot])
        with order_store.connect() as conn, guarded(conn, hook.palletforce_conn_id, self.check):
            settings = hook.settings()
            mapper = Mapper(plan, settings.local_time, settings.import_unaccepted)
            with PalletforceClient(settings, mapper.template.aliases) as client:
                counts = pull_depot(
                    conn,
                    client,
                    mapper,
                    plan,
                    self.depot,
                    asked=runs.asked_window(context),
                    clock=lambda: datetime.now(UTC),
                    run=runs.name(context),
                    actor=runs.actor(context),
                    report=self.report,
                )
        return counts._asdict()

    def check(self) -> None:
        """Asks the network something without effect. Raises NetworkError."""
        with PalletforceHook(deployment.load().network(NETWORK).depots[self.depot]).get_conn() as client:
            client.check()

    def report(self, pulled: Pulled) -> None:
        """One line a window, and one a kind of warning."""
        self.log.info(pulled.line())
        for warning, count in sorted(pulled.warnings.items()):
            self.log.warning("%s (%d records)", warning, count)
