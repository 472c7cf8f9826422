"""Deletes once a day what is not kept for ever, and checks that nothing is lost.

**What.** Its tasks delete, after the days that `retention` in the deployment file says (0 keeps for ever): raw records
(180), the history of finished consignments (for ever), parked work (for ever), Airflow's own records of its runs and
its tasks' logs (90). What is open stays whatever its age: quarantine, and the newest record of a consignment that is
under way. Files that a network gave for photos and that are none go after 30 days. `storage` holds the object storage
against the order store: bytes that no row names are set aside and deleted a day later; documents whose bytes are
missing are listed, and shown under *Needs attention*. `idle_work` reports work whose lease has ended and that nobody
takes. Orders and documents stay for ever. docs/retention.md lists every table.

**By hand.** Triggering it does the same now. Each task can be run again, and goes on where it stopped.

**When it fails.** The order store or the object storage is away, and the task log says which; what was not deleted is
deleted by the next run. `airflow_records` needs the connection `airflow_metadata`, and is skipped without it.
"""

from datetime import timedelta

from airflow.sdk import DAG, CronTriggerTimetable, task

from palletflow.airflow import maintenance, own_records
from palletflow.airflow.defaults import dag_settings

with DAG(
    "maintenance",
    schedule=CronTriggerTimetable("20 3 * * *", timezone="UTC"),
    doc_md=__doc__,
    tags=["work"],
    max_active_tasks=1,  # they share one disk, and none is in a hurry
    **dag_settings(deadline=timedelta(hours=2)),
):
    task(task_id="tidy")(maintenance.tidy_networks)()
    task(task_id="raw_records")(maintenance.delete_raw_records)()
    task(task_id="history")(maintenance.delete_history)()
    task(task_id="parked_work")(maintenance.give_up_parked_work)()
    task(task_id="expired")(maintenance.delete_expired)()
    task(task_id="idle_work")(maintenance.report_idle_work)()
    task(task_id="storage")(maintenance.check_storage)()
    task(task_id="airflow_records")(own_records.clean_airflow)()
    task(task_id="airflow_logs")(own_records.delete_logs)()
