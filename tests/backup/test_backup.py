"""Backup, drop, restore: everything is as it was, whatever was interrupted on the way."""

import hashlib
import itertools
import os
import shutil
from contextlib import contextmanager
from pathlib import Path

import pytest
from tests.conftest import NOW
from tests.desk.conftest import Api, Served, as_tester
from tests.desk.desk_orders import DEPLOYMENT, order
from tests.killing import Process, started, until
from upath import UPath

from palletflow import cli
from palletflow.backup import folder as folders
from palletflow.backup import taking
from palletflow.desk.app import create_app
from palletflow.documents.quarantine import Quarantine
from palletflow.documents.storage import Storage
from palletflow.store import dispatch, dump, migrate, quarantined_files, session_lock, stored_bytes, work_items
from palletflow.store.connection import connect
from palletflow.store.quarantined_files import QuarantinedFile

ONCE = Path(__file__).with_name("back_up_once.py")
# What a COPY has to write in another way than it is.
HARD = "tab\there, \\backslash, \\N, new\nline, carriage\rreturn, 'quotes\", ŵ 🚚"
PDF = b"%PDF-1.7 proof of delivery"
_numbers = itertools.count(1)


class House:
    """An order store and its documents, and the command line that knows them."""

    def __init__(self, dsn, documents, capsys, monkeypatch):
        self.dsn, self.documents = dsn, Path(documents)
        self.storage = Storage(UPath(documents))
        self._capsys, self._monkeypatch = capsys, monkeypatch

    def environment(self):
        self._monkeypatch.setenv("AIRFLOW_CONN_ORDER_STORE", self.dsn)
        self._monkeypatch.setenv("PALLETFLOW_DOCUMENTS", str(self.documents))
        self._monkeypatch.setenv("PALLETFLOW_DEPLOYMENT", str(DEPLOYMENT))

    def run(self, *words, fails=False):
        """What `palletflow` says."""
        self.environment()
        status = cli.main([str(word) for word in words])
        said = self._capsys.readouterr()
        assert bool(status) == fails, said
        return said.err if fails else said.out

    def rows(self):
        """Every row of every table as text, in the order of the text."""
        with connect(self.dsn) as conn:
            return {
                table.name: conn.execute(f"SELECT t::text FROM {table.name} t ORDER BY 1".encode()).fetchall()
                for table in dump.tables(conn)
            }

    def files(self):
        return {
            str(file.relative_to(self.documents)): file.read_bytes()
            for file in self.documents.rglob("*")
            if file.is_file()
        }

    @contextmanager
    def api(self):
        """Its order API."""
        self.environment()
        served = Served(create_app(as_tester, lambda: connect(self.dsn)))
        speaking = Api(served.url)
        try:
            yield speaking
        finally:
            speaking.close()
            served.stop()

    def ask(self, *paths):
        """What the order API answers, by path."""
        with self.api() as api:
            return {path: api("GET", path).content for path in paths}


@pytest.fixture
def empty_house(postgres, tmp_path, capsys, monkeypatch):
    """Makes houses that hold nothing: a database without a table, a folder that is not there."""
    made = []
    with connect(postgres.dsn("postgres")) as admin:

        def make():
            name = f"restored_{next(_numbers)}"
            admin.execute(f"CREATE DATABASE {name}".encode())
            made.append(name)
            return House(postgres.dsn(name), tmp_path / name, capsys, monkeypatch)

        yield make
        for name in made:
            admin.execute(f"DROP DATABASE {name} WITH (FORCE)".encode())


@pytest.fixture
def house(dsn, conn, simulator, pull, tmp_path, capsys, monkeypatch):
    """A house with a bit of everything."""
    lived_in = House(dsn, tmp_path / "documents", capsys, monkeypatch)
    # As on a server that has been counting its transactions for years.
    conn.execute("CREATE OR REPLACE FUNCTION feed_offset() RETURNS bigint IMMUTABLE LANGUAGE sql RETURN 1000000000")
    simulator.create(count=5)
    simulator.create(depot="900", role="requested", overrides={"CustomerAccountNumber": "nobody"})
    pull(asked=(NOW.replace(day=12), NOW))
    conn.execute("UPDATE consignments SET lifecycle_status = 'DELIVERED' WHERE id = 1")
    conn.execute("UPDATE orders SET review_reason = %s WHERE id = 2", (HARD,))
    with lived_in.api() as api:
        for key, data in (("SO-1", PDF), ("SO-2", PDF + b" of the second")):
            api.post("/orders", order(key), 201)
            answer = api("POST", f"/orders/{key}/documents", data=data, params={"kind": "POD", "name": "pod.pdf"})
            assert answer.ok, answer.text
    stored = Quarantine(lived_in.storage).put(b"no photo")
    file = QuarantinedFile("palletways", "60000000017", "malformed", HARD, stored.sha256, stored.size, "pod", "url")
    quarantined_files.add(conn, file, NOW)
    work_items.enqueue(conn, "nexus", "label", ["1", "2", "999"])
    conn.execute("UPDATE work_items SET parked_at = now(), last_error = %s WHERE key = '1'", (HARD,))
    conn.execute("DELETE FROM work_items WHERE key = '999'")  # its number was given, and no row tells
    return lived_in


