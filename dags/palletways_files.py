"""Imports CSV files of Palletways consignments in the network's submission format (PSIEF).

**What.** Every 5 minutes it looks into the watched folder and the SFTP drop of the deployment file. The template's
`psief.columns` says what stands in which column. Good rows become orders, bad ones are quarantined with file, row,
column and reason. A file ends in `done` or `rejected` beside where it lay, with a report beside it. The same file is
read once, and the same tracking IDs again change nothing.

**By hand.** Trigger it with *File*, a path in the watched folder, to import that file now; it may lie in `rejected`.

**When it fails.** The task log names the file, folder or connection and what to do. A file that is only wrong is no
failure: its report says why, and its quarantined rows are corrected and replayed under *Needs attention* of the order
desk. A failed file stays where it is and is tried again; nothing of it is in the order store.
"""

from datetime import timedelta

from airflow.sdk import DAG, CronTriggerTimetable

from palletflow.airflow.defaults import dag_settings
from palletflow.airflow.files import FILE_PARAMS, FOLDER, SFTP, FilesOperator

with DAG(
    "palletways_files",
    schedule=CronTriggerTimetable("*/5 * * * *", timezone="UTC"),
    doc_md=__doc__,
    tags=["palletways", "import"],
    params=FILE_PARAMS,
    **dag_settings(deadline=timedelta(minutes=25)),
):
    for place in (FOLDER, SFTP):
        FilesOperator(task_id=f"import_from_{place}", network="palletways", place=place)
