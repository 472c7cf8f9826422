"""Files in a watched folder: read when they are whole, reported on, put away, and safe to interrupt anywhere."""

import csv
import json
import os
import subprocess
import sys
import threading
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest

from palletflow.intake.file_drops import MOST_FILES, FolderDrop, Importer, NoSuchFile, shown
from palletflow.networks.palletforce import csv_files
from palletflow.store.connection import connect

NOW = datetime(2026, 7, 13, 9, 30, tzinfo=UTC)
PROJECT = Path(__file__).parents[2]
# Long after any file was written.
LATER = 2e10
PATIENCE_S = 60
HEADER = (
    "orderReference,customerCode,collectionDate,deliveryName,deliveryStreetAddress,deliveryTown,deliveryPostcode,"
    "deliveryPhoneNumber,palletType,numberOfPallets,weight\n"
)


def row(reference, weight="850", name="Receiver Ltd"):
    return f"{reference},ACME,13/07/2026,{name},2 High Street,Leeds,LS1 1AA,01632 960001,F,2,{weight}\n"


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "drop"


@pytest.fixture
def importer(conn, plan):
    return Importer(conn, "palletforce", csv_files.kinds(plan), plan, clock=lambda: NOW, run="test", actor="tester")


@pytest.fixture
def look(importer, folder):
    """One look into the folder; name to outcome of what was finished."""

    def looked():
        found = []
        importer.import_all(FolderDrop(folder, now=lambda: LATER), found.append)
        return {finished.name: finished.outcome for finished in found}

    return looked


@pytest.fixture
def put(folder):
    def written(name, content):
        folder.mkdir(exist_ok=True)
        (folder / name).write_bytes(content if isinstance(content, bytes) else content.encode())

    return written


def tree(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def summary(folder, name):
    return json.loads((folder / f"{name}.report.json").read_text("utf-8"))


@pytest.mark.rule("PF-8.1-9")
def test_each_file_ends_where_its_outcome_says_with_its_report(put, look, folder, fetch):
    put("good.csv", HEADER + row("SO-1"))
    put("part.csv", HEADER + row("SO-2") + row("SO-3", "heavy"))
    put("bad.csv", "colour\nred\n")
    put("empty.csv", "")
    put("book.csv", b"PK\x03\x04zip")
    assert look() == {
        "good.csv": "DONE",
        "part.csv": "PARTIAL",
        "bad.csv": "REJECTED",
        "empty.csv": "REJECTED",
        "book.csv": "REJECTED",
    }
    assert tree(folder) == [
        "done/good.csv",
        "done/good.csv.report.json",
        "done/part.csv",
        "done/part.csv.report.csv",
        "done/part.csv.report.json",
        "rejected/bad.csv",
        "rejected/bad.csv.report.json",
        "rejected/book.csv",
        "rejected/book.csv.report.json",
        "rejected/empty.csv",
        "rejected/empty.csv.report.json",
    ]
    assert summary(folder, "done/part.csv")["rows"] == {"read": 2, "landed": 1, "unchanged": 0, "quarantined": 1}
    assert summary(folder, "rejected/empty.csv")["reason"] == "is empty (0 bytes)"
    assert "no header" in summary(folder, "rejected/bad.csv")["reason"]
    assert "Excel" in summary(folder, "rejected/book.csv")["reason"]
    assert fetch("SELECT count(*) FROM orders") == [(2,)]
    assert fetch("SELECT count(*) FROM inbound_files WHERE put_away_at IS NULL") == [(0,)]


@pytest.mark.rule("PF-8.1-8")
def test_the_report_has_every_quarantined_row_and_nothing_a_spreadsheet_carries_out(put, look, folder, fetch):
    put("part.csv", HEADER + row("SO-1", "heavy") + "=cmd|calc\n" + row("SO-2", name="x" * 51))
    look()
    with (folder / "done/part.csv.report.csv").open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.reader(file))
    assert rows[0] == ["row", "column", "reason code", "reason", "record", "raw row"]
    assert [(number, column, code) for number, column, code, *_ in rows[1:]] == [
        ("2", "weight", "BAD_FORMAT"),
        ("3", "", "WRONG_CELL_COUNT"),
        ("4", "deliveryName", "TOO_LONG"),
    ]
    assert [int(record) for *_, record, _ in rows[1:]] == [
        number for (number,) in fetch("SELECT id FROM inbound_records WHERE outcome = 'rejected' ORDER BY row_number")
    ]
    assert not any(cell.startswith(("=", "+", "-", "@")) for line in rows for cell in line)


@pytest.mark.rule("PF-8.1-6", "PF-8.1-9")
def test_the_same_file_again_is_skipped_and_no_name_is_overwritten(put, look, folder, fetch):
    put("a.csv", HEADER + row("SO-1"))
    look()
    put("a.csv", HEADER + row("SO-1"))
    assert look() == {"a.csv": "SKIPPED"}
    put("a.csv", HEADER + row("SO-2"))
    assert look() == {"a.csv": "DONE"}
    assert [name for name in tree(folder) if name.endswith(".csv")] == [
        "done/a (2).csv",
        "done/a (3).csv",
        "done/a.csv",
    ]
    assert summary(folder, "done/a (2).csv")["outcome"] == "SKIPPED"
    assert fetch("SELECT count(*) FROM inbound_batches") == [(2,)]


