"""Reads notes and statuses of Palletways consignments: where everything is, and what has just been delivered.

**What.** Every 5 minutes each depot's key is asked for the notes that were added; every consignment of ours that one of
them names is asked for its status. Those without a note are asked in turn: near their delivery every 15 minutes, else
every 4 hours. A completed delivery starts the search for its photos. Signatory and moment of a delivery come from the
notes.

**By hand.** Trigger it with *from* and *to* to read the notes of that time once more; the watermark stays. Without them
a manual run reads what is due, like a scheduled one. The cron text in PALLETFLOW_PALLETWAYS_POLL polls at other times.

**When it fails.** A failed depot does not stop the others. Its task log ends with what, where and what to do. A refused
key flags the connection: runs skip it until it is corrected. Palletways bans an address that calls more than 100 times
a minute; after a suspected ban nobody calls for 16 minutes. Nothing is lost by it: the next run goes on.
"""

from datetime import timedelta

from airflow.sdk import DAG, task
from airflow.sdk.exceptions import AirflowSkipException

from palletflow.airflow.defaults import dag_settings, polled
from palletflow.airflow.runs import WINDOW_PARAMS
from palletflow.networks.palletways.operators import PalletwaysPollOperator

with DAG(
    "palletways_poll",
    schedule=polled("PALLETFLOW_PALLETWAYS_POLL", "*/5 * * * *"),
    doc_md=__doc__,
    tags=["palletways", "statuses", "first-run"],
    params=WINDOW_PARAMS,
    **dag_settings(deadline=timedelta(minutes=25)),
):

    @task
    def depots() -> list[dict[str, str]]:
        """Our depots, from the deployment file."""
        from palletflow import deployment
        from palletflow.networks.palletways.work import NETWORK

        ours = deployment.load().network(NETWORK)
        if not ours.switches.imports:
            raise AirflowSkipException("networks.palletways.switches.import is off in the deployment file")
        return [{"depot": depot} for depot in ours.depots]

    PalletwaysPollOperator.partial(task_id="poll_depot", map_index_template="{{ task.depot }}").expand_kwargs(depots())
