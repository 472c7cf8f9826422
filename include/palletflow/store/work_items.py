"""The work queue: what we do to a network or because of an event, one row an item.

Taking an item moves its due time to the end of a lease, so whatever a killed worker held comes due again by itself.
All times are the database's, so that workers on several machines agree. Only `enqueue` belongs into a caller's
transaction; `claim` and `renew` are transactions of their own.
"""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import NamedTuple
from uuid import UUID, uuid4

from palletflow.store.connection import Connection

REASON_MOST = 2000


class WorkItem(NamedTuple):
    """An item under a lease. `attempts` counts this one; `generation` is the one that is being worked on."""

    id: int
    network: str
    kind: str
    key: str
    attempts: int
    generation: int
    lease: UUID
    created_at: datetime


class Listed(NamedTuple):
    """An item as a person sees it: `parked_at` None while it waits, `reason` why it failed last, if it did.

    `held`: it is being worked on, and its lease ends at `due_at`.
    """

    id: int
    network: str
    kind: str
    key: str
    attempts: int
    due_at: datetime
    held: bool
    parked_at: datetime | None
    reason: str | None
    created_at: datetime


class Count(NamedTuple):
    """How much there is of one kind. `held` is under a lease that has not ended, `oldest` the first due moment."""

    network: str
    kind: str
    due: int
    held: int
    later: int
    parked: int
    oldest: datetime | None


ENQUEUE = """
INSERT INTO work_items AS held (network, kind, key, due_at)
SELECT %(network)s, %(kind)s, key, coalesce(%(due_at)s, clock_timestamp()) FROM unnest(%(keys)s::text[]) key
ON CONFLICT (network, kind, key) DO UPDATE
SET generation = held.generation + 1, attempts = 0, parked_at = NULL,
    due_at = CASE WHEN held.parked_at IS NOT NULL THEN excluded.due_at
                  WHEN held.lease IS NULL THEN least(held.due_at, excluded.due_at)
                  ELSE held.due_at END
"""
# An array and not a join: whatever the planner believes of the table, it reads the first rows of the index and no more.
CLAIM = """
UPDATE work_items
SET lease = %(lease)s, attempts = attempts + 1, due_at = clock_timestamp() + make_interval(secs => %(lease_s)s)
WHERE id = ANY (ARRAY(
    SELECT id FROM work_items
    WHERE (network, kind) = (%(network)s, %(kind)s) AND parked_at IS NULL AND due_at <= statement_timestamp()
      AND id <> ALL (%(besides)s::bigint[])
    ORDER BY due_at, id LIMIT %(most)s FOR UPDATE SKIP LOCKED
))
RETURNING id, network, kind, key, attempts, generation, lease, created_at
"""
OURS = """
WITH ours AS (
    SELECT * FROM unnest(%(ids)s::bigint[], %(leases)s::uuid[], %(generations)s::integer[])
                  AS given (id, lease, generation)
)
"""
RENEW = """
UPDATE work_items AS held SET due_at = clock_timestamp() + make_interval(secs => %(lease_s)s)
FROM ours WHERE (held.id, held.lease) = (ours.id, ours.lease) RETURNING held.id
"""
COMPLETE = """
DELETE FROM work_items AS held USING ours
WHERE (held.id, held.lease, held.generation) = (ours.id, ours.lease, ours.generation) RETURNING held.id
"""
MOVE = """
UPDATE work_items AS held
SET lease = NULL, attempts = held.attempts - %(uncounted)s::integer,
    last_error = CASE WHEN %(due_at)s::timestamptz IS NULL THEN coalesce(%(reason)s, held.last_error) END,
    due_at = coalesce(%(due_at)s, clock_timestamp() + make_interval(secs => %(pause_s)s)),
    parked_at = CASE WHEN %(park)s THEN clock_timestamp() END
FROM ours
WHERE (held.id, held.lease, held.generation) = (ours.id, ours.lease, ours.generation) RETURNING held.id
"""
# Asked for again while it was worked on: what was decided about the older generation is void.
BEGIN_ANEW = """
UPDATE work_items AS held SET lease = NULL, attempts = 0, last_error = NULL, due_at = clock_timestamp()
FROM ours
WHERE (held.id, held.lease) = (ours.id, ours.lease) AND held.generation > ours.generation RETURNING held.id
"""
LISTED = """
SELECT id, network, kind, key, attempts, due_at, lease IS NOT NULL AND due_at > now(), parked_at, last_error, created_at
FROM work_items
WHERE (%(network)s::text IS NULL OR network = %(network)s) AND (%(kind)s::text IS NULL OR kind = %(kind)s)
  AND (parked_at IS NOT NULL) = %(parked)s
ORDER BY coalesce(parked_at, due_at), id LIMIT %(most)s
"""
ONE = """
SELECT id, network, kind, key, attempts, due_at, lease IS NOT NULL AND due_at > now(), parked_at, last_error, created_at
FROM work_items WHERE id = %s FOR UPDATE
"""
COUNTS = """
SELECT network, kind, count(*) FILTER (WHERE parked_at IS NULL AND due_at <= now()),
       count(*) FILTER (WHERE lease IS NOT NULL AND due_at > now()),
       count(*) FILTER (WHERE parked_at IS NULL AND lease IS NULL AND due_at > now()),
       count(*) FILTER (WHERE parked_at IS NOT NULL),
       min(due_at) FILTER (WHERE parked_at IS NULL)
FROM work_items GROUP BY network, kind ORDER BY network, kind
"""
REQUEUE = """
UPDATE work_items SET parked_at = NULL, attempts = 0, generation = generation + 1, due_at = clock_timestamp()
WHERE parked_at IS NOT NULL
  AND (%(ids)s::bigint[] IS NULL OR id = ANY (%(ids)s))
  AND (%(network)s::text IS NULL OR network = %(network)s) AND (%(kind)s::text IS NULL OR kind = %(kind)s)
  AND (%(reason)s::text IS NULL OR strpos(lower(last_error), lower(%(reason)s)) > 0)
"""
NEXT_DUE = """
SELECT extract(epoch FROM min(first.due_at) - clock_timestamp())::float8
FROM unnest(%(kinds)s::text[]) AS wanted (kind), LATERAL (
    SELECT due_at FROM work_items
    WHERE (network, kind) = (%(network)s, wanted.kind) AND parked_at IS NULL ORDER BY due_at, id LIMIT 1
) AS first
"""


