"""The search for photos of a delivery: since when, how far it has come, and whether anything was found.

A row is written when a completed delivery is first seen. Everything that changes it runs in the caller's transaction,
under the lock of its consignment.
"""

from datetime import datetime, timedelta
from typing import NamedTuple

from psycopg.rows import class_row

from palletflow.store.connection import Connection

OPEN, FOUND, NONE, SKIPPED = "open", "found", "none", "skipped"
COLUMNS = "consignment_id, begun_at, single, attempts, attempted_at, found, last_answer, state"
BY_CONSIGNMENT = f"SELECT {COLUMNS} FROM photo_windows WHERE consignment_id = %s"  # noqa: S608 - our own constant
BEGIN = """
INSERT INTO photo_windows (consignment_id, begun_at, single) VALUES (%s, %s, %s) ON CONFLICT DO NOTHING
"""
ATTEMPTED = """
UPDATE photo_windows
SET attempts = attempts + 1, attempted_at = greatest(attempted_at, %(at)s), found = found OR %(found)s,
    last_answer = coalesce(%(answer)s, last_answer),
    state = CASE WHEN state = 'open' AND NOT %(closes)s THEN 'open'
                 WHEN found OR %(found)s THEN 'found' ELSE 'none' END
WHERE consignment_id = %(id)s
"""
LOOKED = """
UPDATE photo_windows
SET found = found OR %(found)s, state = CASE WHEN state = 'none' AND %(found)s THEN 'found' ELSE state END
WHERE consignment_id = %(id)s
"""
START = "INSERT INTO photo_starts (connection, started_at) VALUES (%s, %s) ON CONFLICT DO NOTHING"
STARTED = "SELECT started_at FROM photo_starts WHERE connection = %s"
# One statement, so that of two who ask at the same time one is let through.
ASK = """
INSERT INTO photo_asks AS held (network, tracking_number, asked_at) VALUES (%(network)s, %(number)s, %(at)s)
ON CONFLICT (network, tracking_number) DO UPDATE SET asked_at = excluded.asked_at
WHERE held.asked_at <= %(at)s - %(pause)s::interval
RETURNING asked_at
"""
HOLDERS = """
SELECT c.id FROM consignments c JOIN orders o ON o.id = c.order_id
WHERE c.network = %s AND c.tracking_number = %s AND o.cancelled_at IS NULL ORDER BY c.id
"""


class PhotoWindow(NamedTuple):
    """A search. `begun_at`: T0, when we first saw the delivery; `single`: too late for more than one attempt.

    `attempted_at`: which moments of the schedule the attempts have covered, None before the first. `found`: a photo of
    the delivery has come. `last_answer`: SHA-256 of the last file that was made use of. `state`: "open" while attempts
    within the window are due, then "found" or "none"; "skipped": it was not looked for.
    """

    consignment_id: int
    begun_at: datetime
    single: bool
    attempts: int
    attempted_at: datetime | None
    found: bool
    last_answer: bytes | None
    state: str


def of_consignment(conn: Connection, consignment_id: int) -> PhotoWindow | None:
    """A consignment's search; None when none was begun."""
    with conn.cursor(row_factory=class_row(PhotoWindow)) as cursor:
        return cursor.execute(BY_CONSIGNMENT, (consignment_id,)).fetchone()


def begin(conn: Connection, consignment_id: int, begun_at: datetime, *, single: bool) -> bool:
    """Begins a search; False when one was begun before, which stays as it is."""
    return bool(conn.execute(BEGIN, (consignment_id, begun_at, single)).rowcount)


def attempted(
    conn: Connection, consignment_id: int, covered: datetime, *, found: bool, answer: bytes | None, closes: bool
) -> None:
    """Notes an attempt that covers the schedule up to `covered`; `closes`: it was the last one of the window.

    `answer`: SHA-256 of the file that came, None to leave that of the one before.
    """
    values = {"id": consignment_id, "at": covered, "found": found, "answer": answer, "closes": closes}
    conn.execute(ATTEMPTED, values)


def looked(conn: Connection, consignment_id: int, *, found: bool) -> None:
    """Notes what a look outside of the schedule found, which leaves the schedule alone."""
    conn.execute(LOOKED, {"id": consignment_id, "found": found})


def skip(conn: Connection, consignment_id: int) -> None:
    """Ends a search whose photos are not to be looked for."""
    conn.execute(
        "UPDATE photo_windows SET state = 'skipped' WHERE consignment_id = %s AND state = 'open'", (consignment_id,)
    )


def forget(conn: Connection, consignment_id: int) -> None:
    """Forgets the search for photos of a delivery that was none; the next one begins a search of its own."""
    conn.execute("DELETE FROM photo_windows WHERE consignment_id = %s", (consignment_id,))


def started(conn: Connection, connection: str, at: datetime) -> datetime:
    """Since when a connection looks for photos by itself: the moment that the first such call gave as `at`."""
    conn.execute(START, (connection, at))
    [(held,)] = conn.execute(STARTED, (connection,)).fetchall()
    return held  # type: ignore[no-any-return]


def ask(conn: Connection, network: str, tracking_number: str, at: datetime, pause: timedelta) -> bool:
    """Whether photos of this consignment may be asked for at once: nobody was let through in the last `pause`."""
    values = {"network": network, "number": tracking_number, "at": at, "pause": pause}
    return conn.execute(ASK, values).fetchone() is not None


def holders(conn: Connection, network: str, tracking_number: str) -> list[int]:
    """The consignments with this tracking number whose orders are not cancelled."""
    return [row[0] for row in conn.execute(HOLDERS, (network, tracking_number))]
