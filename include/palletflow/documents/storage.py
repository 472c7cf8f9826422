"""Object storage for the bytes of documents: a folder or an S3-compatible bucket, each content once, by its digest."""

import hashlib
import os
import re
import uuid
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, NamedTuple

from upath import UPath

from palletflow.checked_yaml import FileFault
from palletflow.network_errors import NotSent

VARIABLE = "PALLETFLOW_DOCUMENTS"
# A POD of many pages scanned in colour has about 10 MB.
MOST_BYTES = 25 * 1024 * 1024
# In the storage, where bytes lie for a while that nobody names.
ASIDE = "set-aside"
# When a file was written, in the word of its kind of storage: seconds since 1970 or a moment.
_CHANGED = ("mtime", "LastModified", "last_modified", "created")
_NAME = re.compile("[0-9a-f]{64}")


class StorageUnavailable(NotSent):
    """The object storage does not take or give a document just now: a system fault, tried again like a lost network."""

    remedy = f"Check that what {VARIABLE} names is there, has room and may be written; it is tried again by itself."


class DocumentLost(Exception):
    """A document's bytes are gone from the object storage, or are not those that were put there."""

    def __init__(self, where: str, what: str) -> None:
        super().__init__(f"{where}: {what}. Restore it from a backup of the object storage, or make it anew.")


class WrongSize(ValueError):
    """Nothing to store, or more than a document may have."""

    def __init__(self, size: int) -> None:
        super().__init__(f"a document has 1 to {MOST_BYTES:,} bytes, not {size:,}")


class Stored(NamedTuple):
    """Where bytes lie: their SHA-256, and how many there are."""

    sha256: bytes
    size: int


class Held(NamedTuple):
    """A file of the storage as it lies there. `sha256`: the digest it is named by, None for one that somebody has begun
    to write. `changed_at`: None where the storage does not tell."""

    sha256: bytes | None
    name: str
    size: int
    changed_at: datetime | None


class Storage:
    """Bytes under `<root>/<first two digits of the digest>/<digest>`. May be shared by threads and processes."""

    def __init__(self, root: UPath) -> None:
        self._root = root
        self._on_disk = root.protocol in ("", "file", "local")

    def put(self, data: bytes) -> Stored:
        """Stores bytes; the same content a second time is only looked at.

        They appear under their name whole or not at all, wherever this is interrupted: temporary name in the same
        folder, size check, rename. Raises WrongSize, StorageUnavailable.
        """
        if not 1 <= len(data) <= MOST_BYTES:
            raise WrongSize(len(data))
        stored = Stored(hashlib.sha256(data).digest(), len(data))
        place = self._place(stored.sha256)
        with _reaching(place, "put"):
            if place.exists() and place.stat().st_size == stored.size:
                return stored
            if self._on_disk:
                place.parent.mkdir(parents=True, exist_ok=True)
            temporary = place.with_name(f".{place.name}.{uuid.uuid4().hex}.part")
            try:
                self._write(temporary, data)
                temporary.rename(place)
            except Exception:
                temporary.unlink(missing_ok=True)
                raise
            if self._on_disk:
                _sync_folder(Path(place.parent.path))
        return stored

    def read(self, sha256: bytes) -> bytes:
        """The bytes with this digest. Raises DocumentLost, StorageUnavailable."""
        place = self._place(sha256)
        with _reaching(place, "read"):
            try:
                with place.open("rb") as file:
                    data = bytes(file.read(MOST_BYTES + 1))
            except FileNotFoundError:
                raise DocumentLost(str(place), "is not there") from None
        if hashlib.sha256(data).digest() != sha256:
            raise DocumentLost(str(place), "has been changed or damaged")
        return data

    def holds(self, sha256: bytes, size: int) -> bool:
        """Whether so many bytes lie there under this digest. Raises StorageUnavailable."""
        place = self._place(sha256)
        with _reaching(place, "look at"):
            return place.exists() and place.stat().st_size == size

    def listed(self, first: int) -> list[Held]:
        """What lies there under digests that begin with the byte `first`. Raises StorageUnavailable.

        Files with names that are not ours are left out.
        """
        folder = self._root / f"{first:02x}"
        with _reaching(folder, "list"):
            return [held for entry in _entries(folder) if (held := _held(entry, folder.name))]

    def remove_unfinished(self, held: Held) -> None:
        """Deletes a file that somebody began to write and did not end. Raises StorageUnavailable."""
        place = self._root / held.name.lstrip(".")[:2] / held.name
        with _reaching(place, "remove"):
            place.unlink(missing_ok=True)

    def is_there(self) -> bool:
        """Whether anything was ever stored here: a folder that is missing may not be mounted."""
        with _reaching(self._root, "look at"):
            return self._root.exists()

    def set_aside(self, sha256: bytes, today: date) -> None:
        """Takes bytes away, to be put back or deleted later. Raises StorageUnavailable."""
        place = self._place(sha256)
        with _reaching(place, "set aside"):
            self._move(place, self._aside(today, sha256))

    def aside(self) -> dict[date, list[bytes]]:
        """What is set aside, by the day that it was. Raises StorageUnavailable."""
        root = self._root / ASIDE
        with _reaching(root, "list"):
            days = [entry["name"].rstrip("/").rpartition("/")[2] for entry in _entries(root)]
            found = {day: [_held(entry, "") for entry in _entries(root / day)] for day in sorted(days)}
        return {
            date.fromisoformat(day): [held.sha256 for held in of_day if held and held.sha256]
            for day, of_day in found.items()
        }

    def put_back(self, sha256: bytes, day: date) -> None:
        """Puts bytes back that were set aside on that day. Raises StorageUnavailable."""
        place = self._place(sha256)
        with _reaching(place, "put back"):
            if place.exists():
                self._aside(day, sha256).unlink(missing_ok=True)
            else:
                self._move(self._aside(day, sha256), place)

    def delete(self, digests: Iterable[bytes], day: date) -> None:
        """Deletes for good what was set aside on that day. Raises StorageUnavailable."""
        folder = self._root / ASIDE / day.isoformat()
        with _reaching(folder, "delete"):
            for sha256 in digests:
                self._aside(day, sha256).unlink(missing_ok=True)
            if self._on_disk and folder.exists() and not any(folder.iterdir()):
                folder.rmdir()

    def _aside(self, day: date, sha256: bytes) -> UPath:
        return self._root / ASIDE / day.isoformat() / sha256.hex()

    def _move(self, place: UPath, other: UPath) -> None:
        if self._on_disk:
            other.parent.mkdir(parents=True, exist_ok=True)
        place.rename(other)

    def _write(self, temporary: UPath, data: bytes) -> None:
        with temporary.open("wb") as file:
            file.write(data)
            if self._on_disk:
                # The row that names these bytes survives a power cut, so they must as well.
                file.flush()
                os.fsync(file.fileno())
        written = temporary.stat().st_size
        if written != len(data):
            raise OSError(f"{written:,} of {len(data):,} bytes arrived")

    def _place(self, sha256: bytes) -> UPath:
        digest = sha256.hex()
        return self._root / digest[:2] / digest


