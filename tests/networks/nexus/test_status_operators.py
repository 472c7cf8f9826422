"""Our statuses to Nexus as Airflow runs them: connections, deployment file, counts."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace

import pytest
from tests.networks.nexus.tracked import Yard

from palletflow.networks.nexus import sandbox
from palletflow.networks.nexus.operators import NexusStatusExportOperator
from palletflow.store import connection_flags

PROJECT = Path(__file__).parents[3]
COLLECTED_AT = datetime.now(UTC).replace(microsecond=0) - timedelta(hours=1)


@pytest.fixture
def yard(conn, dsn, plan, nexus_sim, tmp_path, monkeypatch):
    """The connections that a deployment has, here of the shipped sandbox."""
    monkeypatch.setenv("PALLETFLOW_DEPLOYMENT", str(PROJECT / "include" / "deployment.yaml"))
    monkeypatch.setenv("AIRFLOW_CONN_ORDER_STORE", dsn)
    monkeypatch.setattr(NexusStatusExportOperator, "linger_s", 0.0)
    made = Yard(conn, dsn, plan, nexus_sim, tmp_path)
    yield made
    made.close()


def connect(yard, monkeypatch, **extra):
    """Sets the shipped connections; `extra` changes what they say, None takes it away."""
    for name, content in sandbox.sandbox_connections(yard.nexus.root).items():
        pace = {"rate_per_second": 1000} if content["conn_type"] == "nexus" else {}
        kept = {key: value for key, value in {**content["extra"], **pace, **extra}.items() if value is not None}
        monkeypatch.setenv(f"AIRFLOW_CONN_{name.upper()}", json.dumps({**content, "extra": kept}))


def drained():
    run = SimpleNamespace(
        dag_id="nexus_status_export", run_id="manual", run_type="manual", start_date=datetime.now(UTC),
        triggering_user_name="planner",
    )  # fmt: skip
    return NexusStatusExportOperator(task_id="drain").execute({"dag_run": run, "params": {}})


@pytest.mark.rule("NX-8-24", "NX-8-17")
def test_the_shipped_connections_tell_our_statuses(yard, monkeypatch):
    connect(yard, monkeypatch)
    one = yard.create("collecting")
    yard.report(one, "pickup", "completed", COLLECTED_AT)

    assert drained() == {"status_export": {"done": 1}}
    assert yard.at_nexus(one) == ["Collected"]


@pytest.mark.rule("NX-8-24")
def test_a_connection_that_does_not_say_so_tells_nothing(yard, monkeypatch):
    connect(yard, monkeypatch, status_export=None)
    one = yard.create("collecting")
    yard.report(one, "pickup", "completed", COLLECTED_AT)

    assert drained() == {"status_export": {"again": 1}}
    assert yard.at_nexus(one) == []


def test_a_refused_login_flags_the_connection(yard, monkeypatch):
    connect(yard, monkeypatch)
    one = yard.create("collecting")
    yard.report(one, "pickup", "completed", COLLECTED_AT)
    yard.nexus.fault("http_401", path="account/login", times=None)

    assert drained() == {"status_export": {"postponed": 1}}
    assert connection_flags.reason(yard.conn, "nexus_pgd302")
