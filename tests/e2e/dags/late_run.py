"""A run that misses its deadline, and one that fails long before it."""

import time
from datetime import timedelta

from airflow.sdk import DAG, task
from airflow.sdk.exceptions import AirflowFailException

from palletflow.airflow.defaults import dag_settings

with DAG("late_run", schedule=None, doc_md=__doc__, tags=["import"], **dag_settings(deadline=timedelta(seconds=5))):

    @task
    def take_long() -> None:
        time.sleep(60)  # longer than a busy scheduler may take to look at deadlines

    take_long()


with DAG("failed_run", schedule=None, doc_md=__doc__, tags=["import"], **dag_settings(deadline=timedelta(hours=1))):

    @task
    def fail() -> None:
        raise AirflowFailException("on purpose")

    fail()
