"""Tells Palletways what is due once, in a process of its own that a test can kill.

Arguments: order store DSN, address of the simulator, API key, deployment file, the template laid over, the connection's
Extra as JSON.
"""

import json
import sys
import threading
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from tests.networks.palletways.ways import access

from palletflow import deployment
from palletflow.networks.palletways.notes_out import NotesOut
from palletflow.networks.palletways.work import NETWORK, NOTES_OUT
from palletflow.store.connection import connect
from palletflow.work.drain import drain

dsn, root, key, plan_file, template, extra = sys.argv[1:]
plan = deployment.load(Path(plan_file))
ours = replace(plan.network(NETWORK), template=Path(template))
plan = replace(plan, networks={**plan.networks, NETWORK: ours})


def clock() -> datetime:
    return datetime.now(UTC)


way = access(plan, root, "123", key, clock, **json.loads(extra))
drain(
    lambda: connect(dsn),
    NETWORK,
    {NOTES_OUT: NotesOut(plan, lambda *_: way, clock)},
    {NOTES_OUT: 1},
    linger_s=0,
    most_s=60,
    stop=threading.Event(),
)
