"""Tells Palletways what our people report, as notes on its consignments.

**What.** Stops reached and completed and pallets scanned become notes, for the events that the template's `notes` names
with the group and type Palletways gave you. Shipped, it names none, and nothing is sent. No note goes out twice.

**By hand.** A run starts by itself as soon as there is something to do; triggering it does the same.

**When it fails.** A note that Palletways refuses is kept with its reason and stops no other. While Palletways does not
answer, items are tried again with growing pauses. A refused key flags the connection: its items wait until a check
passes.
"""

from airflow.sdk import DAG

from palletflow.airflow.work import work_schedule, work_settings
from palletflow.networks.palletways.operators import PalletwaysNotesOperator

NAME = "palletways_notes"

with DAG(
    NAME,
    schedule=work_schedule(NAME, PalletwaysNotesOperator.network, list(PalletwaysNotesOperator.limits)),
    doc_md=__doc__,
    tags=["palletways", "statuses"],
    **work_settings(),
):
    PalletwaysNotesOperator(task_id="drain")
