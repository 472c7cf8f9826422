"""A run that misses its deadline, and one that misses it after it has failed."""

import time
from datetime import timedelta

from airflow.sdk import DAG, task
from airflow.sdk.exceptions import AirflowFailException

from palletflow.airflow.defaults import dag_settings

for dag_id in ("late_run", "failed_run"):
    with DAG(dag_id, schedule=None, doc_md=__doc__, tags=["import"], **dag_settings(deadline=timedelta(seconds=5))):

        @task
        def take_long(fails: bool) -> None:
            """Ends long after the deadline, or fails before it."""
            if fails:
                raise AirflowFailException("on purpose")
            time.sleep(20)

        take_long(dag_id == "failed_run")
