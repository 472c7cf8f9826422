"""Quarantined records are corrected and replayed, by the functions, the command and after newer versions."""

import io
import json
import os
import sqlite3
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from airflow.models.connection import Connection as AirflowConnection
from sqlalchemy import create_engine

from palletflow.deployment import Customer
from palletflow.intake.file_import import import_file
from palletflow.intake.replay import replay
from palletflow.networks.palletforce import csv_files
from palletflow.networks.palletforce.mapper import Mapper
from palletflow.networks.palletforce.replay import replayer
from palletflow.networks.palletforce.wire import LocalTime
from palletflow.store import quarantine
from palletflow.store.quarantine import NotInQuarantine

NOW = datetime(2026, 7, 13, 9, 30, tzinfo=UTC)
PROJECT = Path(__file__).parents[2]


@pytest.fixture
def replayed(conn, plan):
    def run(deployment=plan, ids=None, reason=None):
        mapper = Mapper(deployment, LocalTime("Europe/London", "%Y-%m-%dT%H:%M:%S"), import_unaccepted=False)
        return replay(
            conn,
            quarantine.listed(conn, reason_code=reason, ids=ids),
            deployment,
            lambda network, party: replayer(mapper),
            lambda network: csv_files.kinds(deployment),
            now=NOW,
            run="test",
            actor="ops",
        )

    return run


@pytest.fixture
def heavy(simulator, pull, conn):
    """One record in quarantine, its weight no number."""
    simulator.create(depot="900", role="requested", overrides={"weight": "heavy"})
    pull("900")
    [record] = quarantine.listed(conn)
    return record


def corrected(record, **fields):
    raw = json.loads(record.raw)
    raw["consignments"][0].update(fields)
    return json.dumps(raw)


def test_what_is_still_wrong_stays_with_its_new_reason(conn, heavy, replayed):
    quarantine.correct(conn, heavy.id, corrected(heavy, weight="-1"), "ops")

    assert replayed().rejected == 1

    [record] = quarantine.listed(conn)
    assert (record.id, record.replays, record.raw) == (heavy.id, 1, heavy.raw)
    assert "'-1' is not between" in record.reason


def test_a_corrected_record_lands_and_is_settled_with_its_raw_form_kept(conn, heavy, replayed, fetch):
    quarantine.correct(conn, heavy.id, corrected(heavy, weight="850"), "ops")

    assert replayed().created == 1

    assert quarantine.listed(conn) == []
    assert fetch("SELECT weight_kg FROM consignments") == [(850,)]
    [(raw, settled_by, tracked)] = fetch(
        "SELECT raw, settled_by, c.tracking_number = record_key FROM inbound_records r "
        "JOIN consignments c ON c.id = r.consignment_id"
    )
    assert raw == heavy.raw
    assert settled_by == "created by replay: ops"
    assert tracked
    assert fetch("SELECT actor, source FROM activity") == [("ops", "palletforce replay 900")]


def test_replaying_twice_makes_one_order(conn, heavy, replayed, fetch):
    quarantine.correct(conn, heavy.id, corrected(heavy, weight="850"), "ops")
    records = quarantine.listed(conn)
    replayed()
    assert fetch("SELECT count(*) FROM orders") == [(1,)]
    assert replayed(ids=[records[0].id]).records == 0
    assert fetch("SELECT count(*) FROM orders") == [(1,)]


def test_one_missing_customer_added_and_all_his_records_land(simulator, pull, conn, plan, replayed, fetch):
    simulator.create(depot="900", role="requested", count=3, overrides={"CustomerAccountNumber": "new 007"})
    simulator.create(depot="900", role="requested", overrides={"weight": "heavy"})
    pull("900")
    with_customer = replace(
        plan,
        customers={**plan.customers, "NEW": Customer("NEW", "New Customer", None)},
        accounts={**plan.accounts, ("palletforce", "new 007"): "NEW"},
    )

    assert replayed(with_customer, reason="UNKNOWN_CUSTOMER").created == 3

    assert fetch("SELECT count(*) FROM orders JOIN customers c ON c.id = customer_id WHERE code = 'NEW'") == [(3,)]
    assert [record.reason_code for record in quarantine.listed(conn)] == ["BAD_FORMAT"]


def test_a_newer_good_version_settles_the_rejected_one(simulator, pull, conn, heavy, fetch):
    simulator.control("reset")
    simulator.create(depot="900", role="requested", trackingNumber=heavy.record_key)
    pull.now = NOW + timedelta(minutes=5)

    assert pull("900").created == 1

    assert quarantine.listed(conn) == []
    assert fetch("SELECT settled_by FROM inbound_records WHERE outcome = 'rejected'") == [
        ("a later version of the record landed",)
    ]


