"""Backup, drop, restore: the desk shows the same."""

import re
import shutil

from tests.desk.pages import lively

from palletflow import cli
from palletflow.store.connection import connect

# What goes on by itself while the backup is brought back: the clock.
PASSES = re.compile(
    r"under a minute|\d+ (d|h|min)( \d+ (h|min))?|<footer>.*?</footer>|form_token\" value=\"[^\"]*\"", re.S
)


def shown(desk, ids):
    """Everything a person sees of these consignments and beside them, and the bytes of their documents."""
    paths = ["/", "/find", "/find?network=nexus", "/attention", "/attention/parked"]
    paths += [f"/consignment/{number}{part}" for number in ids for part in ("", "/raw", "/links")]
    pages = {path: desk.get(path).text for path in paths}
    documents = sorted({path for page in pages.values() for path in re.findall(r"/documents/\d+/thumbnail", page)})
    assert documents
    return {path: PASSES.sub("…", page) for path, page in pages.items()} | {
        path: desk.get(path).content for path in documents
    }


def test_after_backup_drop_and_restore_the_desk_shows_the_same(desk, store, dsn, postgres, tmp_path, monkeypatch):
    ids = [make(store) for make in (lively.palletforce, lively.nexus, lively.palletways)]
    before = shown(desk, ids)
    monkeypatch.setenv("AIRFLOW_CONN_ORDER_STORE", dsn)
    assert cli.main(["backup", str(tmp_path / "backup")]) == 0

    with connect(postgres.dsn("postgres")) as admin:
        name = store.info.dbname
        admin.execute(f"DROP DATABASE {name} WITH (FORCE)".encode())
        admin.execute(f"CREATE DATABASE {name}".encode())
    shutil.rmtree(tmp_path / "documents")
    assert cli.main(["restore", str(tmp_path / "backup")]) == 0

    assert shown(desk, ids) == before
