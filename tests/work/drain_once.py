"""Drains once, in a process of its own that a test can kill.

Arguments: order store DSN, file that notes what the network was told. The "network" is that file: a line a call. The
handler first looks there whether its effect already happened, as every handler has to.
"""

import sys
import threading
from pathlib import Path

from palletflow.store import connection_flags
from palletflow.store.connection import Connection, connect
from palletflow.work.drain import drain
from palletflow.work.handling import Result, WorkItem

dsn, network = sys.argv[1], Path(sys.argv[2])
writing = threading.Lock()


def told(key: str) -> bool:
    return network.exists() and f"{key}\n" in network.read_text().splitlines(keepends=True)


def handler(_: Connection, item: WorkItem) -> Result:
    with writing:
        if not told(item.key):
            with network.open("a") as file:
                file.write(f"{item.key}\n")
    return Result(lambda conn: connection_flags.raise_flag(conn, item.key, "told"))


counts = drain(
    lambda: connect(dsn),
    "palletforce",
    {"dispatch": handler},
    {"dispatch": 4},
    linger_s=0,
    most_s=60,
    stop=threading.Event(),
)
print(counts.get("dispatch", {}).get("done", 0), flush=True)
