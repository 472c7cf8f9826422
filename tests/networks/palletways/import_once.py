"""Works off the look-ups that are due, or imports what was entered at depot 123, in a process that a test can kill.

Arguments: "look_up" or "entered", order store DSN, root of the simulator, deployment file, the time it is, the keys of
our depots as JSON.
"""

import json
import sys
import threading
from datetime import datetime
from pathlib import Path

from tests.networks.palletways.import_access import access

from palletflow import deployment
from palletflow.networks.palletways.entered import import_entered
from palletflow.networks.palletways.look_up import LookUp
from palletflow.networks.palletways.work import LOOK_UP, NETWORK
from palletflow.store.connection import connect
from palletflow.work.drain import drain

what, dsn, root, plan_file, now, keys = sys.argv[1:]
plan = deployment.load(Path(plan_file))
accesses = {depot: access(plan, root, depot, key, {}) for depot, key in json.loads(keys).items()}


def clock() -> datetime:
    return datetime.fromisoformat(now)


if what == "entered":
    with connect(dsn) as conn:
        import_entered(conn, accesses["123"], plan, "123", clock=clock, run="killed", actor="daily")
else:
    handler = LookUp(plan, lambda _, depot: accesses[depot], clock)
    drain(
        lambda: connect(dsn), NETWORK, {LOOK_UP: handler}, {LOOK_UP: 1}, linger_s=0, most_s=60, stop=threading.Event()
    )
