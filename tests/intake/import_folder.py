"""Imports what waits in a watched folder, once, in a process that tests can kill between two steps.

Usage: import_folder.py <dsn> <deployment file> <folder> [step]; at the step it writes a line to stdout and waits.
"""

import sys
from datetime import UTC, datetime
from pathlib import Path

from palletflow import deployment
from palletflow.intake.file_drops import FolderDrop, Importer
from palletflow.networks.palletforce import csv_files
from palletflow.store import files
from palletflow.store.connection import connect

NOW = datetime(2026, 7, 13, 9, 30, tzinfo=UTC)


def held_before(owner, name):
    done = getattr(owner, name)

    def stopped(*arguments):
        print("here", flush=True)
        sys.stdin.readline()
        return done(*arguments)

    setattr(owner, name, stopped)


def main(dsn, plan_file, folder, step=""):
    stops = {
        "before the reports": (FolderDrop, "write"),
        "before the move": (FolderDrop, "move"),
        "after the move": (files, "put_away"),
    }
    if step:
        held_before(*stops[step])
    plan = deployment.load(Path(plan_file))
    with connect(dsn) as conn:
        importer = Importer(
            conn, "palletforce", csv_files.kinds(plan), plan, clock=lambda: NOW, run="test", actor="tester"
        )
        importer.import_all(FolderDrop(Path(folder), now=lambda: 2e10), lambda finished: None)


main(*sys.argv[1:])
