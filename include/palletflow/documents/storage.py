"""Object storage for the bytes of documents: a folder or an S3-compatible bucket, each content once, by its digest."""

import hashlib
import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from upath import UPath

from palletflow.checked_yaml import FileFault
from palletflow.network_errors import NotSent

VARIABLE = "PALLETFLOW_DOCUMENTS"
# A POD of many pages scanned in colour has about 10 MB.
MOST_BYTES = 25 * 1024 * 1024


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
