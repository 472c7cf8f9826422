"""The work queue: what we do to a network or because of an event, one row an item."""

from collections.abc import Sequence
from datetime import datetime

from palletflow.store.connection import Connection

ENQUEUE = """
INSERT INTO work_items AS held (network, kind, key, due_at)
SELECT %(network)s, %(kind)s, key, coalesce(%(due_at)s, clock_timestamp()) FROM unnest(%(keys)s::text[]) key
ON CONFLICT (network, kind, key) DO UPDATE
SET generation = held.generation + 1, attempts = 0, parked_at = NULL,
    due_at = CASE WHEN held.lease IS NULL OR held.parked_at IS NOT NULL
                  THEN least(held.due_at, excluded.due_at) ELSE held.due_at END
"""


def enqueue(conn: Connection, network: str, kind: str, keys: Sequence[object], due_at: datetime | None = None) -> None:
    """Asks for work within the caller's transaction; `due_at` None means now.

    An item that waits already is moved forward to `due_at` if that is earlier, and released if it was parked. One that
    is being worked on is worked on once more afterwards.
    """
    conn.execute(ENQUEUE, {"network": network, "kind": kind, "keys": [str(key) for key in keys], "due_at": due_at})
