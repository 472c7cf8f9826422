"""Sends consignments to Pall-Ex and Fortec through Nexus, fetches their labels, and cancels them there.

**What.** A completed dispatch task is sent within about a second: every rule is checked first and all faults are told
together with what to do, then the consignment is created exactly once. The resource on the trip, PALLEX_OUT or
FORTEC_OUT, decides on the network. The label is fetched at once; a failed label never sends a consignment again. A
sending whose answer was lost is searched for, adopted when it is found, and sent again under the same number only when
no search finds it. A cancelled order is cancelled in Nexus until it is collected.

**By hand.** A run starts by itself as soon as work is due, and every ten minutes in case that was missed; triggering it
does the same.

**When it fails.** What cannot be sent fails alone and says why on its order; what Nexus does not take just now is tried
again with growing pauses and then parked with its reason. A refused login flags the connection: its items wait until a
check passes. The run itself fails only when the order store is away; nothing is lost by that.
"""

from airflow.sdk import DAG

from palletflow.airflow.work import work_schedule, work_settings
from palletflow.networks.nexus.operators import NexusDispatchOperator

NAME = "nexus_dispatch"

with DAG(
    NAME,
    schedule=work_schedule(NAME, NexusDispatchOperator.network, list(NexusDispatchOperator.limits)),
    doc_md=__doc__,
    tags=["nexus", "dispatch"],
    **work_settings(),
):
    NexusDispatchOperator(task_id="drain")