@pytest.mark.rule("PF-8.1-6", "PF-8.1-9")
def test_a_rejected_file_sent_again_is_judged_again_and_never_lies_among_the_read_ones(put, look, folder):
    put("a.csv", "colour\nred\n")
    assert look() == {"a.csv": "REJECTED"}
    put("a.csv", "colour\nred\n")
    assert look() == {"a.csv": "REJECTED"}
    assert [name for name in tree(folder) if name.endswith(".csv")] == ["rejected/a (2).csv", "rejected/a.csv"]


def test_what_is_not_whole_or_not_meant_is_left_alone(put, look, folder, importer):
    for name in ("a.csv.part", ".hidden.csv", "b.tmp", "~$c.csv", "d.filepart", "old.csv.report.json"):
        put(name, HEADER + row("SO-1"))
    (folder / "link.csv").symlink_to("/etc/passwd")
    before = tree(folder)
    assert look() == {}
    put("fresh.csv", HEADER + row("SO-1"))
    os.utime(folder / "fresh.csv", (0, 0))  # copied with the time of its original
    assert FolderDrop(folder).waiting() == []
    assert importer.import_all(FolderDrop(folder), print) == {}
    assert tree(folder) == sorted([*before, "fresh.csv"])


def test_a_file_that_is_written_while_it_is_read_lands_nothing(put, folder, importer, conn, fetch):
    put("a.csv", HEADER + row("SO-1"))
    drop = FolderDrop(folder, now=lambda: LATER)
    [waiting] = drop.waiting()
    put("a.csv", HEADER + row("SO-1") + row("SO-2"))
    drop.waiting = lambda: [waiting]
    assert importer.import_all(drop, print) == {}
    assert fetch("SELECT count(*) FROM orders") == [(0,)]
    assert tree(folder) == ["a.csv"]


def test_a_file_that_cannot_be_handled_stops_no_other(put, look, folder):
    put("1.csv", HEADER + row("SO-1"))
    put("2.csv", HEADER + row("SO-2"))
    (folder / "done").mkdir()
    # The report of the first cannot be written.
    (folder / "done" / ".1.csv.report.json.unfinished").mkdir()
    with pytest.raises(IsADirectoryError):
        look()
    assert "done/2.csv" in tree(folder)
    assert "1.csv" in tree(folder)


def test_files_that_cannot_be_handled_stand_in_nobodys_way(put, look, folder):
    (folder / "rejected").mkdir(parents=True)
    for number in range(MOST_FILES):
        put(f"{number}.csv", "")
        (folder / "rejected" / f".{number}.csv.report.json.unfinished").mkdir()
    put("good.csv", HEADER + row("SO-1"))
    with pytest.raises(IsADirectoryError):
        look()
    assert "done/good.csv" in tree(folder)


def test_a_look_takes_so_many_files_and_the_next_one_the_others(put, look):
    for number in range(MOST_FILES + 1):
        put(f"{number}.csv", f"colour{number}\nred\n")
    assert [len(look()), len(look()), len(look())] == [MOST_FILES, 1, 0]


def test_a_person_names_a_file_of_the_folder_and_no_other(put, importer, folder, tmp_path):
    put("bad.csv", "colour\nred\n")
    drop = FolderDrop(folder, now=lambda: LATER)
    importer.import_all(drop, print)
    (tmp_path / "outside.csv").write_text(HEADER)
    for path in ("none.csv", "../outside.csv", str(tmp_path / "outside.csv"), "done"):
        with pytest.raises(NoSuchFile):
            drop.asked(path)
    (folder / "rejected/bad.csv").write_text(HEADER + row("SO-1"))
    assert importer.import_one(drop, drop.asked("rejected/bad.csv"), "orders").outcome == "DONE"
    assert "done/bad.csv" in tree(folder)
    (folder / "b.csv").write_text(HEADER + row("SO-2"))
    assert importer.import_one(drop, drop.asked("b.csv"), "manifest").outcome == "REJECTED"


def test_a_hostile_file_name_lands_and_is_shown_as_text(put, look, fetch, folder):
    name = os.fsdecode(b"a\n\xff;rm -rf.csv")
    put(name, HEADER + row("SO-1"))
    assert look() == {"a??;rm -rf.csv": "DONE"}
    assert shown(name) == "a??;rm -rf.csv"
    assert fetch("SELECT name FROM inbound_files") == [("a??;rm -rf.csv",)]
    assert (folder / "done" / name).exists()


