"""The task that imports files: what it takes from the deployment file and from a person."""

import json
from datetime import UTC, datetime
from types import SimpleNamespace

import pytest
import yaml
from airflow.sdk import DAG, CronTriggerTimetable
from airflow.sdk.exceptions import AirflowSkipException
from psycopg.conninfo import conninfo_to_dict

from palletflow import deployment
from palletflow.airflow.files import FOLDER, SFTP, FilesOperator
from palletflow.intake.file_drops import NoSuchFile

CONTENT = (
    "orderReference,customerCode,collectionDate,deliveryName,deliveryStreetAddress,deliveryTown,deliveryPostcode,"
    "deliveryPhoneNumber,palletType,numberOfPallets,weight\n"
    "SO-1,ACME,13/07/2026,Receiver Ltd,2 High Street,Leeds,LS1 1AA,01632 960001,F,2,850\n"
)
BEGAN = datetime(2026, 7, 13, 9, 30, tzinfo=UTC)


@pytest.fixture
def house(tmp_path, monkeypatch, dsn):
    """A deployment whose watched folder is tmp_path/files/palletforce, and the order store's connection."""
    parts = conninfo_to_dict(dsn)
    names = {"host": "host", "port": "port", "login": "user", "password": "password", "schema": "dbname"}
    connection = {name: parts[part] for name, part in names.items()}
    monkeypatch.setenv("AIRFLOW_CONN_ORDER_STORE", json.dumps({"conn_type": "postgres", **connection}))
    monkeypatch.setenv("PALLETFLOW_FILES", str(tmp_path / "files"))
    shipped = deployment.SCHEMA.parents[1] / "deployment.yaml"
    monkeypatch.setenv("PALLETFLOW_DEPLOYMENT", str(shipped))
    return tmp_path / "files" / "palletforce"


def run(place, **params):
    task = FilesOperator(task_id=f"import_from_{place}", network="palletforce", place=place)
    dag = DAG("palletforce_files", schedule=CronTriggerTimetable("*/5 * * * *", timezone="UTC"))
    dag_run = SimpleNamespace(dag_id=dag.dag_id, run_id="manual__1", run_type="manual", start_date=BEGAN)
    return task.execute({"params": {"path": None, "kind": None, **params}, "dag": dag, "dag_run": dag_run})


@pytest.mark.rule("PF-8.1-9")
def test_the_watched_folder_is_made_looked_into_and_told_of(house, fetch, monkeypatch):
    monkeypatch.setattr("palletflow.intake.file_drops.SETTLED_S", 0.0)
    assert run(FOLDER) == {}
    (house / "orders.csv").write_text(CONTENT)
    (house / "empty.csv").write_text("")
    assert run(FOLDER) == {"DONE": 1, "REJECTED": 1}
    assert fetch("SELECT run, party FROM inbound_batches") == [("palletforce_files manual__1", "orders.csv")]
    kept = fetch("SELECT network, stream, party, next_due_at FROM poll_runs WHERE succeeded_at > %s", BEGAN)
    assert kept == [("palletforce", "files", "folder", BEGAN.replace(minute=35))]


def test_a_person_names_a_file_and_its_kind(house):
    run(FOLDER)
    (house / "orders.csv").write_text(CONTENT)
    with pytest.raises(AirflowSkipException):
        run(SFTP, path="orders.csv")
    with pytest.raises(NoSuchFile):
        run(FOLDER, path="none.csv")
    assert run(FOLDER, path="orders.csv", kind="manifest") == {"REJECTED": 1}
    assert run(FOLDER, path="rejected/orders.csv", kind="orders") == {"DONE": 1}


def test_a_place_that_the_deployment_does_not_have_is_skipped(house, tmp_path, monkeypatch):
    with pytest.raises(AirflowSkipException, match=r"files\.sftp"):
        run(SFTP)
    content = yaml.safe_load(deployment.path().read_text())
    del content["networks"]["palletforce"]["files"]
    (tmp_path / "deployment.yaml").write_text(yaml.safe_dump(content))
    monkeypatch.setenv("PALLETFLOW_DEPLOYMENT", str(tmp_path / "deployment.yaml"))
    with pytest.raises(AirflowSkipException, match=r"files\.folder"):
        run(FOLDER)


def test_without_a_folder_for_files_they_lie_where_the_deployment_file_does(tmp_path, monkeypatch):
    monkeypatch.delenv("PALLETFLOW_FILES", raising=False)
    shipped = deployment.SCHEMA.parents[1] / "deployment.yaml"
    copy = tmp_path / "deployment.yaml"
    copy.write_text(shipped.read_text())
    assert deployment.load(copy).network("palletforce").folder == tmp_path / "palletforce"
