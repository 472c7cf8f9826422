"""Tells the consignees of Pall-Ex and Fortec when we shall be there, through Nexus's Optimize module.

**What.** When the ETAs of a delivery trip are told to the order API, they go out in one call a trip, and again when one
moves by more than a quarter of an hour or its stop changes trip. Only for deliveries of ours that have not begun.
Optimize is an extra with a key of its own: without the Airflow connection `nexus_optimize` nothing is sent; it is
looked for every half hour, until the delivery begins or its ETA is half a day past.

**By hand.** A run starts by itself as soon as there is something to tell; triggering it does the same.

**When it fails.** An ETA that Optimize refuses is kept with the reason; a refused key pauses this pipeline alone. While
Optimize does not answer, items are tried again with growing pauses; the last ETA told counts.
"""

from airflow.sdk import DAG

from palletflow.airflow.work import work_schedule, work_settings
from palletflow.networks.nexus.operators import NexusEtaOperator

NAME = "nexus_etas"

with DAG(
    NAME,
    schedule=work_schedule(NAME, NexusEtaOperator.network, list(NexusEtaOperator.limits)),
    doc_md=__doc__,
    tags=["nexus", "etas"],
    **work_settings(),
):
    NexusEtaOperator(task_id="drain")
