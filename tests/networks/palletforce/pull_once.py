"""Pulls depot 900 once, in a process of its own that a test can kill.

Arguments: order store DSN, simulator base URL, deployment file, the time it is. Says "committed" after each window and
waits for a line on stdin before it goes on.
"""

import sys
from datetime import datetime, timedelta
from pathlib import Path

from palletflow import deployment
from palletflow.networks.palletforce import settings
from palletflow.networks.palletforce.client import PalletforceClient
from palletflow.networks.palletforce.mapper import Mapper
from palletflow.networks.palletforce.pull import Pulled, pull_depot
from palletflow.networks.palletforce.simulator import ACCESS_KEYS
from palletflow.store.connection import connect


def report(_: Pulled) -> None:
    print("committed", flush=True)
    sys.stdin.readline()


dsn, base_url, plan_file, now = sys.argv[1:]
plan = deployment.load(Path(plan_file))
parsed = settings.parse("palletforce_900", base_url, ACCESS_KEYS["900"], {"allow_http": True})
mapper = Mapper(plan, parsed.local_time, parsed.import_unaccepted)
with connect(dsn) as conn, PalletforceClient(parsed, mapper.template.aliases) as client:
    pull_depot(
        conn,
        client,
        mapper,
        plan,
        "900",
        asked=None,
        clock=lambda: datetime.fromisoformat(now),
        run="killed",
        actor="tester",
        report=report,
        next_due_at=datetime.fromisoformat(now) + timedelta(minutes=30),
    )
