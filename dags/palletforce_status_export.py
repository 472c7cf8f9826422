"""Tells Palletforce what our own people report: collections, scans, deliveries.

**What.** A completed stop or a scan is sent within about a second as the status that our role obliges us to, one for
each pallet under its current barcode, with delivery order and total where they are mandatory. What the network has
taken is kept with it and never sent again; what misses something mandatory waits with a sentence that says what.

**By hand.** A run starts by itself as soon as there is something to tell, and every ten minutes in case that was
missed; triggering it does the same. *Needs attention* of the order desk and `palletflow compliance` list the
consignments that miss a mandatory status.

**When it fails.** What the network refuses, or what is incomplete, is parked with its reason and goes on once the
report is completed or the item is released. While the network does not answer, items are tried again with growing
pauses. A refused access key flags the connection: its items wait until a check passes. With the switch `status_export`
off, everything waits and nothing is lost.
"""

from airflow.sdk import DAG

from palletflow.airflow.work import work_schedule, work_settings
from palletflow.networks.palletforce.operators import PalletforceStatusExportOperator

NAME = "palletforce_status_export"

with DAG(
    NAME,
    schedule=work_schedule(NAME, PalletforceStatusExportOperator.network, list(PalletforceStatusExportOperator.limits)),
    doc_md=__doc__,
    tags=["palletforce", "statuses"],
    **work_settings(),
):
    PalletforceStatusExportOperator(task_id="drain")