@pytest.mark.parametrize("name", ["\u00e9" * 125 + ".csv", "a." + "b" * 253], ids=["long", "long ending"])
def test_a_file_with_the_longest_name_there_is_gets_its_report(put, look, folder, name):
    for content in (HEADER + row("SO-1", "heavy"), HEADER + row("SO-2", "heavy")):
        put(name, content)
        assert look() == {name: "PARTIAL"}
    assert sorted(path.parent.name for path in folder.rglob("*") if path.is_file()) == ["done"] * 6
    assert [file.name for file in (folder / "done").glob("* (2)*.report.json")] != []
    # The order store knows it by its own name.
    put(name, HEADER + row("SO-1", "heavy"))
    assert look() == {name: "SKIPPED"}


class Process:
    """A look into the folder in a process of its own, which waits at a step."""

    def __init__(self, dsn, folder, step=""):
        plan = str(PROJECT / "include" / "deployment.yaml")
        self._process = subprocess.Popen(
            [sys.executable, str(Path(__file__).with_name("import_folder.py")), dsn, plan, str(folder), step],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def until_there(self):
        assert self._process.stdout.readline() == "here\n"

    def kill(self):
        self._process.kill()
        self._process.communicate()

    def finish(self):
        self._process.communicate("\n" * 20, timeout=PATIENCE_S)
        assert self._process.returncode == 0


CONTENTS = (
    "SELECT source, source_key, reference FROM orders",
    "SELECT row_number, raw, outcome, reason_code, reason, settled_at FROM inbound_records",
    "SELECT count(*) FROM inbound_batches",
    "SELECT kind FROM activity",
    "SELECT outcome, name, put_away_at IS NULL FROM inbound_files",
)
CONTENT = HEADER + "".join(row(f"SO-{number}") for number in range(50)) + row("SO-99", "heavy")
WHOLE = ["done/a.csv", "done/a.csv.report.csv", "done/a.csv.report.json"]


def contents(dsn):
    with connect(dsn) as conn:
        return [sorted(map(str, conn.execute(query.encode()).fetchall())) for query in CONTENTS]


@pytest.fixture
def undisturbed(put, postgres, migrated, folder):
    """What the order store holds after a look that nobody disturbed."""
    with connect(postgres.dsn("postgres")) as admin:
        admin.execute(f"CREATE DATABASE undisturbed_files TEMPLATE {migrated}".encode())
        put("a.csv", CONTENT)
        Process(postgres.dsn("undisturbed_files"), folder).finish()
        held = contents(postgres.dsn("undisturbed_files"))
        admin.execute("DROP DATABASE undisturbed_files WITH (FORCE)")
    for path in folder.rglob("*"):
        if path.is_file():
            path.unlink()
    return held


@pytest.mark.rule("PF-8.1-6")
@pytest.mark.parametrize("step", ["before the reports", "before the move"])
def test_killed_after_the_commit_the_next_look_finishes_and_reads_nothing_twice(put, folder, dsn, undisturbed, step):
    put("a.csv", CONTENT)
    process = Process(dsn, folder, step)
    process.until_there()
    process.kill()
    assert "a.csv" in tree(folder)

    Process(dsn, folder).finish()
    assert contents(dsn) == undisturbed
    assert tree(folder) == WHOLE
    assert summary(folder, "done/a.csv")["outcome"] == "PARTIAL"
    assert len((folder / "done/a.csv.report.csv").read_text("utf-8-sig").splitlines()) == 2


def test_killed_after_the_move_nothing_is_left_to_do(put, folder, dsn, undisturbed):
    put("a.csv", CONTENT)
    process = Process(dsn, folder, "after the move")
    process.until_there()
    process.kill()
    Process(dsn, folder).finish()
    assert tree(folder) == WHOLE
    assert contents(dsn)[:-1] == undisturbed[:-1]


def test_killed_before_the_commit_nothing_is_there_and_the_next_look_is_whole(put, folder, dsn, undisturbed, fetch):
    put("a.csv", CONTENT)
    with connect(dsn) as holder, holder.transaction():
        holder.execute("LOCK TABLE inbound_files IN EXCLUSIVE MODE")
        process = Process(dsn, folder)
        deadline = time.monotonic() + PATIENCE_S
        while not holder.execute(
            "SELECT 1 FROM pg_locks WHERE NOT granted AND relation = 'inbound_files'::regclass"
        ).fetchone():
            assert time.monotonic() < deadline
            time.sleep(0.02)
        process.kill()
    assert fetch("SELECT (SELECT count(*) FROM orders) + (SELECT count(*) FROM inbound_batches)") == [(0,)]
    assert tree(folder) == ["a.csv"]

    Process(dsn, folder).finish()
    assert contents(dsn) == undisturbed


def test_two_looks_at_once_read_a_file_once(put, folder, dsn, undisturbed):
    put("a.csv", CONTENT)
    processes = [Process(dsn, folder) for _ in range(2)]
    threads = [threading.Thread(target=process._process.communicate, kwargs={"input": "\n"}) for process in processes]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE_S)
    held = contents(dsn)
    assert held[:4] == undisturbed[:4]
