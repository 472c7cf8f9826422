"""What work follows for a network from what people do with its orders; each network's entry.FOLLOWS says it.

| event | what happened |
|---|---|
| cancelled | an order was cancelled that the network has, or may have |
| added | a document was added to a consignment |
| expected | a stop's ETA or its place on a route was told |
"""

from collections.abc import Collection, Mapping
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from palletflow.store import work_items
from palletflow.store.connection import Connection

CANCELLED, ADDED, EXPECTED = "cancelled", "added", "expected"


class Follow(NamedTuple):
    """A kind of work whose key is the consignment's id; `after_s`: not before so many seconds have passed, so that what
    is told one by one is done together."""

    kind: str
    after_s: float = 0.0


def enqueue(
    conn: Connection, network: str, follows: Mapping[str, Follow], event: str, consignment_ids: Collection[int]
) -> bool:
    """Asks for the work that follows, within the caller's transaction; False when the network wants none."""
    if event not in follows:
        return False
    follow = follows[event]
    due_at = datetime.now(UTC) + timedelta(seconds=follow.after_s) if follow.after_s else None
    work_items.enqueue(conn, network, follow.kind, consignment_ids, due_at)
    return True
