"""`make backup` and `make restore`: the commands of `palletflow` with a house's order store and documents."""

import subprocess
import sys
from pathlib import Path

from palletflow.sandbox.house_postgres import house_postgres
from palletflow.sandbox.settings import environment, from_environment

BACKUP, RESTORE = "backup", "restore"


def main(command: str, folder: Path) -> int:
    """Runs the command and returns its exit status. Raises SandboxError.

    A house may run while it is backed up, and must not while it is restored.
    """
    settings = from_environment()
    with house_postgres(settings, may_run=command != RESTORE) as server:
        words = [sys.executable, "-m", "palletflow.cli", command, str(folder.absolute())]
        return subprocess.run(words, env=environment(settings, server), check=False).returncode  # noqa: S603
