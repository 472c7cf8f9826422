"""Waiting for something to become true, with a deadline instead of a guess."""

import time
from collections.abc import Callable
from pathlib import Path

import psutil

from palletflow.sandbox.process_tree import is_alive


def until(what: str, condition: Callable[[], object], seconds: float = 30.0) -> None:
    """Fails the test when the condition does not become true in time."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"not within {seconds:.0f} s: {what}"
        time.sleep(0.02)


def lives(pid: int) -> bool:
    return psutil.pid_exists(pid) and is_alive(psutil.Process(pid))


def pid_in(file: Path) -> int:
    """The process id a child wrote into a file."""
    until(f"a pid in {file.name}", lambda: file.exists() and file.read_text().strip())
    return int(file.read_text())
