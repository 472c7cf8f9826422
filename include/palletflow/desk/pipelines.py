"""What the desk asks Airflow for: when pipelines run, and that one runs now."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, NamedTuple, Protocol


class CannotStart(LookupError):
    """A run cannot be started; the text tells a person why and what to do."""


class Pipeline(NamedTuple):
    """A DAG. `next_run_at`: None when it has no schedule or is paused. `last_state`: of its newest run of the last
    days, "" when there is none; `last_run_at`: when that began."""

    dag_id: str
    paused: bool
    next_run_at: datetime | None
    last_state: str
    last_run_at: datetime | None


class Pipelines(Protocol):
    """Airflow, as far as the desk needs it."""

    def listed(self) -> Mapping[str, Pipeline]:
        """Every pipeline by its DAG id."""

    def trigger(self, dag_id: str, conf: Mapping[str, Any], by: str) -> str:
        """Starts a run for a person; its run id. Raises CannotStart."""
