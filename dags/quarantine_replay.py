"""Replays quarantined records through the regular order import flow, after their cause was mended.

**What.** A record that could not become an order waits in quarantine with its raw form, the failing field and the
reason. Mend the cause (a missing customer in the deployment file, a template path), then replay. *Needs attention* of
the order desk shows the records by cause, corrects and replays them; *Replay all* of a large group runs this DAG.

**By hand only.** Leave the form empty to replay everything that waits. The same on the command line:
`palletflow quarantine list`, `show`, `correct`, `replay`.

**When it fails.** Records that are still wrong stay in quarantine with their new reason; that is no failure. A failed
run names the file or connection to mend; nothing is lost, trigger it again.
"""

from datetime import timedelta

from airflow.sdk import DAG, get_current_context, task

from palletflow.airflow.defaults import dag_settings
from palletflow.airflow.quarantine import REPLAY_PARAMS, replay_quarantine

with DAG(
    "quarantine_replay",
    schedule=None,
    doc_md=__doc__,
    tags=["quarantine"],
    params=REPLAY_PARAMS,
    **dag_settings(deadline=timedelta(minutes=15)),
):

    @task
    def replay() -> dict[str, int]:
        """Counts by outcome."""
        return replay_quarantine(get_current_context())

    replay()
