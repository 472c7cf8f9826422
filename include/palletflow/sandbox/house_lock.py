"""One house runs once: a lock on its home, which the system gives back however the holder ends."""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from palletflow.sandbox.errors import SandboxError


class HouseRuns(SandboxError):
    """The house of this home is already running."""


@contextmanager
def house_lock(home: Path) -> Iterator[None]:
    """Holds the lock of a home. Raises HouseRuns when another process holds it."""
    home.mkdir(parents=True, exist_ok=True)
    with (home / "lock").open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise HouseRuns(
                f"The house of {home} is already running. Stop it with Ctrl-C where it was started, "
                "or stand up another one with its own PALLETFLOW_HOME and ports."
            ) from None
        yield
