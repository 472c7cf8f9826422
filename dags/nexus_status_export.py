"""Tells Nexus what our own people report: collected, at the depot, out for delivery, delivered.

**What.** A completed stop is sent within about a second as the status that our role obliges us to, once for each
consignment and stop, and not when Nexus has it already. Statuses are sent only through connections whose Extra says
`status_export`; what happens before that is kept, and sent once it is switched on if it is younger than 48 hours.

**By hand.** A run starts by itself as soon as there is something to tell, and every ten minutes in case that was
missed; triggering it does the same.

**When it fails.** What Nexus refuses is parked with its reason. While Nexus does not answer, items are tried again with
growing pauses; a status whose answer was lost is looked up before it is sent again. A refused login flags the
connection: its items wait until a check passes.
"""

from airflow.sdk import DAG

from palletflow.airflow.work import work_schedule, work_settings
from palletflow.networks.nexus.operators import NexusStatusExportOperator

NAME = "nexus_status_export"

with DAG(
    NAME,
    schedule=work_schedule(NAME, NexusStatusExportOperator.network, list(NexusStatusExportOperator.limits)),
    doc_md=__doc__,
    tags=["nexus", "statuses"],
    **work_settings(),
):
    NexusStatusExportOperator(task_id="drain")
