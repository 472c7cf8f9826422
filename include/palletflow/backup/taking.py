"""Makes a backup: every table of one moment, then the bytes that its rows name, then the word that it is whole."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from palletflow.backup import digests, folder, packed
from palletflow.backup.digests import Copied, Digest
from palletflow.backup.folder import BackupFault, Manifest, TableFile
from palletflow.backup.progress import Progress
from palletflow.documents.storage import Storage
from palletflow.store import dump, migrate, session_lock, stored_bytes
from palletflow.store.connection import Connection, ConnectionLost
from palletflow.store.dump import Table

# Whoever deletes bytes is done by then.
PATIENCE_S = 1800.0
LOOK_EVERY_S = 2.0


class Taken(NamedTuple):
    """A backup that is finished: where it lies, what it holds, and what became of the documents."""

    place: Path
    manifest: Manifest
    copied: Copied


def take(conn: Connection, storage: Storage, into: Path, progress: Progress) -> Taken:
    """Backs the order store and its documents up into a folder, beside earlier backups.

    Interrupted, it leaves the earlier ones as they are. Raises BackupFault, StorageUnavailable.
    """
    try:
        with _nobody_deletes(conn, progress):
            return _take(conn, storage, into, progress)
    except ConnectionLost as error:
        raise BackupFault(f"The order store went away: {error}. Make the backup again.") from error
    except OSError as error:
        raise BackupFault(f"{error.filename or into} cannot be written: {error.strerror}") from error


def _take(conn: Connection, storage: Storage, into: Path, progress: Progress) -> Taken:
    with dump.snapshot(conn) as taken_at:
        revision = dump.revision(conn)
        if revision is None:
            raise BackupFault("The order store has no tables: there is nothing to back up")
        if revision not in migrate.revisions():
            raise BackupFault(f"The order store is of a newer schema ({revision}); back it up with that Palletflow")
        place = folder.begin(into, taken_at)
        progress.say(f"Backing up into {place}")
        tables = {table.name: _write_table(conn, table, place, progress) for table in dump.tables(conn)}
        count = size = 0

        def counted() -> Iterator[Digest]:
            nonlocal count, size
            for digest in digests.of_store(conn):
                count, size = count + 1, size + digest.size
                yield digest

        listed = packed.write(place / folder.DIGESTS, digests.written(counted()), lambda _: None)
    # After the snapshot: of this moment or later, so that no number of a row that is in it is given again.
    numbers = dump.sequences(conn)
    progress.say(f"  {sum(table.rows for table in tables.values()):,} rows of {len(tables)} tables")
    if count and not storage.is_there():
        raise BackupFault(
            "The object storage is not there, though documents were stored in it; see PALLETFLOW_DOCUMENTS"
        )
    named = digests.listed(packed.read(place / folder.DIGESTS, listed, lambda _: None))
    copied = digests.keep(named, storage, folder.documents(into), progress)
    manifest = Manifest(
        taken_at=taken_at.isoformat(),
        revision=revision,
        tables=tables,
        sequences=numbers,
        digests_sha256=listed,
        documents=count,
        bytes=size,
        lost=copied.lost,
    )
    folder.finish(place, manifest)
    return Taken(place, manifest, copied)


def _write_table(conn: Connection, table: Table, place: Path, progress: Progress) -> TableFile:
    rows = 0

    def counted() -> Iterator[bytes | bytearray | memoryview]:
        nonlocal rows
        for row in dump.copy_out(conn, table):
            rows += 1
            yield row

    sha256 = packed.write(
        place / f"{table.name}.copy.gz",
        counted(),
        lambda done: progress.tick(f"{table.name}: {rows:,} rows, {done / 1e6:,.0f} MB"),
    )
    return TableFile(table.columns, rows, sha256)


@contextmanager
def _nobody_deletes(conn: Connection, progress: Progress) -> Iterator[None]:
    """Waits for housekeeping, and keeps it from deleting bytes that are still to be copied."""
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        with session_lock.alone(conn, stored_bytes.UPKEEP) as alone:
            if alone:
                yield
                return
        progress.tick("waiting for the maintenance, or another backup, to end")
        time.sleep(LOOK_EVERY_S)
    raise BackupFault("The maintenance, or another backup, has not ended for half an hour; try again when it has")
