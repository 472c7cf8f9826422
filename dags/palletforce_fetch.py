"""Fetches one Palletforce consignment by its tracking number into the order store, now.

**What.** The consignment as it stands in the network goes through the regular order import flow, like one of a pull.
Use it when somebody asks for a consignment that the last pull did not bring, or to see whether the network changed it.

**By hand only.** Give the tracking number and the depot of ours that takes part in it; the network shows a depot only
its own consignments. One that we hold has a button for it on its page of the order desk.

**When it fails.** The task log says whether the network does not know the number, refused the key, or did not answer.
Nothing is stored in any of these cases; trigger it again.
"""

from datetime import timedelta

from airflow.sdk import DAG, Param

from palletflow.airflow.defaults import dag_settings
from palletflow.networks.palletforce.operators import PalletforceFetchOperator

with DAG(
    "palletforce_fetch",
    schedule=None,
    doc_md=__doc__,
    tags=["palletforce", "import"],
    params={
        "tracking_number": Param(type="string", pattern=r"^\d{13}$", title="Tracking number", description="13 digits."),
        "depot": Param(
            type="string", pattern=r"^\d{3}$", title="Depot", description="Our depot that takes part in it, 3 digits."
        ),
    },
    **dag_settings(deadline=timedelta(minutes=15)),
):
    PalletforceFetchOperator(
        task_id="fetch_consignment", depot="{{ params.depot }}", tracking_number="{{ params.tracking_number }}"
    )