@pytest.fixture
def process():
    yield from started(lambda *arguments: Process(ONCE, *arguments))


def paths_of(house):
    with connect(house.dsn) as conn:
        numbers = [row[0] for row in conn.execute("SELECT tracking_number FROM consignments WHERE registered")]
        documents = [row[0] for row in conn.execute("SELECT id FROM documents ORDER BY id")]
    return (
        "/changes",
        "/orders/SO-1",
        "/orders/SO-2",
        "/orders/SO-2/documents",
        *(f"/orders?tracking_number={number}" for number in numbers),
        *(f"/documents/{number}" for number in documents),
    )


def digest(data):
    return hashlib.sha256(data).digest()


def file_of(root, data):
    name = digest(data).hex()
    return Path(root) / name[:2] / name


def test_a_restored_house_is_the_house_that_was_backed_up(house, empty_house, tmp_path):
    backup = tmp_path / "backup"
    said = house.run("backup", backup)
    assert "is complete" in said
    assert "3 documents (3 copied" in said
    restored = empty_house()
    said = restored.run("restore", backup)
    assert "counts and digests are those of the backup" in said

    rows = house.rows()
    assert restored.rows() == rows
    assert min(len(rows[table]) for table in ("consignments", "documents", "quarantined_files", "work_items")) > 0
    assert restored.files() == house.files()
    answers = house.ask(*paths_of(house))
    assert PDF in answers.values()
    assert restored.ask(*answers) == answers


def test_a_restored_house_goes_on_where_the_other_was(house, empty_house, tmp_path):
    """Rows are numbered on after the last number given, and the change feed after what its readers have seen."""
    house.run("backup", tmp_path / "backup")
    restored = empty_house()
    restored.run("restore", tmp_path / "backup")
    with connect(house.dsn) as one, connect(restored.dsn) as other:
        given = [dump.sequences(conn) for conn in (one, other)]
        told = {"orders.id", "consignments.id"}
        assert {name: last for name, last in given[0].items() if name not in told} == {
            name: last for name, last in given[1].items() if name not in told
        }
        assert given[0]["work_items.id"] > one.execute("SELECT max(id) FROM work_items").fetchone()[0]
        numbered = "INSERT INTO customers (code, name) VALUES ('NEW', 'New') RETURNING id"
        assert one.execute(numbered).fetchone() == other.execute(numbered).fetchone()
    with restored.api() as api:
        seen = api.get("/changes")
        assert len(seen["changes"]) > 5
        # A reader of the lost house was further than its backup.
        xact, number = map(int, seen["next"].split("-"))
        api.post("/orders", order("SO-3"), 201)
        news = api.get(f"/changes?after={xact + 1000}-{number + 1000}")
        assert {change["order"]["key"] for change in news["changes"]} == {"SO-3"}


def test_what_networks_were_told_since_the_backup_is_told_of_nothing_else(house, empty_house, tmp_path):
    """Our numbers of consignments, and the ids by which a network knows a sending again."""
    with connect(house.dsn) as conn:
        for network, depot in (("palletforce", "900"), ("palletforce", "901"), ("nexus", "")):
            dispatch.next_consignment_number(conn, network, depot, 9_999_999)
    house.run("backup", tmp_path / "backup")
    with connect(house.dsn) as lost, house.api() as api:
        numbers = {dispatch.next_consignment_number(lost, "palletforce", "900", 9_999_999) for _ in range(50)}
        ids = {api.post("/orders", order(f"LOST-{n}"), 201)["id"] for n in range(5)}
    restored = empty_house()
    restored.run("restore", tmp_path / "backup")

    with connect(restored.dsn) as conn, restored.api() as api:
        again = {dispatch.next_consignment_number(conn, "palletforce", "900", 9_999_999) for _ in range(50)}
        assert min(again) > max(numbers)
        assert min(api.post("/orders", order(f"NEW-{n}"), 201)["id"] for n in range(5)) > max(ids)
        # After the last number that has 7 digits the first comes again, as ever.
        conn.execute("UPDATE consignment_numbers SET last = 10050000 WHERE depot = '901'")
        assert dispatch.next_consignment_number(conn, "palletforce", "901", 9_999_999) == 50_002


