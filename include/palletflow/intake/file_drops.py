"""Places where files to import are put, and what happens to each: read once, reported on, put away (contract 8.1).

A file ends in the folder `done` or `rejected` beside where it lay, never over another one, with its report beside it:
<name>.report.json with the counts and <name>.report.csv with every quarantined row. The import is committed first, then
the reports are written, then the file is moved; what is interrupted in between is finished by the next look.
"""

import csv
import json
import logging
import os
import stat
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import datetime
from pathlib import Path, PurePath
from typing import Any, BinaryIO, NamedTuple, Protocol, TextIO

from palletflow.deployment import Deployment
from palletflow.intake.file_import import FileMoved, import_file
from palletflow.intake.file_kinds import FileKinds
from palletflow.store import files
from palletflow.store.connection import Connection, ConnectionLost
from palletflow.store.files import DONE, PARTIAL, REJECTED, SKIPPED, ReadFile

PUT_AWAY = {DONE: "done", PARTIAL: "done", SKIPPED: "done", REJECTED: "rejected"}
UNFINISHED = (".tmp", ".temp", ".part", ".partial", ".filepart", ".crdownload", ".unfinished", ".swp", "~")
REPORTS = (".report.csv", ".report.json")
# What a file is called while we write it has this after its name and a dot before it.
BEING_WRITTEN = ".unfinished"
# The longest name that disks take, and what still counts as the ending of one.
MOST_NAME_BYTES, LONGEST_ENDING = 255, 10
# A run takes a few files; the next one comes soon. Those that cannot be handled stay, and stand before no others.
MOST_FILES, MOST_TRIED = 20, 200
# A file is whole when nobody has written it for so long.
SETTLED_S = 10.0
REPORT_COLUMNS = ("row", "column", "reason code", "reason", "record", "raw row")
# What a spreadsheet would take for a formula.
FORMULA = ("=", "+", "-", "@", "\t", "\r")

log = logging.getLogger(__name__)


class NoSuchFile(ValueError):
    """The file asked for is not there, or not in the watched folder."""


class Waiting(NamedTuple):
    """A file that lies in a drop; `version` changes when it is written."""

    name: str
    place: str
    version: tuple[int, ...]


class Drop(Protocol):
    """A place for files. Its methods raise OSError and what its connection raises."""

    def waiting(self) -> list[Waiting]:
        """Files that nobody writes any more, oldest first."""

    def opened(self, file: Waiting, most_bytes: int) -> AbstractContextManager[BinaryIO]:
        """A file's content; of a file with more than `most_bytes` at least one byte more than that."""

    def unchanged(self, file: Waiting) -> bool:
        """Whether it is still what was found."""

    def taken(self, folder: str, name: str) -> bool:
        """Whether a folder of the drop has a file of this name."""

    def write(self, folder: str, name: str, content: Path) -> None:
        """Makes a file appear whole, over an older one of this name."""

    def move(self, file: Waiting, folder: str, name: str) -> None:
        """Moves a file into a folder of the drop under a name that is not taken."""


class Finished(NamedTuple):
    """What became of a file of a drop."""

    name: str
    outcome: str
    file: ReadFile

    def line(self) -> str:
        """The one line for the task log."""
        if self.outcome == SKIPPED:
            return f"File {self.name}: SKIPPED, it was read on {self.file.read_at:%Y-%m-%d %H:%M} UTC"
        if self.outcome == REJECTED:
            return f"File {self.name}: REJECTED, it {self.file.reason}"
        return (
            f"File {self.name}: {self.outcome}, {self.file.read} rows read, {self.file.landed} landed, "
            f"{self.file.unchanged} unchanged, {self.file.quarantined} quarantined"
        )


