"""How Airflow says it is, to a process beside it: which of its components live, and how its runs have ended.

Needs Airflow's settings, and for what only its database knows, its database: it is no task and may look there.
"""

import logging
import threading
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, TypeVar

import requests
from airflow.api.common.airflow_health import HEALTHY, get_airflow_health
from airflow.configuration import conf
from airflow.models.dagrun import DagRun
from airflow.utils.session import create_session
from airflow.utils.state import DagRunState

T = TypeVar("T")
API, DATABASE = "api-server", "database"
# As Airflow's health names its components, and as people do.
COMPONENTS = {
    "metadatabase": DATABASE,
    "scheduler": "scheduler",
    "dag_processor": "dag-processor",
    "triggerer": "triggerer",
}
ASK_S = 10.0
PATIENCE_S = 30.0
RUNNING = (DagRunState.QUEUED, DagRunState.RUNNING)

log = logging.getLogger(__name__)


class NoAnswer(Exception):
    """Airflow's database does not answer."""


def airflow_health() -> dict[str, bool]:
    """Whether each component is well. The page is asked, as everybody asks it; if it does not answer, the database.

    Only page and database are named when the database does not answer, as then nobody knows of the others.
    """
    told = _asked()
    return {API: told is not None, **(_read(told) if told is not None else health_in_database())}


def health_in_database() -> dict[str, bool]:
    """The same as the database has it, of all but the page: for the page itself."""
    try:
        return _read(_patiently(get_airflow_health))
    except NoAnswer:
        return {DATABASE: False}


def _read(told: Mapping[str, Any]) -> dict[str, bool]:
    found = {ours: told.get(theirs, {}).get("status") == HEALTHY for theirs, ours in COMPONENTS.items()}
    return found if found[DATABASE] else {DATABASE: False}


def still_fails(dag_id: str, _since: datetime) -> bool:
    """Whether the run of a DAG that ended last failed. Raises NoAnswer."""

    def asked(runs: Any) -> bool:
        last = runs.filter(DagRun.end_date.is_not(None)).order_by(DagRun.end_date.desc()).first()
        return bool(last and last.state == DagRunState.FAILED)

    return _of_runs(dag_id, asked)


def still_late(dag_id: str, since: datetime) -> bool:
    """Whether a run of a DAG is under way that was asked for before then. Raises NoAnswer."""

    def asked(runs: Any) -> bool:
        return runs.filter(DagRun.state.in_(RUNNING), DagRun.queued_at < since).first() is not None

    return _of_runs(dag_id, asked)


def _asked() -> Mapping[str, Any] | None:
    try:
        # A proxy of the environment has no part in talking within the house.
        with requests.Session() as session:
            session.trust_env = False
            answer = session.get(f"{_page()}/api/v2/monitor/health", timeout=ASK_S)
            answer.raise_for_status()
            told: Mapping[str, Any] = answer.json()
            return told
    except (requests.RequestException, ValueError) as error:
        log.warning("Airflow's page does not answer: %s", type(error).__name__)
        return None


def _page() -> str:
    """The address of the API server for processes of the house."""
    given = conf.get("core", "execution_api_server_url", fallback="") or ""
    if given:
        return str(given).rstrip("/").removesuffix("/execution")
    return f"http://localhost:{conf.getint('api', 'port')}"


def _of_runs(dag_id: str, ask: Callable[[Any], bool]) -> bool:
    def asked() -> bool:
        with create_session() as session:
            return ask(session.query(DagRun).filter(DagRun.dag_id == dag_id))

    return _patiently(asked)


def _patiently(ask: Callable[[], T]) -> T:
    """What Airflow's database answers, within PATIENCE_S: a machine that vanished without a word says nothing for
    minutes. Raises NoAnswer."""
    answers: list[T] = []

    def run() -> None:
        try:
            answers.append(ask())
        except Exception as error:  # whatever the driver raises
            log.warning("Airflow's database does not answer: %s", type(error).__name__)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(PATIENCE_S)
    if not answers:
        raise NoAnswer
    return answers[0]
