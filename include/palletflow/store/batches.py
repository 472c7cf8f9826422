"""What was brought in so far, batch by batch. Written by palletflow.store.imports."""

from datetime import datetime
from typing import NamedTuple

from palletflow.store.connection import Connection
from palletflow.store.imports import Counts

SINCE = """
SELECT id, network, stream, party, run, window_from, window_to, records, created, updated, unchanged, rejected, ignored
FROM inbound_batches WHERE id > %s ORDER BY id
"""


class StoredBatch(NamedTuple):
    """One batch; the window is None for a replay."""

    id: int
    network: str
    stream: str
    party: str
    run: str
    window: tuple[datetime, datetime] | None
    counts: Counts


def since(conn: Connection, batch_id: int) -> list[StoredBatch]:
    """The batches stored after this one, oldest first; after 0 all of them."""
    return [
        StoredBatch(number, network, stream, party, run, (start, end) if start else None, Counts(*counts))
        for number, network, stream, party, run, start, end, *counts in conn.execute(SINCE, (batch_id,))
    ]