class Importer:
    """Imports the files of drops of one network."""

    def __init__(
        self,
        conn: Connection,
        network: str,
        kinds: FileKinds,
        plan: Deployment,
        *,
        clock: Callable[[], datetime],
        run: str,
        actor: str,
    ) -> None:
        self._conn, self._network, self._kinds, self._plan = conn, network, kinds, plan
        self._clock, self._run, self._actor = clock, run, actor

    def import_all(self, drop: Drop, report: Callable[[Finished], None]) -> dict[str, int]:
        """Imports what waits in a drop; gives how many files ended in each way.

        A file that cannot be handled stops no other one; its error is raised when all others are done. A lost order
        store is raised at once.
        """
        ends: dict[str, int] = {}
        failures: list[Exception] = []
        for waiting in drop.waiting()[:MOST_TRIED]:
            if sum(ends.values()) == MOST_FILES:
                break
            try:
                finished = self.import_one(drop, waiting, None)
            except FileMoved as moved:
                log.info("%s", moved)
                continue
            except ConnectionLost:
                raise
            except Exception as error:
                log.exception("File %s could not be handled; it stays where it is", shown(waiting.name))
                failures.append(error)
                continue
            report(finished)
            ends[finished.outcome] = ends.get(finished.outcome, 0) + 1
        if failures:
            raise failures[0]
        return ends

    def import_one(self, drop: Drop, waiting: Waiting, asked: str | None) -> Finished:
        """Imports one file and puts it away; `asked` is the kind a person gave. Raises FileMoved."""
        with drop.opened(waiting, self._kinds.limits.most_bytes) as content:
            imported = import_file(
                self._conn,
                self._network,
                self._kinds,
                self._plan,
                content,
                shown(waiting.name),
                asked=asked,
                now=self._clock(),
                run=self._run,
                actor=self._actor,
                unchanged=lambda: drop.unchanged(waiting),
            )
        file = imported.file
        finished = Finished(shown(waiting.name), SKIPPED if imported.before and file.put_away else file.outcome, file)
        self._put_away(drop, waiting, finished)
        return finished

    def _put_away(self, drop: Drop, waiting: Waiting, finished: Finished) -> None:
        folder = PUT_AWAY[finished.outcome]
        name = _free(drop, folder, waiting.name)
        with tempfile.TemporaryDirectory() as workshop:
            summary = Path(workshop) / "report.json"
            summary.write_text(json.dumps(self._summary(finished), indent=2, ensure_ascii=False), "utf-8")
            rows = Path(workshop) / "report.csv"
            if finished.outcome == PARTIAL:
                with rows.open("w", encoding="utf-8-sig", newline="") as output:
                    self._write_rows(output, finished.file.id)
                drop.write(folder, f"{name}{REPORTS[0]}", rows)
            drop.write(folder, f"{name}{REPORTS[1]}", summary)
        drop.move(waiting, folder, name)
        files.put_away(self._conn, finished.file.id)

    def _summary(self, finished: Finished) -> dict[str, Any]:
        file, rows = finished.file, finished.outcome in (DONE, PARTIAL)
        return {
            "file": finished.name,
            "outcome": finished.outcome,
            "reason": file.reason if finished.outcome == REJECTED else None,
            "kind": file.stream,
            "read_at": file.read_at.isoformat(),
            "rows": {
                "read": file.read if rows else 0,
                "landed": file.landed if rows else 0,
                "unchanged": file.unchanged if rows else 0,
                "quarantined": file.quarantined if rows else 0,
            },
            "consignments_made": file.consignments if rows else 0,
            "warnings": {**dict.fromkeys(file.warnings, 1), **files.warnings(self._conn, file.id)} if rows else {},
        }

    def _write_rows(self, output: TextIO, file_id: int) -> None:
        writer = csv.writer(output)
        writer.writerow(REPORT_COLUMNS)
        for row in files.quarantined(self._conn, file_id):
            number, column, code, reason, raw, record = row
            writer.writerow((number, _plain(column or ""), code, _plain(reason), record, _plain(raw)))