def test_restoring_fires_nothing_and_leaves_the_schema_as_it_was(house, empty_house, tmp_path):
    with connect(house.dsn) as conn:
        # What the trigger would fill in.
        conn.execute("ALTER TABLE consignments DISABLE TRIGGER USER")
        conn.execute("UPDATE consignments SET delivered_at = NULL WHERE id = 1")
        conn.execute("ALTER TABLE consignments ENABLE TRIGGER USER")
    house.run("backup", tmp_path / "backup")
    restored, fresh = empty_house(), empty_house()
    restored.run("restore", tmp_path / "backup")
    assert restored.rows()["consignments"] == house.rows()["consignments"]
    migrate.upgrade(fresh.dsn)
    assert schema(restored) == schema(fresh)


def schema(house):
    with connect(house.dsn) as conn:
        return [
            conn.execute(query).fetchall()
            for query in (
                "SELECT indexdef FROM pg_indexes WHERE schemaname = 'public' ORDER BY 1",
                "SELECT conname, convalidated, pg_get_constraintdef(oid) FROM pg_constraint"
                " WHERE connamespace = 'public'::regnamespace ORDER BY 1, 3",
                "SELECT tgname, tgenabled FROM pg_trigger WHERE NOT tgisinternal ORDER BY 1",
                "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace ORDER BY 1",
            )
        ]


def test_a_backup_of_an_older_schema_is_brought_up(house, empty_house, tmp_path):
    with connect(house.dsn) as conn:
        conn.execute("UPDATE stops SET completed_at = '2026-07-13 11:00+00' WHERE consignment_id = 1")
    migrate.downgrade(house.dsn, "0004")
    house.run("backup", tmp_path / "backup")
    restored = empty_house()
    said = restored.run("restore", tmp_path / "backup")
    assert "bringing the schema up from 0004" in said
    migrate.upgrade(house.dsn)
    assert restored.rows() == house.rows()
    with connect(restored.dsn) as conn:
        assert dump.revision(conn) == migrate.revisions()[-1]
        [(moment,)] = conn.execute("SELECT delivered_at::text FROM consignments WHERE id = 1").fetchall()
    assert moment == "2026-07-13 11:00:00+00"


def test_what_cannot_be_restored_is_refused_and_nothing_is_touched(house, empty_house, tmp_path, monkeypatch):
    backup = tmp_path / "backup"
    assert "holds no finished backup" in house.run("restore", backup, fails=True)
    house.run("backup", backup)
    before = house.rows()
    assert "The order store is not empty: it holds" in house.run("restore", backup, fails=True)
    assert house.rows() == before

    restored = empty_house()
    monkeypatch.setattr(migrate, "revisions", lambda: ["0001", "0002"])
    assert "this Palletflow knows 0001 to 0002" in restored.run("restore", backup, fails=True)
    monkeypatch.undo()
    [file] = backup.glob("*/consignments.copy.gz")
    content = file.read_bytes()
    for damaged in (content[:-9], content[:60] + bytes([content[60] ^ 1]) + content[61:]):
        file.write_bytes(damaged)
        assert "Restore another backup" in restored.run("restore", backup, fails=True)
        assert not any(restored.rows().values())
    file.write_bytes(content)
    restored.run("restore", backup)
    assert restored.rows() == before


def test_documents_are_copied_once_and_the_last_backups_stay(house, tmp_path, monkeypatch):
    backup = tmp_path / "backup"
    monkeypatch.setattr(folders, "KEPT", 2)
    assert "(3 copied" in house.run("backup", backup)
    assert "(0 copied, 0.0 MB; 3 were there)" in house.run("backup", backup)
    first, second = sorted(backup.glob("*Z"))
    house.storage.put(b"of nobody")
    house.run("backup", backup)
    assert sorted(backup.iterdir()) == [second, folders.newest(backup), backup / "documents"]
    assert first != second
    assert len([file for file in (backup / "documents").rglob("*") if file.is_file()]) == 3
    assert {file.stat().st_mode & 0o077 for file in backup.rglob("*") if file.is_file()} == {0}


