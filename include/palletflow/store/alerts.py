"""What people are to be told of, once for each time it comes up. Whoever finds it raises it, others tell it."""

from collections.abc import Sequence
from typing import NamedTuple

from palletflow.store.connection import Connection
from palletflow.store.work_items import storable

RAISE = """
INSERT INTO alerts AS known (subject, message, raised_at) VALUES (%s, %s, clock_timestamp())
ON CONFLICT (subject) DO UPDATE SET message = excluded.message, raised_at = excluded.raised_at, told_at = NULL
WHERE known.raised_at <= clock_timestamp() - make_interval(secs => %s)
"""
TAKE = """
WITH taken AS (
    UPDATE alerts SET told_at = clock_timestamp() WHERE subject IN (
        SELECT subject FROM alerts WHERE told_at IS NULL FOR UPDATE SKIP LOCKED
    ) RETURNING subject, message, raised_at
)
SELECT subject, message FROM taken ORDER BY raised_at, subject
"""
PUT_BACK = "UPDATE alerts SET told_at = NULL WHERE subject = ANY (%s)"


class Alert(NamedTuple):
    """`subject`: what it is about, in few words. `message`: what happened and what to do."""

    subject: str
    message: str


def raise_alert(conn: Connection, subject: str, message: str, not_within_s: float = 0.0) -> bool:
    """Puts an alert up to be told; not again for a subject that was raised within so many seconds. Whether it is."""
    return conn.execute(RAISE, (storable(subject), storable(message), not_within_s)).rowcount == 1


def take(conn: Connection) -> list[Alert]:
    """The alerts that nobody has taken yet, oldest first; the caller tells them."""
    return [Alert(*row) for row in conn.execute(TAKE).fetchall()]


def put_back(conn: Connection, subjects: Sequence[str]) -> None:
    """Puts alerts up again that could not be told, in the transaction that took them."""
    conn.execute(PUT_BACK, (list(subjects),))
