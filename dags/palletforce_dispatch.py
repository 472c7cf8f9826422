"""Sends consignments to Palletforce and fetches what comes with them: routing, barcodes and labels.

**What.** A completed dispatch task is sent within about a second: every rule is checked first and all faults are told
together, then the consignment is registered exactly once. Routing, one label a pallet and our own labels follow as
separate steps; a failed label never sends a consignment again. A sending whose answer was lost is looked up after 60,
120 and 300 seconds, adopted when it is found, sent once more under the same transaction number when it is not, and then
left to a person: *Look it up now* and *Send again …* on the consignment's page.

**By hand.** A run starts by itself as soon as work is due, and every ten minutes in case that was missed; triggering it
does the same. It works off what is due and lingers for more.

**When it fails.** What cannot be sent fails alone and says why on its order; what the network does not take just now is
tried again with growing pauses and then parked with its reason. A refused access key flags the connection: its items
wait until a check passes. The run itself fails only when the order store is away; nothing is lost by that.
"""

from airflow.sdk import DAG

from palletflow.airflow.work import work_schedule, work_settings
from palletflow.networks.palletforce.operators import PalletforceDispatchOperator

NAME = "palletforce_dispatch"

with DAG(
    NAME,
    schedule=work_schedule(NAME, PalletforceDispatchOperator.network, list(PalletforceDispatchOperator.limits)),
    doc_md=__doc__,
    tags=["palletforce", "dispatch"],
    **work_settings(),
):
    PalletforceDispatchOperator(task_id="drain")
