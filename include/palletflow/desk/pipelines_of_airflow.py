"""Airflow's own records of its pipelines, read in its web server."""

from collections.abc import Mapping
from typing import Any

from palletflow.desk.pipelines import Pipeline


class AirflowPipelines:
    """See palletflow.desk.pipelines.Pipelines."""

    def listed(self) -> Mapping[str, Pipeline]:
        raise NotImplementedError

    def trigger(self, dag_id: str, conf: Mapping[str, Any], by: str) -> str:
        raise NotImplementedError