def open_storage() -> Storage:
    """The storage that PALLETFLOW_DOCUMENTS names: a folder's path or `s3://bucket/folder`.

    Raises FileFault when it is not set or names a kind of storage that is not installed.
    """
    named = os.environ.get(VARIABLE, "")
    if not named:
        raise FileFault(
            Path("object storage"), [f"set {VARIABLE} to the folder or s3://bucket/folder that documents go to"]
        )
    try:
        root = UPath(named)
        _ = root.fs
    except (ValueError, ImportError) as error:
        raise FileFault(Path("object storage"), [f"{VARIABLE} is '{named}', which cannot be used: {error}"]) from error
    if not root.is_absolute():
        raise FileFault(
            Path("object storage"), [f"{VARIABLE} is '{named}', which means another folder to each process"]
        )
    return Storage(root)


def _entries(folder: UPath) -> list[dict[str, Any]]:
    """The entries of a folder as its kind of storage describes them, asked for together; none when it is not there."""
    folder.fs.invalidate_cache(folder.path)
    try:
        return list(folder.fs.ls(folder.path, detail=True))
    except FileNotFoundError:
        return []


def _held(entry: dict[str, Any], first: str) -> Held | None:
    name = entry["name"].rstrip("/").rpartition("/")[2]
    unfinished = name.startswith(f".{first}") and name.endswith(".part")
    if entry["type"] != "file" or not (unfinished or (_NAME.fullmatch(name) and name.startswith(first))):
        return None
    changed = next((entry[field] for field in _CHANGED if entry.get(field) is not None), None)
    if isinstance(changed, int | float):
        changed = datetime.fromtimestamp(changed, UTC)
    if isinstance(changed, datetime) and changed.tzinfo is None:
        changed = changed.replace(tzinfo=UTC)
    return Held(
        sha256=None if unfinished else bytes.fromhex(name),
        name=name,
        size=int(entry["size"] or 0),
        changed_at=changed if isinstance(changed, datetime) else None,
    )


@contextmanager
def _reaching(place: UPath, operation: str) -> Iterator[None]:
    try:
        yield
    except DocumentLost:
        raise
    except Exception as error:  # each kind of storage has exceptions of its own
        detail = f"{place}: {getattr(error, 'strerror', None) or error or type(error).__name__}"
        raise StorageUnavailable(VARIABLE, operation, detail) from error


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
