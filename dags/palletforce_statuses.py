"""Reads statuses from Palletforce: where each consignment is, and how its delivery ended.

**What.** Every 30 minutes each depot of the deployment file asks for the statuses of its consignments, until all
pallets are delivered and two weeks longer. A status is kept with its pallet's barcode; only some move a stop, which
depends on our role, and only when every pallet of the consignment has them. What we told the network ourselves is known
again and has no effect. A barcode that the network changed is taken over, and its labels are marked stale.

**By hand.** Trigger it with a *tracking number* to ask for one consignment now; without one it asks for all.

**When it fails.** A failed depot does not stop the others, and a consignment that is not answered for stops no other;
what was read until then is stored, and the next run goes on with those that waited longest. A refused access key flags
the connection: runs skip that depot until the connection is corrected.
"""

from datetime import timedelta

from airflow.sdk import DAG, CronDataIntervalTimetable, Param, task
from airflow.sdk.exceptions import AirflowSkipException

from palletflow.airflow.defaults import dag_settings
from palletflow.networks.palletforce.operators import PalletforceStatusesOperator

with DAG(
    "palletforce_statuses",
    schedule=CronDataIntervalTimetable("*/30 * * * *", timezone="UTC"),
    doc_md=__doc__,
    tags=["palletforce", "statuses"],
    params={
        "tracking_number": Param(
            "", type="string", pattern=r"^(\d{13})?$", title="Tracking number", description="13 digits; empty for all."
        ),
    },
    **dag_settings(deadline=timedelta(minutes=25)),
):

    @task
    def depots() -> list[dict[str, str]]:
        """The depots to ask as, from the deployment file."""
        from palletflow import deployment
        from palletflow.networks.palletforce.mapper import NETWORK

        ours = deployment.load().network(NETWORK)
        if not ours.switches.status_import:
            raise AirflowSkipException("networks.palletforce.switches.status_import is off in the deployment file")
        return [{"depot": depot} for depot in ours.depots]

    PalletforceStatusesOperator.partial(
        task_id="read_statuses",
        tracking_number="{{ params.tracking_number }}",
        map_index_template="{{ task.depot }}",
    ).expand_kwargs(depots())
