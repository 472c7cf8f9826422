"""Imports Palletways consignments that customers entered themselves, once a day for today and yesterday.

**What.** Each depot whose connection says `import_cons_entered` is asked which consignments were entered; new ones are
read whole and go through the regular order import flow. Consignments that arrive otherwise, by file or by the tracking
ID on an order, are known already and stay as they are.

**By hand.** Triggering it does the same now.

**When it fails.** A failed depot does not stop the others. Its task log ends with what, where and what to do. What
cannot become an order is quarantined; correct it and replay it under *Needs attention* of the order desk.
"""

from datetime import timedelta

from airflow.sdk import DAG, CronTriggerTimetable, task

from palletflow.airflow.defaults import dag_settings
from palletflow.networks.palletways.operators import PalletwaysEnteredOperator

with DAG(
    "palletways_entered",
    schedule=CronTriggerTimetable("30 19 * * *", timezone="UTC"),
    doc_md=__doc__,
    tags=["palletways", "import", "first-run"],
    **dag_settings(deadline=timedelta(minutes=60)),
):

    @task
    def depots() -> list[dict[str, str]]:
        """Our depots, from the deployment file."""
        from palletflow import deployment
        from palletflow.networks.palletways.work import NETWORK

        return [{"depot": depot} for depot in deployment.load().network(NETWORK).depots]

    PalletwaysEnteredOperator.partial(task_id="import_depot", map_index_template="{{ task.depot }}").expand_kwargs(
        depots()
    )
