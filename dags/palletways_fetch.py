"""Fetches one Palletways consignment by its tracking ID into the order store, now.

**What.** The consignment as it stands in the network goes through the regular order import flow, like one from a file.

**By hand only.** Give the tracking ID and the depot of ours that takes part in it; a key shows a depot only what it
takes part in. One that we hold has a button for it on its page of the order desk. For photos use
*palletways_fetch_photos*.

**When it fails.** The task log says whether the network does not know the tracking ID, refused the key, or did not
answer. Nothing is stored in any of these cases; trigger it again.
"""

from datetime import timedelta

from airflow.sdk import DAG, Param

from palletflow.airflow.defaults import dag_settings
from palletflow.networks.palletways.operators import PalletwaysFetchOperator

with DAG(
    "palletways_fetch",
    schedule=None,
    doc_md=__doc__,
    tags=["palletways", "import"],
    params={
        "tracking_id": Param(
            type="string", pattern=r"^[A-Za-z0-9-]{1,20}$", title="Tracking ID", description="As Palletways gives it."
        ),
        "depot": Param(
            type="string", pattern=r"^[A-Za-z0-9]{1,8}$", title="Depot", description="Our depot that takes part in it."
        ),
    },
    **dag_settings(deadline=timedelta(minutes=15)),
):
    PalletwaysFetchOperator(
        task_id="fetch_consignment", depot="{{ params.depot }}", tracking_id="{{ params.tracking_id }}"
    )
