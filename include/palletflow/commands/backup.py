"""palletflow backup and palletflow restore: the order store and its documents into a folder, and back."""

import argparse
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from palletflow.backup import restoring, taking
from palletflow.backup.folder import BackupFault
from palletflow.backup.progress import Progress
from palletflow.commands.called import Usage, order_store_dsn
from palletflow.documents.storage import open_storage
from palletflow.store.connection import connect

SHOWN = 20


def add(commands: Any) -> None:
    """Registers the commands among argparse's subcommands."""
    backup = commands.add_parser("backup", help="back up the order store and its documents into a folder")
    backup.add_argument("folder", type=Path, help="where backups lie; documents that are there are not copied again")
    backup.set_defaults(command=_backup)
    restore = commands.add_parser("restore", help="restore the newest backup of a folder into an empty order store")
    restore.add_argument("folder", type=Path, help="where backups lie, or the folder of one of them")
    restore.set_defaults(command=_restore)


def _backup(options: argparse.Namespace) -> None:
    with _faults_told(), connect(order_store_dsn()) as conn:
        taken = taking.take(conn, open_storage(), options.folder, Progress(_say))
    copied = taken.copied
    _say(
        f"{taken.place} is complete: {taken.manifest.rows:,} rows, {taken.manifest.documents:,} documents "
        f"({copied.copied:,} copied, {copied.size / 1e6:,.1f} MB; {copied.there:,} were there)"
    )
    _tell_lost("have no bytes in the object storage, so the backup has none of them", copied.lost)


def _restore(options: argparse.Namespace) -> None:
    dsn = order_store_dsn()
    with _faults_told(), connect(dsn) as conn:
        restored = restoring.restore(conn, dsn, open_storage(), options.folder, Progress(_say))
    manifest = restored.manifest
    _say(
        f"Restored as of {manifest.taken_at}: {manifest.rows:,} rows of {len(manifest.tables)} tables, "
        f"{restored.copied.copied + restored.copied.there:,} documents; counts and digests are those of the backup"
    )
    _tell_lost("had no bytes when the backup was made", manifest.lost)
    if restored.missing:
        _tell_lost("should be in the backup and are not", restored.missing)
        raise Usage("all rows are restored, but not all documents; another backup of the folder may have them")


def _tell_lost(what: str, digests: list[str]) -> None:
    if digests:
        _say(f"{len(digests):,} documents {what}:")
        for digest in digests[:SHOWN]:
            _say(f"  sha256 {digest}")
        if len(digests) > SHOWN:
            _say(f"  and {len(digests) - SHOWN:,} more")


def _say(line: str) -> None:
    print(line, flush=True)


@contextmanager
def _faults_told() -> Iterator[None]:
    """Backups hold people's addresses, so their files are for their owner alone."""
    before = os.umask(0o077)
    try:
        yield
    except BackupFault as fault:
        raise Usage(str(fault)) from fault
    finally:
        os.umask(before)
