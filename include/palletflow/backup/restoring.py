"""Restores a backup into an empty order store: the bytes first, then every row in one transaction, then the schema.

Interrupted anywhere, the same restore is begun again: until the rows are there the store is empty, and until the end it
carries a mark that what it holds is nobody's yet.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from palletflow.backup import digests, folder, packed
from palletflow.backup.digests import Copied
from palletflow.backup.folder import BackupFault, Manifest, TableFile
from palletflow.backup.progress import Progress
from palletflow.documents.storage import Storage
from palletflow.store import dump, migrate
from palletflow.store.connection import Connection, ConnectionLost
from palletflow.store.dump import Table


class Restored(NamedTuple):
    """A restore that came to its end. `missing`: documents whose bytes the backup should have and has not."""

    place: Path
    manifest: Manifest
    copied: Copied
    missing: list[str]


def restore(conn: Connection, dsn: str, storage: Storage, given: Path, progress: Progress) -> Restored:
    """Restores the newest backup of a folder, or the one whose own folder is given. `conn` is a connection to `dsn`.

    Raises BackupFault and leaves the store as it is: when it holds anything, when the backup is of a newer schema, when
    a file of it is damaged. Raises StorageUnavailable.
    """
    place = folder.newest(given)
    manifest = folder.read(place)
    known = migrate.revisions()
    if manifest.revision not in known:
        raise BackupFault(
            f"{place} is of the schema {manifest.revision}, and this Palletflow knows {known[0]} to {known[-1]}: "
            "restore it with the Palletflow that made it, or a newer one"
        )
    held = dump.revision(conn)
    if held and held not in known:
        raise BackupFault(f"The order store is of a newer schema ({held}); restore with that Palletflow")
    _refuse_full(conn)
    progress.say(f"Restoring {place}, as of {manifest.taken_at}")
    try:
        listed = packed.read(place / folder.DIGESTS, manifest.digests_sha256, lambda _: None)
        copied = digests.bring_back(digests.listed(listed), folder.documents(place.parent), storage, progress)
        progress.say(f"  {copied.copied + copied.there:,} documents, each with the digest its row names")
        _restore_rows(conn, dsn, place, manifest, progress)
    except ConnectionLost as error:
        raise BackupFault(f"The order store went away: {error}. Restore again.") from error
    missing = sorted(set(copied.lost) - set(manifest.lost))
    return Restored(place, manifest, copied, missing)


def _refuse_full(conn: Connection) -> None:
    if not dump.is_unfinished(conn) and (full := dump.holding(conn)):
        raise BackupFault(
            f"The order store is not empty: it holds {', '.join(full)}. Stop whatever writes to it; if all of it may "
            "go, empty it with `palletflow migrate --down base`, then restore."
        )


def _restore_rows(conn: Connection, dsn: str, place: Path, manifest: Manifest, progress: Progress) -> None:
    # Once more: copying documents may have taken an hour.
    _refuse_full(conn)
    dump.make_empty(dsn, conn, manifest.revision)
    there = {table.name for table in dump.tables(conn)}
    if there != manifest.tables.keys():
        differing = ", ".join(sorted(there ^ manifest.tables.keys()))
        raise BackupFault(f"{place} and the schema {manifest.revision} have other tables: {differing}")
    with dump.loading(conn, progress.tick):
        for name, file in manifest.tables.items():
            _load(conn, place, name, file, progress)
        dump.go_on_numbering(conn, manifest.sequences)
        progress.say(f"  {manifest.rows:,} rows of {len(manifest.tables)} tables, as many as were backed up")
    if manifest.revision != migrate.revisions()[-1]:
        progress.say(f"  bringing the schema up from {manifest.revision}")
        migrate.upgrade(dsn)
    dump.finish(conn)
    progress.say("  all is restored; letting Postgres learn what the tables hold")
    dump.learn(conn)


def _load(conn: Connection, place: Path, name: str, file: TableFile, progress: Progress) -> None:
    def tick(done: int) -> None:
        progress.tick(f"{name}: {done / 1e6:,.0f} MB of {file.rows:,} rows")

    pieces: Iterator[bytes] = packed.read(place / f"{name}.copy.gz", file.sha256, tick)
    rows = dump.copy_in(conn, Table(name, file.columns), pieces)
    if rows != file.rows:
        raise BackupFault(f"{name}: {rows:,} rows came of {file.rows:,}; nothing was restored. Restore another backup.")
