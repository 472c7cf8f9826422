"""Imports CSV files of Palletforce: customers' orders, and the delivery manifests of the network's portal.

**What.** Every 5 minutes it looks into the watched folder and the SFTP drop of the deployment file. The kind of a file
is told from its headings. Good rows become orders, bad ones are quarantined with file, row, column and reason. A file
ends in `done` or `rejected` beside where it lay, with a report beside it. The same file is read once, and the same rows
again change nothing. A file that somebody still writes is left for the next run.

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
    "palletforce_files",
    schedule=CronTriggerTimetable("*/5 * * * *", timezone="UTC"),
    doc_md=__doc__,
    tags=["palletforce", "import"],
    params=FILE_PARAMS,
    **dag_settings(deadline=timedelta(minutes=25)),
):
    for place in (FOLDER, SFTP):
        FilesOperator(task_id=f"import_from_{place}", network="palletforce", place=place)
