"""Exchanges signatures, PODs and photos of deliveries with Nexus, both ways.

**What.** Where one of our depots delivers, its documents are sent to Nexus after the delivery, each once and under a
number of its own. Where another depot delivers for us, its documents are looked for from the delivery on: at once,
after 5, 15, 30 and 60 minutes, then every six hours for two weeks, until signature and POD are there. What came from
Nexus is never sent back to it, and the same content is kept once.

**By hand.** A run starts by itself as soon as there is something to do; triggering it does the same. The DAG
*nexus_fetch* looks for one consignment's documents now, and so does a button on its page. *Needs attention* of the
order desk and `palletflow missing-pods` list deliveries without a POD.

**When it fails.** A document that Nexus does not take, or one of its that is no picture and no PDF, is kept with the
reason and stops no other. While Nexus does not answer, items are tried again with growing pauses. A refused login flags
the connection: its items wait until a check passes.
"""

from airflow.sdk import DAG

from palletflow.airflow.work import work_schedule, work_settings
from palletflow.networks.nexus.operators import NexusDocumentsOperator

NAME = "nexus_documents"

with DAG(
    NAME,
    schedule=work_schedule(NAME, NexusDocumentsOperator.network, list(NexusDocumentsOperator.limits)),
    doc_md=__doc__,
    tags=["nexus", "documents"],
    **work_settings(),
):
    NexusDocumentsOperator(task_id="drain")
