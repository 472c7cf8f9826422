"""Polls the statuses of depot 901 once, in a process of its own that a test can kill.

Arguments: order store DSN, simulator base URL, deployment file, the time it is.
"""

import sys
from datetime import datetime
from pathlib import Path

from palletflow import deployment
from palletflow.networks.palletforce import settings
from palletflow.networks.palletforce.client import PalletforceClient
from palletflow.networks.palletforce.mapper import Mapper
from palletflow.networks.palletforce.simulator import ACCESS_KEYS
from palletflow.networks.palletforce.status_import import StatusImport
from palletflow.store.connection import connect

dsn, base_url, plan_file, text = sys.argv[1:]
now = datetime.fromisoformat(text)
plan = deployment.load(Path(plan_file))
parsed = settings.parse("palletforce_901", base_url, ACCESS_KEYS["901"], {"allow_http": True})
mapper = Mapper(plan, parsed.local_time, parsed.import_unaccepted)
with connect(dsn) as conn, PalletforceClient(parsed, mapper.template.aliases) as client:
    importer = StatusImport(conn, client, mapper, clock=lambda: now, actor="tester")
    importer.poll("901", list(plan.network("palletforce").depots), polled_before=now)
