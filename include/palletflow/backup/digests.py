"""The bytes a backup's rows name: as its file lists them, and copied from one storage to another."""

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from itertools import islice
from typing import NamedTuple

from palletflow.backup.folder import BackupFault
from palletflow.backup.progress import Progress
from palletflow.documents.quarantine import Quarantine
from palletflow.documents.storage import DocumentLost, Storage
from palletflow.store import stored_bytes
from palletflow.store.connection import Connection

KINDS = (stored_bytes.DOCUMENTS, stored_bytes.QUARANTINE)
# A thread holds one document of at most 25 MB; most of its time it waits for a disk or a bucket.
THREADS = 4
TOGETHER = 256


class Digest(NamedTuple):
    """Bytes that rows of a table (store.stored_bytes) name."""

    table: str
    sha256: bytes
    size: int


class Copied(NamedTuple):
    """What became of them: copied now, there before, and nowhere to be found. `size`: bytes copied."""

    copied: int
    there: int
    size: int
    lost: list[str]


def of_store(conn: Connection) -> Iterator[Digest]:
    """What the order store's rows name, within a transaction of the caller's."""
    for table in KINDS:
        for sha256, size in stored_bytes.every(conn, table):
            yield Digest(table, sha256, size)


def written(digests: Iterable[Digest]) -> Iterator[bytes]:
    """The lines of the file that lists them."""
    for table, sha256, size in digests:
        yield f"{table} {sha256.hex()} {size}\n".encode()


def listed(pieces: Iterable[bytes]) -> Iterator[Digest]:
    """What a file lists. Raises BackupFault."""
    rest = b""
    for piece in pieces:
        *lines, rest = (rest + piece).split(b"\n")
        for line in lines:
            try:
                table, sha256, size = line.decode().split(" ")
                yield Digest(KINDS[KINDS.index(table)], bytes.fromhex(sha256), int(size))
            except ValueError as error:
                raise BackupFault(f"The list of documents has a line that is none: {error}") from error


def keep(digests: Iterable[Digest], source: Storage, target: Storage, progress: Progress) -> Copied:
    """Copies into a backup; what is there with its size is there. Raises StorageUnavailable."""

    def copy(digest: Digest) -> bool:
        kept = _of(target, digest)
        if kept.holds(digest.sha256, digest.size):
            return False
        kept.put(_of(source, digest).read(digest.sha256))
        return True

    return _all(digests, copy, progress)


def bring_back(digests: Iterable[Digest], source: Storage, target: Storage, progress: Progress) -> Copied:
    """Copies out of a backup; what is there already is read, and replaced if it is damaged.

    Raises StorageUnavailable.
    """
    today = datetime.now(UTC).date()

    def copy(digest: Digest) -> bool:
        held = _of(target, digest)
        if held.holds(digest.sha256, digest.size):
            try:
                held.read(digest.sha256)
            except DocumentLost:
                data = _of(source, digest).read(digest.sha256)
                held.set_aside(digest.sha256, today)
                held.put(data)
                return True
            return False
        held.put(_of(source, digest).read(digest.sha256))
        return True

    return _all(digests, copy, progress)


def _all(digests: Iterable[Digest], copy: Callable[[Digest], bool], progress: Progress) -> Copied:
    copied = there = size = 0
    lost: list[str] = []

    def one(digest: Digest) -> bool | None:
        try:
            return copy(digest)
        except DocumentLost:
            return None

    left = iter(digests)
    with ThreadPoolExecutor(THREADS) as pool:
        while some := list(islice(left, TOGETHER)):
            for digest, done in zip(some, pool.map(one, some), strict=True):
                copied, there = copied + (done is True), there + (done is False)
                size += digest.size if done else 0
                if done is None:
                    lost.append(digest.sha256.hex())
            progress.tick(f"documents: {copied + there:,} ({copied:,} copied, {size / 1e6:,.1f} MB), {len(lost)} lost")
    return Copied(copied, there, size, lost)


def _of(storage: Storage, digest: Digest) -> Storage:
    return Quarantine(storage) if digest.table == stored_bytes.QUARANTINE else storage
