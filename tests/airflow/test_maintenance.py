"""Housekeeping as its DAG runs it."""

from datetime import UTC, datetime, timedelta

import pytest
from tests.conftest import PROJECT
from upath import UPath

from palletflow import cli
from palletflow.airflow.maintenance import tidy_networks
from palletflow.documents.quarantine import Quarantine
from palletflow.documents.storage import Storage
from palletflow.store import quarantined_files
from palletflow.store.quarantined_files import QuarantinedFile


@pytest.mark.rule("PW-5-33")
def test_files_that_came_a_month_ago_go_with_their_bytes_and_others_stay(conn, dsn, monkeypatch, tmp_path, capsys):
    monkeypatch.setenv("AIRFLOW_CONN_ORDER_STORE", dsn)
    monkeypatch.setenv("PALLETFLOW_DOCUMENTS", str(tmp_path))
    monkeypatch.setenv("PALLETFLOW_DEPLOYMENT", str(PROJECT / "include" / "deployment.yaml"))
    quarantine = Quarantine(Storage(UPath(tmp_path)))
    kept = {}
    for days in (31, 1):
        stored = quarantine.put(f"no photo, {days} days ago".encode())
        kept[days] = stored.sha256
        file = QuarantinedFile(
            "palletways", f"6000000000{days}", "malformed", "cut off", stored.sha256, stored.size, "podimages", "url"
        )
        quarantined_files.add(conn, file, datetime.now(UTC) - timedelta(days=days))

    assert tidy_networks() == {"palletways": {"files in quarantine": 1}}
    assert tidy_networks() == {"palletways": {"files in quarantine": 0}}

    assert cli.main(["quarantine", "files"]) == 0
    line, total = capsys.readouterr().out.splitlines()
    assert "palletways 60000000001" in line
    assert "malformed: cut off (20 bytes, by podimages)" in line
    assert total == "1 files in quarantine"
    assert quarantine.read(kept[1])
    assert list(tmp_path.rglob(kept[31].hex())) == []
