"""Works off everything that is due once, in a process of its own that a test can kill.

Arguments: order store DSN, simulator base URL, deployment file, folder for documents, the connections' Extra as JSON.
"""

import json
import sys
import threading
import time
from datetime import UTC, datetime
from pathlib import Path

from tests.networks.nexus.dispatching import handlers
from tests.networks.nexus.ways import access
from upath import UPath

from palletflow import deployment
from palletflow.documents.storage import Storage
from palletflow.networks.nexus.work import NETWORK
from palletflow.store.connection import connect
from palletflow.work.drain import drain

dsn, base_url, plan_file, folder, extra = sys.argv[1:]
plan = deployment.load(Path(plan_file))
accesses = {
    depot: access(plan, base_url, depot, sleep=time.sleep, **json.loads(extra))
    for depot in plan.network(NETWORK).depots
}
made = handlers(plan, lambda _, depot: accesses[depot], Storage(UPath(folder)), lambda: datetime.now(UTC))
drain(lambda: connect(dsn), NETWORK, made, dict.fromkeys(made, 1), linger_s=0, most_s=60, stop=threading.Event())
