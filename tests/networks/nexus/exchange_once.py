"""Works off the documents and ETAs that are due once, in a process of its own that a test can kill.

Arguments: order store DSN, simulator base URL, deployment file, folder for documents, the connection's Extra as JSON.
"""

import json
import sys
import threading
import time
from datetime import UTC, datetime
from pathlib import Path

from tests.networks.nexus.ways import access, optimizing
from upath import UPath

from palletflow import deployment
from palletflow.documents.storage import Storage
from palletflow.networks.nexus.document_fetch import Fetcher
from palletflow.networks.nexus.document_upload import Uploader
from palletflow.networks.nexus.etas import EtaExport
from palletflow.networks.nexus.simulator import OPTIMIZE_KEY
from palletflow.networks.nexus.work import DOCUMENT_FETCH, DOCUMENT_UPLOAD, ETA_EXPORT, NETWORK
from palletflow.store.connection import connect
from palletflow.work.drain import drain

dsn, base_url, plan_file, folder, extra = sys.argv[1:]
plan = deployment.load(Path(plan_file))
accesses = {
    depot: access(plan, base_url, depot, sleep=time.sleep, **json.loads(extra))
    for depot in plan.network(NETWORK).depots
}
optimize = optimizing(base_url.removesuffix("/v1/"), OPTIMIZE_KEY, sleep=time.sleep, **json.loads(extra))
storage = Storage(UPath(folder))
made = {
    DOCUMENT_FETCH: Fetcher(plan, lambda _, depot: accesses[depot], storage, lambda: datetime.now(UTC)),
    DOCUMENT_UPLOAD: Uploader(plan, lambda _, depot: accesses[depot], storage, lambda: datetime.now(UTC)),
    ETA_EXPORT: EtaExport(plan, lambda: optimize, lambda: datetime.now(UTC)),
}
drain(
    lambda: connect(dsn), NETWORK, made, dict.fromkeys(made, 1), linger_s=0, most_s=60, stop=threading.Event()
)  # fmt: skip
