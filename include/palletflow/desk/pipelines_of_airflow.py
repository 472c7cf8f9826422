"""Airflow's own records of its pipelines, read in its web server."""

import threading
import time
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from airflow.api.common.trigger_dag import trigger_dag
from airflow.models import DagModel, DagRun
from airflow.utils.session import create_session
from airflow.utils.types import DagRunTriggeredByType
from sqlalchemy import and_, func, select

from palletflow.desk.pipelines import CannotStart, Pipeline

# Every open page asks again each minute, and one page several times.
GOOD_FOR_S = 5
# Older runs say nothing about how things stand, and looking for them would read the history of every run.
RECENT = timedelta(days=3)
# Of every pipeline of ours; an Airflow may run others beside them.
OWNER = "palletflow"


class AirflowPipelines:
    """See palletflow.desk.pipelines.Pipelines. Safe to be asked by many threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._read: Mapping[str, Pipeline] = {}
        self._read_at = -GOOD_FOR_S * 1.0

    def listed(self) -> Mapping[str, Pipeline]:
        """Every pipeline by its DAG id, as of a few seconds ago."""
        with self._lock:
            if time.monotonic() - self._read_at > GOOD_FOR_S:
                self._read = _listed(datetime.now(UTC) - RECENT)
                self._read_at = time.monotonic()
            return self._read

    def trigger(self, dag_id: str, conf: Mapping[str, Any], by: str) -> str:
        """As Airflow's own trigger form does; its history names who it was. Raises CannotStart."""
        with create_session() as session:
            found = session.execute(
                select(DagModel.is_paused, DagModel.has_import_errors).where(
                    DagModel.dag_id == dag_id, ~DagModel.is_stale
                )
            ).one_or_none()
            if found is None:
                raise CannotStart(f"Airflow has no pipeline {dag_id}.")
            if found.has_import_errors:
                raise CannotStart(f"Airflow cannot read the pipeline {dag_id}; its list of DAGs says why.")
            if found.is_paused:
                raise CannotStart(f"The pipeline {dag_id} is paused, so nothing would start; unpause it in Airflow.")
            try:
                run = trigger_dag(
                    dag_id,
                    triggered_by=DagRunTriggeredByType.UI,
                    triggering_user_name=by,
                    conf=dict(conf),
                    session=session,
                )
            except ValueError as error:  # a parameter that the DAG does not take
                # Its first line says what is wrong, the others repeat the schema.
                reason = str(error).partition("\n")[0]
                raise CannotStart(f"The pipeline {dag_id} does not take this: {reason}") from None
            assert run is not None
            return str(run.run_id)


def _listed(since: datetime) -> dict[str, Pipeline]:
    newest = (
        select(DagRun.dag_id, func.max(DagRun.run_after).label("run_after"))
        .where(DagRun.run_after >= since)
        .group_by(DagRun.dag_id)
        .subquery()
    )
    rows = (
        select(
            DagModel.dag_id,
            DagModel.is_paused,
            DagModel.next_dagrun_create_after,
            DagRun.state,
            func.coalesce(DagRun.start_date, DagRun.queued_at).label("began_at"),
        )
        .outerjoin(newest, newest.c.dag_id == DagModel.dag_id)
        .outerjoin(DagRun, and_(DagRun.dag_id == newest.c.dag_id, DagRun.run_after == newest.c.run_after))
        .where(~DagModel.is_stale, DagModel.owners.contains(OWNER))
    )
    with create_session() as session:
        return {
            row.dag_id: Pipeline(
                row.dag_id,
                bool(row.is_paused),
                None if row.is_paused else row.next_dagrun_create_after,
                str(row.state or ""),
                row.began_at,
            )
            for row in session.execute(rows)
        }
