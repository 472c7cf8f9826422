"""What every DAG of ours has in common."""

import os
from datetime import datetime, timedelta
from typing import Any

from airflow.sdk import AsyncCallback, CronTriggerTimetable, DeadlineAlert, DeadlineReference
from airflow.sdk.timezone import utc

from palletflow.airflow.notify import FailureNotifier, late_run
from palletflow.airflow.retries import RETRIES, PalletflowRetries

# A fixed day before any data, so that no schedule waits for its first interval.
START = datetime(2026, 1, 1, tzinfo=utc)
TAGS = frozenset(
    {
        "palletforce",
        "nexus",
        "palletways",
        "import",
        "quarantine",
        "first-run",
        "dispatch",
        "work",
        "statuses",
        "documents",
        "etas",
    }
)


def polled(variable: str, cron: str) -> CronTriggerTimetable:
    """The schedule of a DAG that polls: the cron text in an environment variable, else this one; UTC."""
    return CronTriggerTimetable(os.environ.get(variable) or cron, timezone="UTC")


def dag_settings(deadline: timedelta) -> dict[str, Any]:
    """Keyword arguments for DAG(): owner, retries, failure notifier, and an alert when a run takes longer."""
    return {
        "start_date": START,
        "catchup": False,
        "max_active_runs": 1,
        "default_args": {
            "owner": "palletflow",
            "retries": RETRIES,
            "retry_policy": PalletflowRetries(),
            "retry_delay": timedelta(minutes=1),  # of a killed task, which never reaches the policy
            "execution_timeout": timedelta(minutes=20),
        },
        "on_failure_callback": FailureNotifier(),
        "deadline": DeadlineAlert(
            reference=DeadlineReference.DAGRUN_QUEUED_AT,
            # In seconds: with a timedelta Airflow 3.3.2 answers 500 when a task is cleared (apache/airflow#70368).
            interval=deadline.total_seconds(),
            callback=AsyncCallback(late_run),
        ),
        "render_template_as_native_obj": False,
    }
