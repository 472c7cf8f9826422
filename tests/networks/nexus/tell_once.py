"""Tells Nexus what is due once, or reads the statuses of one consignment, in a process that a test can kill.

Arguments: order store DSN, simulator base URL, deployment file, the connection's Extra as JSON, and to read statuses
the id of the consignment here.
"""

import json
import sys
import threading
from datetime import UTC, datetime
from pathlib import Path

from tests.networks.nexus.ways import access

from palletflow import deployment
from palletflow.networks.nexus.status_export import StatusExport
from palletflow.networks.nexus.status_import import store_statuses
from palletflow.networks.nexus.work import NETWORK, STATUS_EXPORT
from palletflow.store.connection import connect
from palletflow.work.drain import drain

dsn, base_url, plan_file, extra, *read = sys.argv[1:]
plan = deployment.load(Path(plan_file))
way = access(plan, base_url, "PGD302", **json.loads(extra))
if read:
    with connect(dsn) as conn:
        [(number,)] = conn.execute("SELECT tracking_number FROM consignments WHERE id = %s", read).fetchall()
        record, history = way.client.get(int(number)), way.client.history(int(number))
        store_statuses(
            conn,
            int(read[0]),
            record,
            history,
            access=way,
            plan=plan,
            read_at=datetime.now(UTC),
            actor="tester",
            source="nexus orders nexus_pgd302",
        )
else:
    handler = StatusExport(plan, lambda *_: way, lambda: datetime.now(UTC))
    drain(
        lambda: connect(dsn),
        NETWORK,
        {STATUS_EXPORT: handler},
        {STATUS_EXPORT: 1},
        linger_s=0,
        most_s=60,
        stop=threading.Event(),
    )
