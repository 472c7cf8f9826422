"""Puts documents into a folder, killed once at every line that storage.py executes; prints how many kills that were.

Run as a program of its own: `killed_put.py FOLDER`. Exits 1 with the reason when a kill left half a document under its
final name, or when putting it again did not mend it.
"""

import hashlib
import os
import signal
import sys
from itertools import count
from pathlib import Path
from types import FrameType
from typing import Any

from upath import UPath

from palletflow.documents import storage
from palletflow.documents.storage import Storage


def put_until_line(folder: Path, data: bytes, last: int) -> None:
    """Puts `data` and kills this process at the `last`-th line of storage.py."""
    lines = count(1)

    def watch(frame: FrameType, event: str, _arg: Any) -> Any:
        if frame.f_code.co_filename != storage.__file__:
            return None
        if event == "line" and next(lines) == last:
            os.kill(os.getpid(), signal.SIGKILL)
        return watch

    held = Storage(UPath(folder))
    sys.settrace(watch)
    held.put(data)
    sys.settrace(None)


def main(folder: Path) -> int:
    """Kills at line 1, 2, 3 and so on, each time with another document, until one is put without being killed."""
    for line in count(1):
        data = f"document {line} ".encode() * 50_000
        child = os.fork()
        if not child:
            put_until_line(folder, data, line)
            os._exit(0)
        _, status = os.waitpid(child, 0)
        digest = hashlib.sha256(data)
        final = folder / digest.hexdigest()[:2] / digest.hexdigest()
        if final.exists() and final.read_bytes() != data:
            sys.exit(f"killed at line {line}: half a document under its final name")
        held = Storage(UPath(folder))
        if held.read(held.put(data).sha256) != data:
            sys.exit(f"killed at line {line}: putting it again did not mend it")
        if not os.WIFSIGNALED(status):
            return line - 1
    raise AssertionError


if __name__ == "__main__":
    print(main(Path(sys.argv[1])))
