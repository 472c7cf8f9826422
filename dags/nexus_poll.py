"""Reads orders and statuses of Pall-Ex and Fortec from Nexus: what is new, what has changed, where everything is.

**What.** Every 3 minutes each Nexus connection of the deployment file is asked for the consignments that were created,
manifested or delivered lately. New ones go through the regular order import flow; of those we hold, only what has
changed is read whole, with its scan history, which moves stops as our role in it says. Consignments that are open and
stand in none of these lists are read in turn. What cannot become an order is quarantined and stops nobody.

**By hand.** Trigger it with *from* and *to* to read a window of days once more; the watermark stays. Without them a
manual run reads what is due, like a scheduled one. The cron text in PALLETFLOW_NEXUS_POLL polls at other times.

**When it fails.** A failed connection does not stop the others. Its task log ends with what, where and what to do. A
refused login flags the connection: runs skip it until it is corrected. A run that is cut short loses nothing; the next
one goes on.
"""

from datetime import timedelta

from airflow.sdk import DAG, task
from airflow.sdk.exceptions import AirflowSkipException

from palletflow.airflow.defaults import dag_settings, polled
from palletflow.airflow.runs import WINDOW_PARAMS
from palletflow.networks.nexus.operators import NexusPollOperator

with DAG(
    "nexus_poll",
    schedule=polled("PALLETFLOW_NEXUS_POLL", "*/3 * * * *"),
    doc_md=__doc__,
    tags=["nexus", "import", "statuses", "first-run"],
    params=WINDOW_PARAMS,
    **dag_settings(deadline=timedelta(minutes=25)),
):

    @task
    def connections() -> list[dict[str, str]]:
        """The connections to ask through, from the deployment file."""
        from palletflow import deployment
        from palletflow.networks.nexus.work import NETWORK

        ours = deployment.load().network(NETWORK)
        if not ours.switches.imports:
            raise AirflowSkipException("networks.nexus.switches.import is off in the deployment file")
        return [{"connection": connection} for connection in dict.fromkeys(ours.depots.values())]

    NexusPollOperator.partial(task_id="poll_connection", map_index_template="{{ task.connection }}").expand_kwargs(
        connections()
    )