def enqueue(
    conn: Connection, network: str, kind: str, keys: Collection[object], due_at: datetime | None = None
) -> None:
    """Asks for work within the caller's transaction; `due_at` None means now.

    An item that waits already is moved forward to `due_at` if that is earlier, and released if it was parked. One that
    is being worked on is worked on once more afterwards. Call it after the rows it is about were written: a worker that
    stores a result takes its locks in that order too.
    """
    # Sorted, so that two who ask for the same items do not wait for each other.
    texts = sorted({str(key) for key in keys})
    conn.execute(ENQUEUE, {"network": network, "kind": kind, "keys": texts, "due_at": due_at})


def claim(
    conn: Connection, network: str, kind: str, most: int, lease_s: float, besides: Collection[int] = ()
) -> list[WorkItem]:
    """Takes up to `most` due items for `lease_s` seconds, the longest due first; never an id of `besides`."""
    rows = conn.execute(
        CLAIM,
        {
            "network": network,
            "kind": kind,
            "most": most,
            "lease": uuid4(),
            "lease_s": lease_s,
            "besides": list(besides),
        },
        prepare=False,  # planned for this very `most`
    )
    return sorted(WorkItem(*row) for row in rows)


def renew(conn: Connection, items: Sequence[WorkItem], lease_s: float) -> set[int]:
    """Makes the leases end `lease_s` seconds from now; the ids that are still held under theirs."""
    return _ids(conn, RENEW, items, lease_s=lease_s)


def held(conn: Connection, item: WorkItem) -> bool:
    """Whether the item is still ours: neither finished nor taken by another after its lease had ended."""
    row = conn.execute("SELECT FROM work_items WHERE (id, lease) = (%s, %s)", (item.id, item.lease)).fetchone()
    return row is not None


def complete(conn: Connection, items: Sequence[WorkItem]) -> set[int]:
    """Ends items; the ids that were still ours. One that was asked for again meanwhile comes due again at once."""
    return _settle(conn, COMPLETE, items)


