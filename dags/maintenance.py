"""Deletes once a day what is not kept for ever.

**What.** Files that a network gave for photos and that are none are kept in quarantine for 30 days after they came
last, then they and their bytes go. Orders, documents and history stay.

**By hand.** Triggering it does the same now. `palletflow quarantine files` lists what is there.

**When it fails.** The order store or the object storage is away, and the task log says which; what was not deleted is
deleted by the next run.
"""

from datetime import timedelta

from airflow.sdk import DAG, CronTriggerTimetable, task

from palletflow.airflow.defaults import dag_settings
from palletflow.airflow.maintenance import tidy_networks

with DAG(
    "maintenance",
    schedule=CronTriggerTimetable("20 3 * * *", timezone="UTC"),
    doc_md=__doc__,
    tags=["work"],
    **dag_settings(deadline=timedelta(minutes=30)),
):

    @task
    def tidy() -> dict[str, dict[str, int]]:
        """What was deleted, by network."""
        return tidy_networks()

    tidy()
