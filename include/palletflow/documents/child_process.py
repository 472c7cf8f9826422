"""A child process that opens one file of a stranger, with limits of memory and time, and may die of it as it will.

The child is a module of ours with `__main__`; it limits itself with child_limits.limit() before it reads.
"""

import os
import selectors
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import BinaryIO

# With what the system shares out between processes this stays under 300 MB.
MOST_MEMORY = 280 * 1024 * 1024
CHUNK = 1 << 20
# All else that surrounds this process is kept from a file that takes the child over: passwords are among it.
PASSED_ON = ("LD_LIBRARY_PATH",)


class ReaderBroken(RuntimeError):
    """The process that opens files does not start; a fault of this installation and of no file."""


class Child:
    """A child process that reads one file from its standard input, and what it has answered so far.

    Its arguments are `asked`, the bytes of memory and the seconds that it has, and the number of a file descriptor for
    each of `lent`. Raises OSError.
    """

    def __init__(
        self,
        module: str,
        asked: Sequence[str],
        data: bytes,
        seconds: float,
        *lent: bytes,
        memory: int = MOST_MEMORY,
    ) -> None:
        self.answer = bytearray()
        self._seconds = seconds
        self._deadline = time.monotonic() + seconds
        with ExitStack() as stack:
            file, *more = (stack.enter_context(_lent(one)) for one in (data, *lent))
            numbers = [one.fileno() for one in more]
            arguments = [*asked, str(memory), str(seconds), *map(str, numbers)]
            self._process = subprocess.Popen(  # noqa: S603 - a module of ours
                [sys.executable, "-I", "-m", module, *arguments],
                stdin=file,
                pass_fds=numbers,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                pipesize=CHUNK,
                env={name: os.environ[name] for name in PASSED_ON if name in os.environ},
                start_new_session=True,
            )

    def listen(self, most_bytes: int) -> str | None:
        """Takes the answer in, to its end; the limit that was met otherwise."""
        out = self._process.stdout
        assert out is not None
        with selectors.DefaultSelector() as selector:
            selector.register(out, selectors.EVENT_READ)
            while selector.select(max(self._left(), 0)):
                chunk = os.read(out.fileno(), CHUNK)
                if not chunk:
                    return None
                self.answer += chunk
                if len(self.answer) > most_bytes:
                    return f"its pictures have more than {most_bytes:,} bytes together"
        return f"reading it takes more than {self._seconds:g} s"

    def end(self) -> int:
        """Leaves nothing of it behind; its exit code, or less than 0 the signal that it died of."""
        out = self._process.stdout
        assert out is not None
        out.close()
        # Not reaped before the whole group is killed: until then its number is no other's.
        ended = os.WEXITED | os.WNOHANG | os.WNOWAIT
        while os.waitid(os.P_PID, self._process.pid, ended) is None and self._left() > 0:
            time.sleep(0.001)
        os.killpg(self._process.pid, signal.SIGKILL)
        return self._process.wait()

    def _left(self) -> float:
        return self._deadline - time.monotonic()


@contextmanager
def _lent(data: bytes) -> Iterator[BinaryIO]:
    """A file without a name for a child to read the bytes from."""
    with tempfile.TemporaryFile() as file:
        file.write(data)
        file.seek(0)
        yield file
