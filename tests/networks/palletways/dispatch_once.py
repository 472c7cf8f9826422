"""Works off everything that is due once, in a process of its own that a test can kill.

Arguments: order store DSN, simulator address, deployment file, folder for documents, the key of each depot as JSON, the
connections' Extra as JSON.
"""

import json
import sys
import threading
import time
from datetime import UTC, datetime
from pathlib import Path

from tests.networks.palletways.dispatching import access, handlers
from upath import UPath

from palletflow import deployment
from palletflow.documents.storage import Storage
from palletflow.networks.palletways.work import NETWORK
from palletflow.store.connection import connect
from palletflow.work.drain import drain

dsn, root, plan_file, folder, keys, extra = sys.argv[1:]
plan = deployment.load(Path(plan_file))
accesses = {
    depot: access(plan, root, depot, key, json.loads(extra), time.sleep) for depot, key in json.loads(keys).items()
}
made = handlers(plan, lambda _, depot: accesses[depot], Storage(UPath(folder)), lambda: datetime.now(UTC))
drain(lambda: connect(dsn), NETWORK, made, dict.fromkeys(made, 1), linger_s=0, most_s=60, stop=threading.Event())