def test_a_replay_never_overwrites_what_was_read_later(simulator, pull, conn, heavy, replayed, fetch):
    quarantine.correct(conn, heavy.id, corrected(heavy, weight="1"), "ops")
    records = quarantine.listed(conn)
    simulator.control("reset")
    simulator.create(depot="900", role="requested", trackingNumber=heavy.record_key, overrides={"weight": "999"})
    pull.now = NOW + timedelta(minutes=5)
    pull("900")
    conn.execute("UPDATE inbound_records SET settled_at = NULL, settled_by = NULL WHERE id = %s", (records[0].id,))

    assert replayed().ignored == 1
    assert fetch("SELECT weight_kg FROM consignments") == [(999,)]


def test_only_what_is_in_quarantine_can_be_corrected(conn):
    with pytest.raises(NotInQuarantine, match="Record 77 is not in quarantine"):
        quarantine.correct(conn, 77, "{}", "ops")


def test_the_command_lists_shows_corrects_and_replays(dsn, heavy, fetch, tmp_path, simulator):
    connection = {
        "conn_type": "palletforce",
        "host": simulator.base_url,
        "password": "k",
        "extra": {"allow_http": True},
    }
    environment = os.environ | {
        "AIRFLOW_CONN_ORDER_STORE": dsn,
        "PALLETFLOW_DEPLOYMENT": str(PROJECT / "include" / "deployment.yaml"),
        "AIRFLOW_CONN_PALLETFORCE_900": json.dumps(connection),
    }

    def palletflow(*arguments):
        command = [Path(sys.executable).with_name("palletflow"), "quarantine", *map(str, arguments)]
        return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)

    listed = palletflow("list").stdout
    assert [heavy.record_key, "BAD_FORMAT", "weight:"] == listed.split()[1:4]
    assert "1 records in quarantine" in listed
    assert json.loads(palletflow("show", heavy.id).stdout)["raw"] == heavy.raw

    fixed = tmp_path / "fixed.json"
    fixed.write_text(corrected(heavy, weight="850"))
    assert palletflow("correct", heavy.id, fixed).returncode == 0
    assert "1 created" in palletflow("replay").stdout
    assert fetch("SELECT weight_kg FROM consignments") == [(850,)]

    missing = palletflow("show", heavy.id)
    assert missing.returncode == 1
    assert missing.stderr.startswith(f"palletflow: Record {heavy.id} is not in quarantine")


def test_the_command_finds_what_the_page_holds_and_says_which_connection_is_gone(dsn, heavy, conn, tmp_path, simulator):
    quarantine.correct(conn, heavy.id, corrected(heavy, weight="850"), "ops")
    place = tmp_path / "airflow.db"
    engine = create_engine(f"sqlite:///{place}")
    AirflowConnection.__table__.create(engine)
    engine.dispose()
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("_AIRFLOW")},
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{place}",
        "AIRFLOW__CORE__FERNET_KEY": "",
        "AIRFLOW_CONN_ORDER_STORE": dsn,
        "PALLETFLOW_DEPLOYMENT": str(PROJECT / "include" / "deployment.yaml"),
        "HOME": str(tmp_path),
    }
    command = [Path(sys.executable).with_name("palletflow"), "quarantine", "replay"]

    def replayed():
        return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)

    gone = replayed()
    assert (gone.returncode, gone.stdout) == (1, "")
    assert gone.stderr == (
        "palletflow: Replay through connection 'palletforce_900': there is no Airflow connection of this id. "
        "Its records stay in quarantine. Make or correct the connection (Admin, Connections), then replay them.\n"
    )
    assert [record.id for record in quarantine.listed(conn)] == [heavy.id]

    with sqlite3.connect(place) as metadata:
        metadata.execute(
            "INSERT INTO connection (conn_id, conn_type, host, password, extra, is_encrypted, is_extra_encrypted)"
            " VALUES ('palletforce_900', 'palletforce', ?, 'k', '{\"allow_http\": true}', 0, 0)",
            (simulator.base_url,),
        )
    done = replayed()
    assert done.returncode == 0, done.stderr
    assert "1 created" in done.stdout
    assert quarantine.listed(conn) == []


def test_the_command_prints_nothing_that_a_terminal_carries_out(dsn, conn, plan):
    content = (
        b"orderReference,customerCode,collectionDate,deliveryName,deliveryStreetAddress,deliveryTown,deliveryPostcode,"
        b"deliveryPhoneNumber,palletType,numberOfPallets,weight\n"
        b"SO-1,ACME,13/07/2026,Receiver Ltd,2 High Street,Leeds,LS1 1AA,01632 960001,F,2,\x1b[2J\n"
    )
    import_file(
        conn, "palletforce", csv_files.kinds(plan), plan, io.BytesIO(content), "a.csv",
        asked=None, now=NOW, run="test", actor="tester",
    )  # fmt: skip
    command = [Path(sys.executable).with_name("palletflow"), "quarantine", "list"]
    environment = os.environ | {"AIRFLOW_CONN_ORDER_STORE": dsn}
    listed = subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout
    assert "ACME SO-1" in listed
    assert "[2J" in listed
    assert "\x1b" not in listed
