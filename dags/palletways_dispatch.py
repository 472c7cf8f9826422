"""Dispatches orders to Palletways when their dispatch task is completed, and fetches their labels.

**What.** The consignment is checked, validated by Palletways, then submitted and confirmed. Its tracking ID comes with
the answer or is asked for until the depot has accepted it; depots, hub and barcodes are read, and its labels attached.
An order that was given a tracking ID by hand is looked up. A cancelled one is deleted while it is unconfirmed.

**By hand.** A run starts by itself as soon as there is something to do; triggering it does the same. An order that was
refused says why; correct it and complete its task again.

**When it fails.** One order's failure stops no other. When an answer is lost, the consignment is looked for before
anything is sent again. While Palletways does not answer, items are tried again with growing pauses. A refused key flags
the connection: its items wait until a check passes.
"""

from airflow.sdk import DAG

from palletflow.airflow.work import work_schedule, work_settings
from palletflow.networks.palletways.operators import PalletwaysDispatchOperator

NAME = "palletways_dispatch"

with DAG(
    NAME,
    schedule=work_schedule(NAME, PalletwaysDispatchOperator.network, list(PalletwaysDispatchOperator.limits)),
    doc_md=__doc__,
    tags=["palletways", "dispatch"],
    **work_settings(),
):
    PalletwaysDispatchOperator(task_id="drain")
