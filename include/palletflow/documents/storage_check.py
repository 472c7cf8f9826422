"""Object storage held against the order store, both ways: bytes that no row names, and rows whose bytes are missing.

Whoever stores a document stores its bytes first and the row after them, and leaves bytes that are there already as they
are. So bytes are no orphans before they are a day old; and what is taken for an orphan is only set aside, looked at
again until a day later, and put back if a row names it by then.
"""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import NamedTuple

from palletflow.documents.storage import VARIABLE, Storage, StorageUnavailable
from palletflow.store import stored_bytes
from palletflow.store.connection import Connection

PARTS = 256
OLD = timedelta(days=1)


class Found(NamedTuple):
    """What a check found. `parts`: of 256, how many it came to; `named`: digests that rows name in them.

    `set_aside`, `deleted`: bytes that nobody names; `back`: those that somebody names after all. `missing`: what is
    named and not there, `lost`: documents among it that were there the last time. `unfinished`: begun writings that
    were deleted.
    """

    parts: int = 0
    named: int = 0
    set_aside: int = 0
    deleted: int = 0
    back: int = 0
    lost: int = 0
    missing: int = 0
    unfinished: int = 0

    def plus(self, other: "Found") -> "Found":
        """Both together."""
        return Found(*map(sum, zip(self, other, strict=True)))


def check(
    conn: Connection, storage: Storage, table: str, now: datetime, go: Callable[[int], bool], first: int = 0
) -> Found:
    """Checks the bytes that `table` (store.stored_bytes) names, beginning with the part `first`.

    `go` is asked after each part, with how many digests are checked, whether to go on.

    Documents without bytes are kept in `lost_documents` until they have them again. One part of 256 is in memory at a
    time. Raises StorageUnavailable.
    """
    found = _review(conn, storage, table, now)
    for number in range(PARTS):
        found = found.plus(_check_part(conn, storage, table, (first + number) % PARTS, now))
        if not go(found.named):
            break
    # Whatever was named while it was being set aside is back within minutes, not tomorrow.
    return found.plus(_review(conn, storage, table, now))


def _check_part(conn: Connection, storage: Storage, table: str, part: int, now: datetime) -> Found:
    # The storage before the rows: what was stored in between is named and not there, and looked for once more.
    listed = storage.listed(part)
    named = stored_bytes.of_part(conn, table, part)
    if named and not listed and not storage.is_there():
        raise StorageUnavailable(VARIABLE, "list", "it is not there, though documents were stored in it")
    old = [held for held in listed if held.changed_at and held.changed_at < now - OLD]
    unfinished = [held for held in old if held.sha256 is None]
    for held in unfinished:
        storage.remove_unfinished(held)
    orphans = {held.sha256 for held in old if held.sha256 and held.sha256 not in named}
    for sha256 in orphans:
        storage.set_aside(sha256, now.date())
    whole = {held.sha256 for held in listed if held.sha256 and named.get(held.sha256) == held.size}
    missing = [sha256 for sha256, size in named.items() if sha256 not in whole and not storage.holds(sha256, size)]
    lost = 0
    if table == stored_bytes.DOCUMENTS:
        lost, _ = stored_bytes.lost(conn, part, missing, now)
    return Found(1, len(named), len(orphans), lost=lost, missing=len(missing), unfinished=len(unfinished))


def _review(conn: Connection, storage: Storage, table: str, now: datetime) -> Found:
    back = deleted = 0
    for day, digests in storage.aside().items():
        wanted = stored_bytes.named(conn, table, digests)
        for sha256 in wanted:
            storage.put_back(sha256, day)
        back += len(wanted)
        if day < (now - OLD).date():
            storage.delete(set(digests) - wanted, day)
            deleted += len(digests) - len(wanted)
    return Found(deleted=deleted, back=back)