def _plain(text: str) -> str:
    """Text that no spreadsheet carries out."""
    return f"'{text}" if text.startswith(FORMULA) else text


def shown(name: str) -> str:
    """A file name as it can be stored and printed; what is no text in it becomes a question mark."""
    text = os.fsencode(name).decode("utf-8", "replace")
    return "".join(sign if sign.isprintable() and sign != "\ufffd" else "?" for sign in text)


def wanted(name: str) -> bool:
    """Whether a file of this name is meant to be read: finished, not hidden, and no report of ours."""
    return not name.startswith((".", "~")) and not name.casefold().endswith((*UNFINISHED, *REPORTS))


def _free(drop: Drop, folder: str, name: str) -> str:
    """The name, or the next one of its kind that the folder does not have; cut where its report's would be too long."""
    free, count = _fitting(name, ""), 1
    while drop.taken(folder, free):
        count += 1
        free = _fitting(name, f" ({count})")
    return free


def _fitting(name: str, mark: str) -> str:
    parts = PurePath(name)
    stem, ending = (parts.stem, parts.suffix) if len(parts.suffix) <= LONGEST_ENDING else (name, "")
    while len(os.fsencode(f".{stem}{mark}{ending}{REPORTS[1]}{BEING_WRITTEN}")) > MOST_NAME_BYTES:
        stem = stem[:-1]
    return f"{stem}{mark}{ending}"


class FolderDrop:
    """A watched folder of this machine, made when it is not there."""

    def __init__(self, folder: Path, now: Callable[[], float] = time.time) -> None:
        self._folder, self._now = folder, now
        for name in sorted({"", *PUT_AWAY.values()}):
            (folder / name).mkdir(parents=True, exist_ok=True)

    def waiting(self) -> list[Waiting]:
        """See Drop. A link is left alone: it could lead anywhere."""
        found = []
        for entry in os.scandir(self._folder):
            if not (wanted(entry.name) and entry.is_file(follow_symlinks=False)):
                continue
            state = entry.stat(follow_symlinks=False)
            # The file's mtime may be that of its original; the ctime is always that of the last write here.
            if self._now() - state.st_ctime >= SETTLED_S:
                found.append((state.st_ctime_ns, Waiting(entry.name, entry.path, _version(state))))
        return [file for _, file in sorted(found)]

    def asked(self, path: str) -> Waiting:
        """A file of the folder or of what lies in it, by its path there. Raises NoSuchFile."""
        place = self._folder / path
        inside = place.resolve().is_relative_to(self._folder.resolve())
        if not inside or place.is_symlink() or not place.is_file():
            raise NoSuchFile(f"{path} is no file in {self._folder}; give its path in there, e.g. orders.csv")
        return Waiting(place.name, str(place), _version(place.stat()))

    @contextmanager
    def opened(self, file: Waiting, most_bytes: int) -> Iterator[BinaryIO]:
        """See Drop."""
        with open(os.open(file.place, os.O_RDONLY | os.O_NOFOLLOW), "rb") as content:  # noqa: PTH123
            yield content

    def unchanged(self, file: Waiting) -> bool:
        """See Drop."""
        try:
            return _version(os.lstat(file.place)) == file.version
        except FileNotFoundError:
            return False

    def taken(self, folder: str, name: str) -> bool:
        """See Drop."""
        return os.path.lexists(self._folder / folder / name)

    def write(self, folder: str, name: str, content: Path) -> None:
        """See Drop."""
        unfinished = self._folder / folder / f".{name}{BEING_WRITTEN}"
        unfinished.write_bytes(content.read_bytes())
        unfinished.replace(self._folder / folder / name)

    def move(self, file: Waiting, folder: str, name: str) -> None:
        """See Drop."""
        Path(file.place).rename(self._folder / folder / name)


def _version(state: os.stat_result) -> tuple[int, ...]:
    return stat.S_IFMT(state.st_mode), state.st_ino, state.st_size, state.st_mtime_ns
