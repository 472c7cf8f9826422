"""What is not kept for ever, and how it goes: in small steps, each a transaction of its own, so that nobody waits long.

Every purge can be interrupted after any step and repeated; what somebody else is writing just now is left for the next
time. What is kept for how long stands in docs/retention.md.
"""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import NamedTuple

from palletflow.store.connection import Connection

# Of one step: rows looked at, and blocks of a table.
ROWS, BLOCKS = 5_000, 500
ACTOR = "maintenance"

# Nothing is expected of its consignment any more.
FINISHED = "(c.lifecycle_status IN ('DELIVERED', 'CANCELLED') OR o.cancelled_at IS NOT NULL)"
# A raw record goes, but for the newest of an open consignment. A rejected one leaves its digest behind: the same record
# read again does not come before a person again who has settled it, and a file's rows stay together while one is open.
RAW_RECORDS = f"""
WITH step AS MATERIALIZED (
    SELECT id, landed_at FROM inbound_records WHERE id > %(after)s ORDER BY id LIMIT {ROWS}
), old AS MATERIALIZED (
    SELECT r.id, r.outcome = 'rejected' AS leaves_digest
    FROM step JOIN inbound_records r USING (id)
    WHERE step.landed_at < %(before)s
      AND CASE WHEN r.outcome <> 'rejected' THEN true
               ELSE r.settled_at < %(before)s AND r.raw <> '' AND NOT EXISTS (
                   SELECT FROM inbound_records w
                   WHERE w.batch_id = r.batch_id AND w.outcome = 'rejected' AND w.settled_at IS NULL) END
      AND (r.outcome = 'ignored'
           OR NOT EXISTS (SELECT FROM consignments c JOIN orders o ON o.id = c.order_id
                          WHERE c.id = r.consignment_id AND NOT {FINISHED})
           OR EXISTS (SELECT FROM inbound_records n
                      WHERE n.consignment_id = r.consignment_id AND n.id > r.id AND n.outcome <> 'ignored'))
    FOR UPDATE OF r SKIP LOCKED
), emptied AS (
    UPDATE inbound_records r SET raw = '', corrected = NULL FROM old WHERE r.id = old.id AND leaves_digest
    RETURNING r.id
), gone AS (
    DELETE FROM inbound_records r USING old WHERE r.id = old.id AND NOT leaves_digest RETURNING r.id
)
SELECT (SELECT max(id) FROM step), (SELECT min(landed_at) < %(before)s FROM step),
       (SELECT count(*) FROM emptied) + (SELECT count(*) FROM gone)
"""  # noqa: S608 - names are our own constants
BATCHES = f"""
WITH step AS MATERIALIZED (
    SELECT id, stored_at FROM inbound_batches WHERE id > %(after)s ORDER BY id LIMIT {ROWS}
), gone AS (
    DELETE FROM inbound_batches b USING step
    WHERE b.id = step.id AND step.stored_at < %(before)s
      AND NOT EXISTS (SELECT FROM inbound_records r WHERE r.batch_id = b.id)
      AND NOT EXISTS (SELECT FROM activity a WHERE a.batch_id = b.id)
      AND NOT EXISTS (SELECT FROM inbound_files f WHERE f.batch_id = b.id)
      AND NOT EXISTS (SELECT FROM watermarks w WHERE w.batch_id = b.id)
    RETURNING b.id
)
SELECT (SELECT max(id) FROM step), (SELECT min(stored_at) < %(before)s FROM step), (SELECT count(*) FROM gone)
"""  # noqa: S608
# Entries of no consignment are about what people did to something that is over by then.
ACTIVITY = f"""
WITH step AS MATERIALIZED (
    SELECT id, at FROM activity WHERE id > %(after)s ORDER BY id LIMIT {ROWS}
), gone AS (
    DELETE FROM activity a USING step
    WHERE a.id = step.id AND step.at < %(before)s
      AND NOT EXISTS (SELECT FROM consignments c JOIN orders o ON o.id = c.order_id
                      WHERE c.id = a.consignment_id AND NOT {FINISHED})
    RETURNING a.id
)
SELECT (SELECT max(id) FROM step), (SELECT min(at) < %(before)s FROM step), (SELECT count(*) FROM gone)
"""  # noqa: S608
# Whoever settles work locks its consignment first, so we do too. The key of work is its consignment's id, and of work
# on one pallet "<id>:<pallet>". While its dispatch waits, its outcome is unknown, its tracking number has not come, or
# its cancellation has not reached the network, work is all that will ever end that; so it stays.
PARKED = f"""
SELECT w.id, c.id FROM work_items w
LEFT JOIN consignments c ON c.id = CASE WHEN w.key ~ '^[0-9]{{1,18}}(:[0-9]+)?$'
                                        THEN split_part(w.key, ':', 1)::bigint END
WHERE w.parked_at < %s
  AND (c.dispatch_state IN ('waiting', 'unknown')
       OR c.dispatch_state = 'completed' AND (NOT c.registered OR w.kind = 'cancel')) IS NOT TRUE
ORDER BY w.id LIMIT {ROWS}
"""  # noqa: S608
LOCK_CONSIGNMENTS = "SELECT FROM consignments WHERE id = ANY (%s) ORDER BY id FOR KEY SHARE"
GIVE_UP_PARKED = """
WITH gone AS (
    DELETE FROM work_items w USING unnest(%(ids)s::bigint[], %(consignments)s::bigint[]) AS old (id, consignment_id)
    WHERE w.id = old.id AND w.parked_at < %(before)s
    RETURNING old.consignment_id, w.network, w.kind, w.key, w.parked_at, w.last_error
)
INSERT INTO activity (consignment_id, subject, kind, actor, source, changes, warnings)
SELECT consignment_id, CASE WHEN consignment_id IS NULL THEN format('work %%s.%%s %%s', network, kind, key) ELSE '' END,
       'parked work given up', %(actor)s, %(actor)s,
       jsonb_build_object(
           'work', jsonb_build_array(format('%%s.%%s %%s', network, kind, key), NULL),
           'parked_at', jsonb_build_array(parked_at, NULL), 'reason', jsonb_build_array(last_error, NULL)),
       ARRAY[]::text[]
FROM gone ORDER BY consignment_id, kind, key
"""
LEASES = """
SELECT network, kind, count(*), min(due_at) FROM work_items
WHERE lease IS NOT NULL AND parked_at IS NULL AND due_at < clock_timestamp() - %s::interval
GROUP BY network, kind ORDER BY network, kind
"""


