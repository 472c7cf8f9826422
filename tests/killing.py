"""Processes to be killed in the middle of their work, and places at which to stop them."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.conftest import PROJECT
from tests.waiting import PATIENCE_S, until

from palletflow.store import network_lock
from palletflow.store.connection import connect

DEPLOYMENT = PROJECT / "include" / "deployment.yaml"


class Process:
    """A script that does its work once, in a process of its own."""

    def __init__(self, script: Path, *arguments: object) -> None:
        self._process = subprocess.Popen(
            [sys.executable, str(script), *map(str, arguments)], env=os.environ | {"PYTHONPATH": str(PROJECT)}
        )

    def kill(self) -> None:
        """With SIGKILL, in the middle."""
        assert self._process.poll() is None, "it was to be killed in the middle, but has ended"
        self._process.kill()
        self._process.wait()

    def ended(self) -> int:
        """Waits for its end; the exit status."""
        return self._process.wait(PATIENCE_S)

    def finish(self) -> None:
        """Lets it end well."""
        assert self.ended() == 0

    def end(self) -> None:
        """Leaves nothing of it behind."""
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait()


def started(make: Callable[..., Process]) -> Iterator[Callable[..., Process]]:
    """For a fixture: gives what starts such processes, and ends them all afterwards."""
    processes: list[Process] = []

    def start(*arguments: object, **options: object) -> Process:
        processes.append(make(*arguments, **options))
        return processes[-1]

    yield start
    for process in processes:
        process.end()


@contextmanager
def stopping(dsn: str, table: str | None, network: str) -> Iterator[Callable[..., None]]:
    """Stops a process where it writes a table, or (None) where it writes what its network has or has no more.

    Gives a function that waits until one process, or so many, have been stopped. What a killed process had begun is
    rolled back by the time the block has ended.
    """
    stopped: list[int] = []
    # Who waits is asked outside of the transaction, which sees activity as it was at first.
    with connect(dsn) as conn, connect(dsn) as looking:

        def waiting(processes: int) -> bool:
            found = looking.execute(
                "SELECT DISTINCT pid FROM pg_locks JOIN pg_stat_activity USING (pid) "
                "WHERE NOT granted AND datname = current_database() AND backend_type = 'client backend'"
            ).fetchall()
            stopped[:] = [row[0] for row in found]
            return len(stopped) >= processes

        with conn.transaction():
            if table is None:
                network_lock.hold(conn, network)
            else:
                conn.execute(f"LOCK TABLE {table} IN EXCLUSIVE MODE".encode())
            yield lambda processes=1: until(lambda: waiting(processes))
        ended = "SELECT FROM pg_stat_activity WHERE pid = ANY (%s) AND state <> 'idle'"
        until(lambda: looking.execute(ended, (stopped,)).fetchone() is None)


def killed_at(dsn: str, table: str | None, start: Callable[..., Process], *arguments: object, network: str) -> None:
    """Starts a process with these arguments and kills it where `stopping` stops it."""
    with stopping(dsn, table, network) as until_stopped:
        process = start(*arguments)
        until_stopped()
        process.kill()
