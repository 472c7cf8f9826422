"""Drains two kinds of a network that is none; what the handlers did, and when, stands in the table work_done."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta

from airflow.sdk import DAG, Context

from palletflow.airflow.defaults import dag_settings
from palletflow.airflow.work import DrainOperator, work_schedule
from palletflow.store.connection import Connection
from palletflow.work.handling import Handler, Result, WorkItem

NETWORK, LIMITS = "nonet", {"note": 4, "refuse": 1}


def note(_: Connection, item: WorkItem) -> Result:
    """Notes when it was called."""
    return Result(lambda conn: conn.execute("INSERT INTO work_done (key) VALUES (%s)", (item.key,)))


def refuse(_: Connection, item: WorkItem) -> Result:
    return Result(parked=f"{item.key} is refused on purpose")


class NoteOperator(DrainOperator):
    network, limits, linger_s = NETWORK, LIMITS, 2.0

    @contextmanager
    def handlers(self, context: Context) -> Iterator[Mapping[str, Handler]]:
        yield {"note": note, "refuse": refuse}


with DAG(
    "work_queue",
    schedule=work_schedule("work_queue", NETWORK, list(LIMITS)),
    doc_md=__doc__,
    tags=["import"],
    **dag_settings(deadline=timedelta(minutes=20)),
):
    NoteOperator(task_id="drain")
