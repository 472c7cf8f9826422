"""`make backup` and `make restore`: the commands of `palletflow` with a house's order store and documents."""

import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path

from palletflow.sandbox.house_lock import HouseRuns, house_lock
from palletflow.sandbox.postgres import EmbeddedPostgres, create_databases
from palletflow.sandbox.settings import environment, from_environment

BACKUP, RESTORE = "backup", "restore"


def main(command: str, folder: Path) -> int:
    """Runs the command and returns its exit status. Raises SandboxError.

    A house may run while it is backed up, and must not while it is restored.
    """
    settings = from_environment()
    with ExitStack() as stack:
        embedded = None if settings.postgres else EmbeddedPostgres(settings.home, settings.postgres_port)
        server = settings.postgres or (embedded.dsn("postgres") if embedded else "")
        try:
            stack.enter_context(house_lock(settings.home))
            if embedded:
                stack.enter_context(embedded)
            else:
                create_databases(server)
        except HouseRuns:
            if command == RESTORE:
                raise
            # Then its Postgres runs too.
        words = [sys.executable, "-m", "palletflow.cli", command, str(folder.absolute())]
        return subprocess.run(words, env=environment(settings, server), check=False).returncode  # noqa: S603
