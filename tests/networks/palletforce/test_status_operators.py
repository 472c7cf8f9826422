"""Statuses to and fro as Airflow runs them: connections, deployment file, counts."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace

import pytest
from airflow.sdk import CronTriggerTimetable
from airflow.sdk.exceptions import AirflowSkipException

from palletflow.network_errors import AuthFailed
from palletflow.networks.palletforce.operators import PalletforceStatusesOperator, PalletforceStatusExportOperator
from palletflow.networks.palletforce.simulator import ACCESS_KEYS
from palletflow.store import connection_flags, movements

PROJECT = Path(__file__).parents[3]
NOW = datetime(2026, 7, 13, 9, 30, tzinfo=UTC)


@pytest.fixture
def deployed(simulator, dsn, monkeypatch):
    """The connections that a deployment has."""
    monkeypatch.setenv("PALLETFLOW_DEPLOYMENT", str(PROJECT / "include" / "deployment.yaml"))
    monkeypatch.setenv("AIRFLOW_CONN_ORDER_STORE", dsn)
    for depot, key in ACCESS_KEYS.items():
        content = {
            "conn_type": "palletforce",
            "host": simulator.base_url,
            "password": key,
            "extra": {"allow_http": True},
        }
        monkeypatch.setenv(f"AIRFLOW_CONN_PALLETFORCE_{depot}", json.dumps(content))
    simulator.control("switches", progress="off")


@pytest.fixture
def context():
    run = SimpleNamespace(
        dag_id="palletforce_statuses", run_id="manual", run_type="manual", start_date=datetime.now(UTC),
        triggering_user_name="planner",
    )  # fmt: skip
    dag = SimpleNamespace(timetable=CronTriggerTimetable("*/30 * * * *", timezone="UTC"))
    return {"dag_run": run, "dag": dag, "params": {}}


@pytest.fixture
def collected(deployed, simulator, pull, fetch):
    """A consignment that depot 901 collects: its number and id."""
    fields = {"requestingDepot": "905", "collectingDepot": "901", "deliveryDepot": "906"}
    kinds = [{"palletType": "F", "numberofPallets": "2"}]
    [number] = simulator.create(
        depot="901", role="requested", at=(NOW - timedelta(hours=2)).isoformat(), fields={**fields, "pallets": kinds}
    )
    pull("901", asked=(NOW - timedelta(hours=24), NOW))
    # The task's clock is the real one.
    [(consignment_id,)] = fetch("UPDATE consignments SET collection_date = current_date RETURNING id")
    return number, consignment_id


def statuses(**extra) -> PalletforceStatusesOperator:
    return PalletforceStatusesOperator(task_id="read_statuses", **{"depot": "901", **extra})


def test_a_run_reads_what_is_due_once(collected, simulator, context, fetch):
    simulator.control("events", trackingNumber=collected[0], eventCode="SCOT")

    assert statuses().execute(context)["events"] == 2
    assert statuses().execute(context)["consignments"] == 0  # a repeated try of the same run

    assert fetch("SELECT actor FROM activity WHERE kind = 'statuses read'") == [("planner",)]


def test_a_run_for_one_number_asks_as_the_depot_that_takes_part(collected, simulator, context):
    number, _ = collected
    simulator.control("events", trackingNumber=number, eventCode="SCOT")

    assert statuses(tracking_number=number).execute(context)["events"] == 2
    with pytest.raises(AirflowSkipException, match=f"{number} is asked for as 901"):
        statuses(depot="900", tracking_number=number).execute(context)
    with pytest.raises(AirflowSkipException, match="as no depot of ours"):
        statuses(tracking_number="9999999999999").execute(context)


def test_a_refused_key_flags_the_connection(collected, simulator, context, conn):
    simulator.fault("http_401", "DownloadTracking")

    with pytest.raises(AuthFailed):
        statuses().execute(context)

    assert connection_flags.reason(conn, "palletforce_901")


def test_a_drain_sends_our_reports(collected, simulator, context, conn, monkeypatch):
    monkeypatch.setattr(PalletforceStatusExportOperator, "linger_s", 0.0)
    with conn.transaction():
        movements.report_stop(conn, collected[1], stop="pickup", event="completed", at=NOW, actor="driver")

    counts = PalletforceStatusExportOperator(task_id="drain").execute(context)

    assert counts == {"status_export": {"done": 1}}
    [upload] = [request for request in simulator.journal() if request["operation"] == "UploadTracking"]
    assert [element["eventCode"] for element in upload["body"]["trackingData"]] == ["POC", "POC"]
