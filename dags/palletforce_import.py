"""Imports the consignments of our Palletforce depots into the order store.

**What.** Every 30 minutes each depot of the deployment file is asked for the consignments that changed since its
watermark, less an overlap of 15 minutes. They go through the regular order import flow: good records become orders,
bad ones are quarantined with their reason, and unchanged ones are left alone. After an outage the watermark makes the
next run read everything that was missed.

**By hand.** Trigger it with *from* and *to*, or run `airflow backfill create`, to read a window once more; the
watermark stays. Without them a manual run reads what is due, like a scheduled one.

**When it fails.** A failed depot does not stop the others. Its task log ends with what, where and what to do. A refused
access key flags the connection: runs skip that depot until the connection is corrected. Quarantined records are
corrected and replayed under *Needs attention* of the order desk.
"""

from datetime import timedelta

from airflow.sdk import DAG, CronDataIntervalTimetable, task
from airflow.sdk.exceptions import AirflowSkipException

from palletflow.airflow.defaults import dag_settings
from palletflow.airflow.runs import WINDOW_PARAMS
from palletflow.networks.palletforce.operators import PalletforceImportOperator

with DAG(
    "palletforce_import",
    schedule=CronDataIntervalTimetable("*/30 * * * *", timezone="UTC"),
    doc_md=__doc__,
    tags=["palletforce", "import", "first-run"],
    params=WINDOW_PARAMS,
    **dag_settings(deadline=timedelta(minutes=25)),
):

    @task
    def depots() -> list[dict[str, str]]:
        """The depots to ask, from the deployment file."""
        from palletflow import deployment
        from palletflow.networks.palletforce.mapper import NETWORK

        ours = deployment.load().network(NETWORK)
        if not ours.switches.imports:
            raise AirflowSkipException("networks.palletforce.switches.import is off in the deployment file")
        return [{"depot": depot} for depot in ours.depots]

    PalletforceImportOperator.partial(task_id="import_depot", map_index_template="{{ task.depot }}").expand_kwargs(
        depots()
    )