def come_again(conn: Connection, item: WorkItem, at: datetime) -> bool:
    """Lets the item come due then; this claim does not count as an attempt. False when it was no longer ours."""
    return _move(conn, [item], due_at=at, uncounted=True)


def postpone(conn: Connection, item: WorkItem, pause_s: float, reason: str, *, counted: bool) -> bool:
    """Lets the item come due after a failure, which counts as an attempt or not. False when it was no longer ours."""
    return _move(conn, [item], pause_s=pause_s, reason=reason, uncounted=not counted)


def park(conn: Connection, item: WorkItem, reason: str) -> bool:
    """Takes the item out of the queue until a person or new work releases it. False when it was no longer ours."""
    return _move(conn, [item], reason=reason, park=True)


def hand_back(conn: Connection, items: Sequence[WorkItem]) -> None:
    """Gives up leases of items that were not begun: they are due at once for others."""
    _move(conn, items, uncounted=True)


def listed(
    conn: Connection, *, parked: bool, network: str | None = None, kind: str | None = None, most: int = 1000
) -> list[Listed]:
    """Parked items, the longest parked first; or those that wait or are worked on, the longest due first."""
    rows = conn.execute(LISTED, {"parked": parked, "network": network, "kind": kind, "most": most})
    return [Listed(*row) for row in rows]


def one(conn: Connection, item_id: int) -> Listed | None:
    """An item that nobody else takes until the caller's transaction ends; None when there is none any more."""
    row = conn.execute(ONE, (item_id,)).fetchone()
    return Listed(*row) if row else None


def given_up(conn: Connection, network: str, kind: str, key: object) -> str | None:
    """Why an item is parked; None when it is not, or there is none."""
    row = conn.execute(
        "SELECT coalesce(last_error, '') FROM work_items WHERE (network, kind, key) = (%s, %s, %s)"
        " AND parked_at IS NOT NULL",
        (network, kind, str(key)),
    ).fetchone()
    return row[0] if row else None


def counts(conn: Connection) -> list[Count]:
    """How much there is of each kind."""
    return [Count(*row) for row in conn.execute(COUNTS)]


def requeue(
    conn: Connection,
    *,
    ids: Collection[int] | None = None,
    network: str | None = None,
    kind: str | None = None,
    reason: str | None = None,
) -> int:
    """Releases parked items with a new count of attempts; how many. Each filter that is None takes all.

    `reason` is a part of the reason's text, in any case of letters.
    """
    filters = {"ids": None if ids is None else list(ids), "network": network, "kind": kind, "reason": reason}
    return conn.execute(REQUEUE, filters).rowcount


def next_due(conn: Connection, network: str, kinds: Collection[str]) -> float | None:
    """Seconds until the next item of these kinds comes due, not positive if one is; None when there is none."""
    row = conn.execute(NEXT_DUE, {"network": network, "kinds": list(kinds)}).fetchone()
    return row[0] if row else None


def _move(
    conn: Connection,
    items: Sequence[WorkItem],
    *,
    due_at: datetime | None = None,
    pause_s: float = 0,
    reason: str | None = None,
    uncounted: bool = False,
    park: bool = False,
) -> bool:
    settled = _settle(
        conn,
        MOVE,
        items,
        due_at=due_at,
        pause_s=pause_s,
        reason=None if reason is None else storable(reason),
        uncounted=uncounted,
        park=park,
    )
    return len(settled) == len(items)


def _settle(conn: Connection, statement: str, items: Sequence[WorkItem], **values: object) -> set[int]:
    settled = _ids(conn, statement, items, **values)
    if len(settled) < len(items):
        settled |= _ids(conn, BEGIN_ANEW, items)
    return settled


def _ids(conn: Connection, statement: str, items: Sequence[WorkItem], **values: object) -> set[int]:
    ours = {
        "ids": [item.id for item in items],
        "leases": [item.lease for item in items],
        "generations": [item.generation for item in items],
    }
    return {row[0] for row in conn.execute((OURS + statement).encode(), {**ours, **values})}


def storable(text: str) -> str:
    """What Postgres takes as text: no NUL, no half of a surrogate pair; and not without end."""
    return text.replace("\0", "").encode(errors="replace").decode()[:REASON_MOST]
