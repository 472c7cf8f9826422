"""Reads every file of a folder, one after the other, and prints what was found and what it took.

Run as a program of its own: `split_all.py FOLDER`. Prints one JSON object: for each file the faults, the digests of its
photos and the seconds; and the most memory in bytes that any of the child processes held.
"""

import hashlib
import json
import resource
import sys
import time
from pathlib import Path

from palletflow.documents.photos import Limits, split


def main(folder: Path) -> None:
    """Reads them all; this process is none of those that are measured."""
    files = {}
    for file in sorted(folder.iterdir()):
        start = time.monotonic()
        found = split(file.read_bytes(), Limits())
        files[file.name] = {
            "reasons": [fault.reason for fault in found.faults],
            "details": [fault.detail for fault in found.faults],
            "photos": [hashlib.sha256(photo.data).hexdigest() for photo in found.photos],
            "seconds": time.monotonic() - start,
        }
    memory = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024
    print(json.dumps({"files": files, "memory": memory}))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