class Expiring(NamedTuple):
    """Rows of a table that nobody needs once `over` (SQL) is so long ago; NULL is kept."""

    what: str
    table: str
    over: str
    kept: timedelta


EXPIRING = (
    Expiring("look-up tables of networks", "lookup_cache", "read_at", timedelta(days=30)),
    # A record that is still listed after that is read whole once more, and nothing else comes of it.
    Expiring("looks at lists of networks", "listed_records", "read_at", timedelta(days=120)),
    Expiring("requests for photos", "photo_asks", "asked_at", timedelta(days=1)),
    Expiring("links of customers", "customer_links", "least(expires_at, revoked_at)", timedelta(days=30)),
    Expiring("counts of unknown status codes", "unknown_codes", "day", timedelta(days=365)),
)


class Idle(NamedTuple):
    """Work of one kind whose lease has ended and that nobody has taken since; the longest since `since`."""

    network: str
    kind: str
    items: int
    since: datetime


# What tells somebody how far a purge is: rows that are gone so far. False: the rest is for another time.
Go = Callable[[int], bool]


def raw_records(conn: Connection, before: datetime, go: Go) -> int:
    """Deletes raw records that landed, and if they were rejected were settled, before that moment; how many.

    Kept whole are open quarantine, with all of its file, and the newest record of a consignment that is not finished.
    Of settled quarantine the digest stays. Records are read from the order store by nobody but people, so orders stay
    as they are, and one that is read again lands as if for the first time, unless its consignment knows it.
    """
    return _walk(conn, RAW_RECORDS, before, go)


def batches(conn: Connection, before: datetime, go: Go) -> int:
    """Deletes readings stored before that moment that no record, history, file or watermark names; how many."""
    return _walk(conn, BATCHES, before, go)


def history(conn: Connection, before: datetime, go: Go) -> int:
    """Deletes the activity from before that moment of consignments that are finished, and of none; how many entries.

    A place in the change feed stays good: it is a position and names no row. Who comes back after longer than that
    goes on with what is left.
    """
    return _walk(conn, ACTIVITY, before, go)


def parked_work(conn: Connection, before: datetime, go: Go) -> int:
    """Deletes work that was parked before that moment, with an activity entry of what it was and why; how many.

    What a dispatch that has not ended, a tracking number that has not come, or a cancellation depends on is kept.
    """
    gone = 0
    while True:
        with conn.transaction():
            found = conn.execute(PARKED, (before,)).fetchall()
            ids, consignments = [row[0] for row in found], [row[1] for row in found]
            conn.execute(LOCK_CONSIGNMENTS, ([one for one in consignments if one is not None],))
            values = {"ids": ids, "consignments": consignments, "before": before, "actor": ACTOR}
            given_up = conn.execute(GIVE_UP_PARKED, values).rowcount
        gone += given_up
        if not given_up or not go(gone):
            return gone


def expired(conn: Connection, one: Expiring, now: datetime, go: Go) -> int:
    """Deletes the rows of one table that are over; how many."""
    [(blocks,)] = conn.execute(
        "SELECT pg_relation_size(%s::regclass) / current_setting('block_size')::bigint", (one.table,)
    ).fetchall()
    delete = f"""
        DELETE FROM {one.table} WHERE ctid = ANY (ARRAY(
            SELECT ctid FROM {one.table}
            WHERE ctid >= format('(%%s,0)', %(first)s::bigint)::tid
              AND ctid < format('(%%s,0)', %(first)s::bigint + {BLOCKS})::tid
              AND {one.over} < %(before)s FOR UPDATE SKIP LOCKED))
    """  # noqa: S608 - names are our own constants
    gone = 0
    for first in range(0, blocks, BLOCKS):
        gone += conn.execute(delete.encode(), {"first": first, "before": now - one.kept}).rowcount
        if not go(gone):
            break
    return gone


def idle_leases(conn: Connection, longer_than: timedelta) -> list[Idle]:
    """Work whose lease ended longer ago than that. It is due by itself, so nobody drains its queue."""
    return [Idle(*row) for row in conn.execute(LEASES, (longer_than,))]


def _walk(conn: Connection, statement: str, before: datetime, go: Go) -> int:
    """Goes through a table by id, which rises with time, as far as there are rows from before that moment."""
    after, gone = 0, 0
    while True:
        row = conn.execute(statement.encode(), {"after": after, "before": before}).fetchone()
        last, any_older, count = row or (None, False, 0)
        gone += int(count)
        if not any_older or not go(gone):
            return gone
        after = last
