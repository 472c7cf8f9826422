"""What lies in a backup folder.

<folder>/documents/            the bytes of documents, an object storage like the one they come from; shared
<folder>/2026-11-22T032000.000000Z/   one backup, named by the moment it is of
    consignments.copy.gz ...   each table as COPY text
    digests.gz                 the bytes its rows name: "documents <sha256> <size>" a line
    backup.json                what it holds; written last, so a backup without it was never finished
"""

import json
import os
import shutil
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path

from upath import UPath

from palletflow.documents.storage import Storage

MANIFEST, DIGESTS, DOCUMENTS = "backup.json", "digests.gz", "documents"
FORMAT = 1
NAME = "%Y-%m-%dT%H%M%S.%fZ"
# Older ones go when a new one is finished.
KEPT = 7


class BackupFault(Exception):
    """A backup cannot be made or restored as asked: the sentence says why and what to do."""


@dataclass(frozen=True)
class TableFile:
    """The file of one table: its columns in order, how many rows, and the SHA-256 of the file in hexadecimal."""

    columns: list[str]
    rows: int
    sha256: str


@dataclass(frozen=True)
class Manifest:
    """What a backup holds. `taken_at`: the moment it is of, ISO 8601 in UTC. `revision`: of its schema.

    `sequences`: the last number given, by "table.column". `digests_sha256`: of that file; `documents` and `bytes`: how
    many it names. `lost`: digests that had no bytes when the backup was made.
    """

    taken_at: str
    revision: str
    tables: Mapping[str, TableFile]
    sequences: Mapping[str, int]
    digests_sha256: str
    documents: int
    bytes: int
    lost: list[str]

    @property
    def rows(self) -> int:
        """Of all tables."""
        return sum(table.rows for table in self.tables.values())


def documents(folder: Path) -> Storage:
    """The storage with the bytes of all backups of a folder."""
    return Storage(UPath(folder.absolute() / DOCUMENTS))


def begin(folder: Path, taken_at: datetime) -> Path:
    """Makes the folder of a new backup; what was never finished is thrown away."""
    folder.mkdir(parents=True, exist_ok=True)
    for place in _all(folder):
        if not (place / MANIFEST).exists():
            shutil.rmtree(place)
    place = folder / taken_at.strftime(NAME)
    place.mkdir()
    return place


def finish(place: Path, manifest: Manifest) -> None:
    """Makes a backup one that can be restored, on the disk before it is called one; then the oldest go."""
    file = place / MANIFEST
    unfinished = file.with_suffix(".unfinished")
    with unfinished.open("w", encoding="utf-8") as output:
        json.dump({"format": FORMAT, **asdict(manifest)}, output, indent=1)
        output.flush()
        os.fsync(output.fileno())
    unfinished.rename(file)
    for folder in (place, place.parent):
        sync(folder)
    finished = [one for one in _all(place.parent) if (one / MANIFEST).exists()]
    for old in finished[:-KEPT]:
        # First what makes it one, so that it is never half of one.
        (old / MANIFEST).unlink()
        shutil.rmtree(old)


def newest(folder: Path) -> Path:
    """The backup to restore: the folder itself if it is one, else the newest finished one in it. Raises BackupFault."""
    if (folder / MANIFEST).exists():
        return folder
    finished = [place for place in _all(folder) if (place / MANIFEST).exists()] if folder.is_dir() else []
    if not finished:
        raise BackupFault(f"{folder} holds no finished backup")
    return finished[-1]


def read(place: Path) -> Manifest:
    """What a backup holds. Raises BackupFault."""
    try:
        content = json.loads((place / MANIFEST).read_text("utf-8"))
        if content.pop("format") != FORMAT:
            raise BackupFault(f"{place} was made by a newer Palletflow; restore it with that one")
        tables = {name: TableFile(**table) for name, table in content.pop("tables").items()}
        return Manifest(tables=tables, **content)
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise BackupFault(f"{place / MANIFEST} cannot be read: {error}") from error


def sync(place: Path) -> None:
    """Waits until a file or folder is on the disk."""
    descriptor = os.open(place, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _all(folder: Path) -> list[Path]:
    """The backups of a folder, finished or not, the oldest first."""
    return sorted(place for place in folder.iterdir() if place.is_dir() and _is_moment(place.name))


def _is_moment(name: str) -> bool:
    try:
        datetime.strptime(name, NAME)  # noqa: DTZ007 - UTC by its Z
    except ValueError:
        return False
    return True
