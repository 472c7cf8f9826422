"""What people are to be told of. Whoever finds it raises it, others tell it.

An **event** is told once for each time it comes up. A **condition** lasts: it is told when it begins, again every so
many hours, and once more when it is over. Whoever tells an alert takes it for a while and holds no lock meanwhile: an
alert whose teller was killed is told by the next, so each is told at least once.
"""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import NamedTuple

from palletflow.store.connection import Connection
from palletflow.store.work_items import storable

# Longer than telling so many takes, even if each waits for its timeouts.
TAKEN_S = 600.0
TAKEN_MOST = 10
# A condition that was not seen for so long is over; one that flickers does not tell with every look.
QUIET_S = 150.0
KEPT_D = 30
# Where most of it is seen to.
ATTENTION = "/palletflow/desk/attention"

RAISE = """
INSERT INTO alerts AS known (subject, message, link, raised_at) VALUES (%s, %s, %s, clock_timestamp())
ON CONFLICT (subject) DO UPDATE
SET message = excluded.message, link = excluded.link, raised_at = excluded.raised_at, told_at = NULL,
    taken_until = NULL, area = NULL, seen_at = NULL, over_at = NULL
WHERE known.raised_at <= clock_timestamp() - make_interval(secs => %s)
"""
STANDS = """
INSERT INTO alerts AS known (subject, message, link, area, raised_at, seen_at)
VALUES (%(subject)s, %(message)s, %(link)s, %(area)s, clock_timestamp(), clock_timestamp())
ON CONFLICT (subject) DO UPDATE
SET message = excluded.message, link = excluded.link, area = excluded.area, seen_at = excluded.seen_at,
    raised_at = CASE WHEN known.over_at IS NULL THEN known.raised_at ELSE excluded.raised_at END,
    told_at = CASE WHEN known.over_at IS NULL
                   AND known.told_at > clock_timestamp() - make_interval(secs => %(again_s)s) THEN known.told_at END,
    taken_until = CASE WHEN known.over_at IS NULL AND known.told_at IS NULL THEN known.taken_until END,
    over_at = NULL
RETURNING told_at IS NULL
"""
STANDING = "SELECT subject, raised_at FROM alerts WHERE area = %s AND over_at IS NULL ORDER BY raised_at, subject"
OVER = """
UPDATE alerts SET over_at = clock_timestamp(), told_at = NULL, taken_until = NULL
WHERE area = %s AND over_at IS NULL AND seen_at <= clock_timestamp() - make_interval(secs => %s)
"""
SEEN = "UPDATE alerts SET seen_at = clock_timestamp() WHERE subject = ANY (%s) AND over_at IS NULL AND area IS NOT NULL"
TAKE = f"""
WITH taken AS (
    UPDATE alerts SET taken_until = clock_timestamp() + make_interval(secs => {TAKEN_S}) WHERE subject IN (
        SELECT subject FROM alerts
        WHERE told_at IS NULL AND (taken_until IS NULL OR taken_until <= clock_timestamp())
        ORDER BY coalesce(over_at, raised_at), subject LIMIT {TAKEN_MOST} FOR UPDATE SKIP LOCKED
    ) RETURNING subject, message, link, raised_at, over_at
)
SELECT subject, message, link, raised_at, over_at FROM taken ORDER BY coalesce(over_at, raised_at), subject
"""  # noqa: S608
# Only what was told: it may have come up anew, or be over, since it was taken.
SAME = "WHERE (subject, raised_at) = (%s, %s) AND over_at IS NOT DISTINCT FROM %s"
TOLD = f"UPDATE alerts SET told_at = clock_timestamp(), taken_until = NULL {SAME}"  # noqa: S608
PUT_BACK = f"UPDATE alerts SET taken_until = NULL {SAME} AND told_at IS NULL"  # noqa: S608
TIDY = """
DELETE FROM alerts WHERE coalesce(over_at, raised_at) < now() - make_interval(days => %s)
AND (area IS NULL OR over_at IS NOT NULL)
"""


class Alert(NamedTuple):
    """`subject`: what it is about, in few words. `message`: what happened, where, and what to do. `link`: path of the
    page it leads to, "" for none. `over_at`: since when a condition is over, None while it lasts and for events."""

    subject: str
    message: str
    link: str
    raised_at: datetime
    over_at: datetime | None


class Condition(NamedTuple):
    """What lasts and somebody is to be told of; the fields are those of Alert."""

    subject: str
    message: str
    link: str


def raise_alert(conn: Connection, subject: str, message: str, not_within_s: float = 0.0, link: str = ATTENTION) -> bool:
    """Puts an event up to be told; not again for a subject that was raised within so many seconds. Whether it is."""
    return conn.execute(RAISE, (storable(subject), storable(message), link, not_within_s)).rowcount == 1


def stands(conn: Connection, area: str, condition: Condition, again_s: float) -> bool:
    """Keeps that a condition lasts. Whether it is to be told: it has just begun, or was last told `again_s` ago."""
    values = {
        "subject": storable(condition.subject),
        "message": storable(condition.message),
        "link": condition.link,
        "area": area,
        "again_s": again_s,
    }
    [(is_to_be_told,)] = conn.execute(STANDS, values).fetchall()
    return bool(is_to_be_told)


def standing(conn: Connection, area: str) -> dict[str, datetime]:
    """The conditions of an area that are not over: subject to when it began."""
    return dict(conn.execute(STANDING, (area,)).fetchall())


def settle(
    conn: Connection, area: str, conditions: Sequence[Condition], again_s: float, quiet_s: float = QUIET_S
) -> None:
    """Keeps all conditions that an area has now; those it had are over when they were not seen for `quiet_s`."""
    with conn.transaction():
        # Sorted, so that two who settle do not wait for each other.
        for condition in sorted(conditions):
            stands(conn, area, condition, again_s)
        conn.execute(OVER, (area, quiet_s))


def still_stand(conn: Connection, subjects: Collection[str]) -> None:
    """Of these nothing is over: they were seen just now, or could not be looked at."""
    conn.execute(SEEN, (sorted(subjects),))


def untold(conn: Connection) -> bool:
    """Whether there is something to be told that nobody has taken."""
    row = conn.execute(
        "SELECT FROM alerts WHERE told_at IS NULL AND (taken_until IS NULL OR taken_until <= clock_timestamp()) LIMIT 1"
    ).fetchone()
    return row is not None


def take(conn: Connection) -> list[Alert]:
    """Some alerts to be told, the oldest first; then say told() or put_back() of each. Others do not get them until
    TAKEN_S have passed."""
    return [Alert(*row) for row in conn.execute(TAKE).fetchall()]


def told(conn: Connection, alert: Alert) -> None:
    """Somebody has been told, or there is nobody to tell."""
    conn.execute(TOLD, (alert.subject, alert.raised_at, alert.over_at))


def put_back(conn: Connection, alert: Alert) -> None:
    """It could not be told: the next one who tells takes it again."""
    conn.execute(PUT_BACK, (alert.subject, alert.raised_at, alert.over_at))


def tidy(conn: Connection) -> int:
    """Deletes events and what is over of more than KEPT_D days ago; how many."""
    return conn.execute(TIDY, (KEPT_D,)).rowcount
