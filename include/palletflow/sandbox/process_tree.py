"""Finds and ends whole families of processes, also those members that left their group or lost their parent."""

import contextlib
import os
import signal
import time
from collections.abc import Callable, Iterable

import psutil  # type: ignore[import-untyped]

# Every child of a supervisor carries this variable; it survives fork, exec, setsid and the death of the parent.
MARK = "PALLETFLOW_SUPERVISED_BY"


def same_process(pid: int, started: float) -> psutil.Process | None:
    """The process with this id if it is still the one that started then (seconds since the epoch), else None."""
    try:
        process = psutil.Process(pid)
        return process if abs(process.create_time() - started) < 1.0 and is_alive(process) else None
    except psutil.Error:
        return None


def is_alive(process: psutil.Process) -> bool:
    """Whether the process runs; one that only waits to be collected by its parent does not."""
    try:
        return bool(process.is_running() and process.status() != psutil.STATUS_ZOMBIE)
    except psutil.Error:
        return False


def descendants(process: psutil.Process) -> set[psutil.Process]:
    """Children, grandchildren and so on; none once the process itself is gone."""
    try:
        return set(process.children(recursive=True))
    except psutil.Error:
        return set()


def marked(mark: str) -> set[psutil.Process]:
    """All processes of this user (root: of all users) that a supervisor or one of its children started.

    mark: a supervisor's mark, or supervisor/name for the family of one of its children, its parent dead or not.
    """
    found = set()
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error, OSError):
            carried = process.environ().get(MARK, "")
            if process.pid != os.getpid() and (carried == mark or carried.startswith(mark + "/")):
                found.add(process)
    return found


def send(processes: Iterable[psutil.Process], number: int) -> None:
    """Sends a signal to each that still exists."""
    for process in processes:
        with contextlib.suppress(psutil.Error):
            process.send_signal(number)


def wait_until_gone(
    processes: Iterable[psutil.Process], seconds: float, hurry: Callable[[], bool] = lambda: False
) -> set[psutil.Process]:
    """Waits until all are gone, the time is up or somebody is in a hurry; returns those that still run."""
    deadline = time.monotonic() + seconds
    left = {process for process in processes if is_alive(process)}
    while left and time.monotonic() < deadline and not hurry():
        time.sleep(0.05)
        left = {process for process in left if is_alive(process)}
    return left


def end(processes: Iterable[psutil.Process], seconds: float, hurry: Callable[[], bool] = lambda: False) -> None:
    """TERM to each, KILL to those that still run after the time given."""
    wanted = set(processes)
    send(wanted, signal.SIGTERM)
    left = wait_until_gone(wanted, seconds, hurry)
    send(left, signal.SIGKILL)
    wait_until_gone(left, 2.0)
