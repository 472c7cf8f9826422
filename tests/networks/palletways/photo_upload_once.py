"""Works off the photo uploads that are due once, in a process of its own that a test can kill.

Arguments: order store DSN, deployment file, folder for documents, protocol, port of the file server, the upload
connection's Extra as JSON.
"""

import json
import sys
from pathlib import Path

from tests.networks.palletways.uploading import Dock

from palletflow import deployment
from palletflow.store.connection import connect

dsn, plan_file, folder, protocol, port, extra = sys.argv[1:]
with connect(dsn) as conn:
    dock = Dock(conn, dsn, deployment.load(Path(plan_file)), {protocol: int(port)}, Path(folder), protocol)
    dock.extra = json.loads(extra)
    dock.work()
