"""Polls Nexus once as PGD302, in a process of its own that a test can kill.

Arguments: order store DSN, simulator base URL, deployment file, the time it is. Ends without a word when it is done.
"""

import sys
from datetime import datetime, timedelta
from pathlib import Path

from palletflow import deployment
from palletflow.networks.nexus import settings
from palletflow.networks.nexus.client import NexusClient
from palletflow.networks.nexus.lookups import Lookups
from palletflow.networks.nexus.mapper import Mapper
from palletflow.networks.nexus.poll import poll
from palletflow.networks.nexus.wire import read_wire
from palletflow.networks.nexus.work import Access
from palletflow.store.connection import connect

dsn, base_url, plan_file, now = sys.argv[1:]
plan = deployment.load(Path(plan_file))
mapper = Mapper(plan)
parsed = settings.parse("nexus_pgd302", base_url, "sim_pgd302", "sim", {"allow_http": True})


def clock() -> datetime:
    return datetime.fromisoformat(now)


with connect(dsn) as conn, NexusClient(parsed, read_wire(mapper.template.sections), sleep=lambda _: None) as client:
    poll(
        conn,
        Access(client, Lookups(client, mapper.template.sections["ids"], clock), mapper),
        plan,
        "nexus_pgd302",
        asked=None,
        clock=clock,
        run="killed",
        actor="tester",
        report=lambda _: None,
        next_due_at=clock() + timedelta(minutes=3),
    )
