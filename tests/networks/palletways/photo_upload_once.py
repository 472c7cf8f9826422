"""Works off the photo uploads that are due once, in a process of its own that a test can kill.

Arguments: order store DSN, deployment file, folder for documents, protocol, port of the file server, the upload
connection's Extra as JSON.
"""

import json
import sys
import threading
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path

from tests.networks.palletways.upload_ways import upload_connection, uploader
from upath import UPath

from palletflow import deployment
from palletflow.documents.storage import Storage
from palletflow.networks.palletways.upload_settings import UploadSettings
from palletflow.networks.palletways.work import NETWORK, PHOTO_UPLOAD
from palletflow.store.connection import connect
from palletflow.work.drain import drain

dsn, plan_file, folder, protocol, port, extra = sys.argv[1:]


def connection(depot: str) -> UploadSettings:
    return upload_connection(protocol, int(port), depot, **json.loads(extra))


with ExitStack() as stack:
    plan = deployment.load(Path(plan_file))
    handler = uploader(plan, Storage(UPath(folder)), connection, lambda: datetime.now(UTC), stack)
    drain(
        lambda: connect(dsn), NETWORK, {PHOTO_UPLOAD: handler}, {PHOTO_UPLOAD: 1},
        linger_s=0, most_s=60, stop=threading.Event(),
    )  # fmt: skip
