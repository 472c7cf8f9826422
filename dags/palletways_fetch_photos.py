"""Looks for delivery photos of Palletways consignments now, whatever their status.

**What.** Each tracking ID is asked for once; new photos are attached to its order. The schedule of the searches after a
delivery stays as it is. The log says for each what became of it: stored, already known, none, or quarantined.

**By hand only.** Give 1 to 50 tracking IDs, with blanks or commas between them. The same one is not asked for again
within 30 seconds. A consignment's page of the order desk has a button for it, and *Needs attention* lists what is
missing.

**When it fails.** The task log says what, where and what to do. What was stored until then stays; trigger it again.
"""

from datetime import timedelta

from airflow.sdk import DAG, Param

from palletflow.airflow.defaults import dag_settings
from palletflow.networks.palletways.operators import PalletwaysFetchPhotosOperator

with DAG(
    "palletways_fetch_photos",
    schedule=None,
    doc_md=__doc__,
    tags=["palletways", "documents"],
    params={
        "tracking_ids": Param(
            type="string",
            minLength=1,
            maxLength=2000,
            title="Tracking IDs",
            description="1 to 50, with blanks or commas between them.",
        ),
    },
    **dag_settings(deadline=timedelta(minutes=25)),
):
    PalletwaysFetchPhotosOperator(task_id="fetch_photos", tracking_ids="{{ params.tracking_ids }}")
