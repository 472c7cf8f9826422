"""Polls Palletways once as depot 123, in a process of its own that a test can kill.

Arguments: order store DSN, address of the simulator, API key, deployment file, the time it is. One note of its feed is
bad.
"""

import sys
from datetime import datetime, timedelta
from pathlib import Path

from tests.networks.palletways.ways import access

from palletflow import deployment
from palletflow.networks.palletways.poll import poll
from palletflow.store.connection import connect

dsn, root, key, plan_file, now = sys.argv[1:]
plan = deployment.load(Path(plan_file))


def clock() -> datetime:
    return datetime.fromisoformat(now)


way = access(plan, root, "123", key, clock, first_byte_timeout_s=60)
feed = way.client.notes_since
way.client.notes_since = lambda since: [*feed(since), {"TrackingID": "60000000017", "NoteText": "bad"}]  # type: ignore[method-assign]
with connect(dsn) as conn, way.client:
    poll(
        conn,
        way,
        plan,
        "123",
        asked=None,
        clock=clock,
        run="killed",
        actor="tester",
        report=lambda _: None,
        next_due_at=clock() + timedelta(minutes=5),
    )