def test_a_document_without_bytes_is_told_at_both_ends(house, empty_house, tmp_path):
    backup = tmp_path / "backup"
    file_of(house.documents, PDF).unlink()
    said = house.run("backup", backup)
    assert "1 documents have no bytes in the object storage, so the backup has none of them:" in said
    assert f"  sha256 {digest(PDF).hex()}" in said
    assert "1 documents had no bytes when the backup was made" in empty_house().run("restore", backup)

    house.storage.put(PDF)
    house.run("backup", backup)
    file_of(backup / "documents", PDF).write_bytes(PDF[:-1] + b"?")
    restored = empty_house()
    assert "all rows are restored, but not all documents" in restored.run("restore", backup, fails=True)
    assert restored.rows() == house.rows()


def test_a_damaged_document_is_replaced_by_the_backups(house, empty_house, tmp_path):
    house.run("backup", tmp_path / "backup")
    restored = empty_house()
    shutil.copytree(house.documents, restored.documents)
    file_of(restored.documents, PDF).write_bytes(PDF[:-1] + b"?")
    assert "3 documents" in restored.run("restore", tmp_path / "backup")
    assert restored.storage.read(digest(PDF)) == PDF


def fifo_for(file):
    """Puts something in the place of a file that whoever reads it waits for; gives what puts the file back."""
    kept = file.with_name(file.name + ".kept")
    file.rename(kept)
    os.mkfifo(file)
    return lambda: kept.replace(file)


def opened(file):
    """Whether somebody has opened this pipe to read it."""
    try:
        os.close(os.open(file, os.O_WRONLY | os.O_NONBLOCK))
    except OSError:
        return False
    return True


def test_a_backup_that_is_killed_leaves_the_one_before(house, empty_house, tmp_path, process):
    backup = tmp_path / "backup"
    house.run("backup", backup)
    before = house.rows()
    [good] = backup.glob("*T*Z")
    with connect(house.dsn) as conn:
        conn.execute("UPDATE orders SET review_reason = 'changed since'")
    # In the middle of the tables.
    with connect(house.dsn) as locking, connect(house.dsn) as looking, locking.transaction():
        locking.execute("LOCK TABLE stops IN ACCESS EXCLUSIVE MODE")
        house.environment()
        running = process("backup", backup)
        waiting = "SELECT FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
        until(lambda: looking.execute(waiting).rowcount)
        running.kill()
    # In the middle of the documents.
    file_of(backup / "documents", PDF).unlink()
    put_back = fifo_for(file_of(house.documents, PDF))
    running = process("backup", backup)
    until(lambda: opened(file_of(house.documents, PDF)))
    running.kill()
    put_back()
    assert len(list(backup.glob("*T*Z"))) == 2
    assert folders.newest(backup) == good
    shutil.copytree(house.documents, tmp_path / "as it was")
    shutil.copy(file_of(house.documents, PDF), file_of(backup / "documents", PDF))

    restored = empty_house()
    restored.run("restore", backup)
    assert restored.rows() == before
    house.run("backup", backup)
    assert folders.newest(backup) != good
    assert len(list(backup.glob("*T*Z"))) == 2


def test_a_restore_that_is_killed_is_begun_again(house, empty_house, tmp_path, process, monkeypatch):
    backup = tmp_path / "backup"
    house.run("backup", backup)
    restored = empty_house()
    [table] = backup.glob("*/stops.copy.gz")
    for file in (file_of(backup / "documents", PDF), table):
        put_back = fifo_for(file)
        restored.environment()
        running = process("restore", backup)
        until(lambda file=file: opened(file))
        running.kill()
        put_back()
    until(lambda: not any(restored.rows().values()))

    def killed(*_):
        raise RuntimeError("killed")

    # All rows are there, and the schema is not ready.
    monkeypatch.setattr(dump, "finish", killed)
    with pytest.raises(RuntimeError, match="killed"):
        restored.run("restore", backup)
    monkeypatch.undo()
    assert restored.rows()["stops"]
    restored.run("restore", backup)
    assert restored.rows() == house.rows()
    assert "The order store is not empty" in restored.run("restore", backup, fails=True)


def test_a_backup_waits_for_whoever_takes_bytes_away(house, tmp_path, monkeypatch):
    monkeypatch.setattr(taking, "PATIENCE_S", 0.1)
    monkeypatch.setattr(taking, "LOOK_EVERY_S", 0.01)
    with connect(house.dsn) as other, session_lock.alone(other, stored_bytes.UPKEEP):
        assert "has not ended for half an hour" in house.run("backup", tmp_path / "backup", fails=True)
    house.run("backup", tmp_path / "backup")
