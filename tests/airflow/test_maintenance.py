"""Housekeeping as its DAG runs it."""

import os
import time
from datetime import UTC, datetime, timedelta

import pytest
import yaml
from airflow.sdk.exceptions import AirflowSkipException
from tests.conftest import PROJECT
from upath import UPath

from palletflow import cli
from palletflow.airflow import maintenance, own_records
from palletflow.documents.quarantine import Quarantine
from palletflow.documents.storage import Storage
from palletflow.store import quarantined_files, session_lock, stored_bytes, work_items
from palletflow.store.connection import connect
from palletflow.store.quarantined_files import QuarantinedFile

DAY_S = 86_400


@pytest.fixture(autouse=True)
def house(dsn, monkeypatch, tmp_path):
    """What the tasks find in their environment; gives what sets retention in the deployment file."""
    monkeypatch.setenv("AIRFLOW_CONN_ORDER_STORE", dsn)
    monkeypatch.setenv("PALLETFLOW_DOCUMENTS", str(tmp_path / "documents"))
    content = yaml.safe_load((PROJECT / "include" / "deployment.yaml").read_text())
    for network in content["networks"].values():
        network.pop("template", None)
    file = tmp_path / "deployment.yaml"

    def keep(**days):
        file.write_text(yaml.safe_dump({**content, "retention": days}))

    keep()
    monkeypatch.setenv("PALLETFLOW_DEPLOYMENT", str(file))
    return keep


@pytest.mark.rule("PW-5-33")
def test_files_that_came_a_month_ago_go_with_their_bytes_and_others_stay(conn, tmp_path, capsys):
    quarantine = Quarantine(Storage(UPath(tmp_path / "documents")))
    kept = {}
    for days in (31, 1):
        stored = quarantine.put(f"no photo, {days} days ago".encode())
        kept[days] = stored.sha256
        file = QuarantinedFile(
            "palletways", f"6000000000{days}", "malformed", "cut off", stored.sha256, stored.size, "podimages", "url"
        )
        quarantined_files.add(conn, file, datetime.now(UTC) - timedelta(days=days))

    assert maintenance.tidy_networks() == {"palletways": {"files in quarantine": 1}}
    assert maintenance.tidy_networks() == {"palletways": {"files in quarantine": 0}}

    assert cli.main(["quarantine", "files"]) == 0
    line, total = capsys.readouterr().out.splitlines()
    assert "palletways 60000000001" in line
    assert "malformed: cut off (20 bytes, by podimages)" in line
    assert total == "1 files in quarantine"
    assert quarantine.read(kept[1])
    assert list(tmp_path.rglob(kept[31].hex())) == []


def test_the_deployment_file_says_what_is_kept_for_how_long(conn, fetch, house):
    work_items.enqueue(conn, "nexus", "label", ["1"])
    conn.execute("UPDATE work_items SET parked_at = now() - interval '40 days', last_error = 'no paper'")
    for purge in (maintenance.give_up_parked_work, maintenance.delete_history):
        with pytest.raises(AirflowSkipException, match="kept for ever"):
            purge()
    house(parked_work_d=41, activity_d=1, raw_records_d=0)
    assert maintenance.give_up_parked_work() == {"parked items of work": 0}
    with pytest.raises(AirflowSkipException, match="raw records are kept for ever"):
        maintenance.delete_raw_records()
    house(parked_work_d=40)
    assert maintenance.give_up_parked_work() == {"parked items of work": 1}
    assert fetch("SELECT subject FROM activity") == [("work nexus.label 1",)]
    assert maintenance.delete_raw_records() == {"raw records": 0, "readings": 0}
    assert set(maintenance.delete_expired().values()) == {0}


def test_work_that_nobody_takes_is_named_with_what_to_look_at(conn, caplog):
    assert maintenance.report_idle_work() == {}
    work_items.enqueue(conn, "nexus", "label", ["1", "2"])
    work_items.claim(conn, "nexus", "label", 2, lease_s=-3600)
    assert maintenance.report_idle_work() == {"nexus.label": 2}
    assert "nexus.label: nobody has taken 2 items since their lease ended" in caplog.text


def test_nobody_takes_bytes_away_while_a_backup_copies_them(dsn, tmp_path, monkeypatch):
    storage = Storage(UPath(tmp_path / "documents"))
    orphan = storage.put(b"nobody's").sha256
    for file in (tmp_path / "documents").rglob(orphan.hex()):
        os.utime(file, (time.time() - 2 * DAY_S,) * 2)
    with connect(dsn) as other, session_lock.alone(other, stored_bytes.UPKEEP):
        for task in (maintenance.tidy_networks, maintenance.check_storage):
            with pytest.raises(AirflowSkipException, match="A backup is being made"):
                task()
    found = maintenance.check_storage()
    assert (found["documents"]["set_aside"], found["quarantined_files"]["set_aside"]) == (1, 0)


def test_a_task_has_a_budget_of_time(conn, monkeypatch, caplog):
    monkeypatch.setattr(maintenance, "BUDGET_S", -1.0)
    assert maintenance.check_storage()["documents"]["parts"] == 1
    assert "the next run goes on" in caplog.text


def test_old_logs_of_tasks_go_and_others_stay(monkeypatch, tmp_path, house):
    logs = tmp_path / "logs"
    monkeypatch.setenv("AIRFLOW__LOGGING__BASE_LOG_FOLDER", str(logs))
    old, young, theirs = (
        logs / "dag_id=nexus_poll" / f"run_id={run}" / "task_id=poll" / "attempt=1.log" for run in ("old", "young", "x")
    )
    theirs = logs / "somebody's" / "old.log"
    for file in (old, young, theirs):
        file.parent.mkdir(parents=True)
        file.write_text("{}")
    long_ago = (time.time() - 91 * DAY_S,) * 2
    for file in (old, theirs):
        for place in (file, *file.parents[: len(file.relative_to(logs).parts) - 1]):
            os.utime(place, long_ago)
    assert own_records.delete_logs() == {"log files": 1}
    assert sorted(file.relative_to(logs).parts[0:2] for file in logs.rglob("*.log")) == [
        ("dag_id=nexus_poll", "run_id=young"),
        ("somebody's", "old.log"),
    ]
    assert not old.parents[1].exists(), "nor does its empty folder stay"
    house(airflow_d=0)
    with pytest.raises(AirflowSkipException, match="kept for ever"):
        own_records.delete_logs()


def test_airflows_records_are_kept_where_nothing_says_where_they_are(monkeypatch, caplog):
    monkeypatch.delenv("AIRFLOW_CONN_AIRFLOW_METADATA", raising=False)
    with pytest.raises(AirflowSkipException), caplog.at_level("INFO"):
        own_records.clean_airflow()
    assert "there is no connection 'airflow_metadata' (AIRFLOW_CONN_AIRFLOW_METADATA)" in caplog.text
