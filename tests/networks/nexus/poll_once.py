"""Polls Nexus once as PGD302, in a process of its own that a test can kill.

Arguments: order store DSN, simulator base URL, deployment file, the time it is. Ends without a word when it is done.
"""

import sys
from datetime import datetime, timedelta
from pathlib import Path

from tests.networks.nexus.ways import access

from palletflow import deployment
from palletflow.networks.nexus.poll import poll
from palletflow.store.connection import connect

dsn, base_url, plan_file, now = sys.argv[1:]
plan = deployment.load(Path(plan_file))


def clock() -> datetime:
    return datetime.fromisoformat(now)


way = access(plan, base_url, "PGD302", patient=True, clock=clock)
with connect(dsn) as conn, way.client:
    poll(
        conn,
        way,
        plan,
        "nexus_pgd302",
        asked=None,
        clock=clock,
        run="killed",
        actor="tester",
        report=lambda _: None,
        next_due_at=clock() + timedelta(minutes=3),
    )
