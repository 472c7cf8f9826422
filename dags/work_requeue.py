"""Releases parked work, after the cause was mended that it was parked for.

**What.** Work that a network refused, or that failed for hours, is parked with its reason so that it troubles nobody.
Mend the cause, then release it: the items come due at once, with a new count of attempts. Nothing is done twice by
that, as every item first finds out whether it was done. *Needs attention* of the order desk shows what is parked by its
cause, and *Try again* there does the same as this DAG.

**By hand only.** Leave the form empty to release everything parked. The same on the command line:
`palletflow work list` shows what waits or is parked, since when and why; `palletflow work requeue` releases it.

**When it fails.** The order store did not answer; nothing was released, trigger it again. An item that is parked again
says why in the list.
"""

from datetime import timedelta

from airflow.sdk import DAG, get_current_context, task

from palletflow.airflow.defaults import dag_settings
from palletflow.airflow.work import REQUEUE_PARAMS, requeue_parked

with DAG(
    "work_requeue",
    schedule=None,
    doc_md=__doc__,
    tags=["work"],
    params=REQUEUE_PARAMS,
    **dag_settings(deadline=timedelta(minutes=15)),
):

    @task
    def requeue() -> int:
        """How many items were released."""
        return requeue_parked(get_current_context())

    requeue()
