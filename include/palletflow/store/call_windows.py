"""What all processes together may call in a minute, and whether the network answers at all: one row a rate group.

Every call takes its permit here before it begins: in one statement, which locks the group's row and so makes one after
the other of all sessions. All times are the database's. Who finds no permit stands in a line of call_budgets; while
anybody stands there, only the first of it takes a permit.
"""

from datetime import timedelta
from typing import NamedTuple

from palletflow.store import alerts, call_budgets
from palletflow.store.connection import Connection

WINDOW_S = 60.0
# Two calls in a row that nothing answered within this time make one suspect that the network has banned us.
SUSPECT_WITHIN_S = 120.0
# Who asks whether it answers at all has so long: to get a permit, and for the call with all its timeouts.
PROBE_S = 240.0
# A ban ends after 15 minutes without a call.
SILENCE_S = 16 * 60.0
CAREFUL_S = 5 * 60.0

OPEN = "INSERT INTO call_windows (rate_group) VALUES (%s) ON CONFLICT DO NOTHING"
# The moment is read after the row is locked: before that, somebody else may have begun a call later than it.
TAKE = """
WITH locked AS MATERIALIZED (
    SELECT * FROM call_windows WHERE rate_group = %(group)s
    AND (%(first)s OR pg_try_advisory_xact_lock(hashtext('palletflow calls ' || %(line)s), %(place)s)) FOR UPDATE
), timed AS MATERIALIZED (
    SELECT *, clock_timestamp() AS now FROM locked
), recent AS MATERIALIZED (
    SELECT timed.*,
           ARRAY(SELECT start FROM unnest(starts) AS start WHERE start > now - %(window)s ORDER BY start) AS all_starts,
           ARRAY(SELECT start FROM unnest(background) AS start WHERE start > now - %(window)s ORDER BY start)
               AS background_starts,
           CASE WHEN careful_until > now THEN 2 ELSE 1 END AS part,
           coalesce(probe_at <= now, false) AS probe_due
    FROM timed
), timely AS MATERIALIZED (
    SELECT recent.*,
           -- When the oldest of as many calls as are allowed leaves the window; NULL as long as there are fewer.
           greatest(
               all_starts[cardinality(all_starts) - greatest(%(most)s / part, 1) + 1],
               CASE WHEN %(background)s THEN
                   background_starts[cardinality(background_starts) - greatest(%(background_most)s / part, 1) + 1]
               END
           ) + %(window)s AS free_at,
           greatest(paused_until, CASE WHEN NOT %(probing)s THEN probe_at END) AS closed_until
    FROM recent
), judged AS MATERIALIZED (
    SELECT timely.*, coalesce(free_at <= now, true) AND coalesce(closed_until <= now, true) AS granted FROM timely
), taken AS (
    UPDATE call_windows AS known
    SET starts = all_starts || now,
        background = CASE WHEN %(background)s THEN background_starts || now ELSE background_starts END,
        probe_at = CASE WHEN probe_due AND NOT %(probing)s THEN now + %(lease)s ELSE known.probe_at END
    FROM judged WHERE known.rate_group = judged.rate_group AND granted
)
SELECT granted,
       coalesce(extract(epoch FROM closed_until - now), 0)::float8,
       silent_since IS NOT NULL,
       coalesce(paused_until > now, false),
       coalesce(extract(epoch FROM free_at - now), 0)::float8,
       granted AND probe_due AND NOT %(probing)s,
       unanswered > 0
FROM judged
"""
PAUSE = """
UPDATE call_windows
SET paused_until = greatest(paused_until, clock_timestamp() + make_interval(secs => %(seconds)s))
WHERE rate_group = %(group)s
"""
ANSWERED = "UPDATE call_windows SET unanswered = 0 WHERE rate_group = %s AND unanswered > 0 AND probe_at IS NULL"
UNANSWERED = """
UPDATE call_windows
SET unanswered = CASE WHEN unanswered_at > clock_timestamp() - %(within)s THEN least(unanswered, 99) + 1 ELSE 1 END,
    unanswered_at = clock_timestamp()
WHERE rate_group = %(group)s
"""
SUSPECT = """
UPDATE call_windows SET probe_at = clock_timestamp() + %(lease)s
WHERE rate_group = %(group)s AND unanswered >= 2 AND probe_at IS NULL
"""
ANSWERS = """
UPDATE call_windows
SET unanswered = 0, probe_at = NULL, silent_since = NULL,
    careful_until = CASE WHEN silent_since IS NULL THEN careful_until ELSE clock_timestamp() + %(careful)s END
WHERE rate_group = %(group)s
"""
SILENT = """
WITH before AS MATERIALIZED (SELECT * FROM call_windows WHERE rate_group = %(group)s FOR UPDATE)
UPDATE call_windows AS known
SET probe_at = clock_timestamp() + %(silence)s, silent_since = coalesce(before.silent_since, clock_timestamp())
FROM before WHERE known.rate_group = before.rate_group RETURNING before.silent_since IS NULL
"""


class Look(NamedTuple):
    """What a look for a permit found. Without `granted` it says how long there is none.

    `closed_s`: nobody calls for so long; `is_silent` or a pause tells why, else somebody asks whether the network
    answers. `wait_s`: all permits of the minute are in use for so long. `probe`: the permit is for asking whether the
    network answers. `suspected`: the last call that is known to have ended was not answered.
    """

    granted: bool
    closed_s: float
    is_silent: bool
    is_paused: bool
    wait_s: float
    probe: bool
    suspected: bool


def open_group(conn: Connection, group: str) -> None:
    """Makes the group's row if there is none yet; before anything else here."""
    conn.execute(OPEN, (group,))


def take(
    conn: Connection,
    group: str,
    line: str,
    *,
    most: int,
    background_most: int | None = None,
    is_first: bool = False,
    probing: bool = False,
) -> Look | None:
    """Takes a permit for a call that begins now, if there is one; None when somebody else stands in the line.

    `most`: calls a minute of all; `background_most`: of background work among them, for a call of such. While the
    network is to be gone easy on, half of both. `is_first`: the caller is the first in line, by another session of its
    own. `probing`: for the caller who asks whether the network answers.
    """
    row = conn.execute(
        TAKE,
        {
            "group": group,
            "line": line,
            "place": call_budgets.LINE,
            "first": is_first,
            "window": timedelta(seconds=WINDOW_S),
            "most": most,
            "background": background_most is not None,
            "background_most": background_most or most,
            "probing": probing,
            "lease": timedelta(seconds=PROBE_S),
        },
    ).fetchone()
    return Look(*row) if row else None


def pause(conn: Connection, group: str, seconds: float) -> None:
    """Lets nobody call for so long; a longer pause that is on already stays."""
    conn.execute(PAUSE, {"group": group, "seconds": seconds})


def answered(conn: Connection, group: str) -> None:
    """The network answered a call after others had not been answered."""
    conn.execute(ANSWERED, (group,))


def unanswered(conn: Connection, group: str) -> bool:
    """Nothing answered a call. Whether the caller is to ask now whether the network answers at all; nobody else calls.

    Then call take() with `probing`, and answers() or is_silent().
    """
    conn.execute(UNANSWERED, {"group": group, "within": timedelta(seconds=SUSPECT_WITHIN_S)})
    return conn.execute(SUSPECT, {"group": group, "lease": timedelta(seconds=PROBE_S)}).rowcount == 1


def answers(conn: Connection, group: str) -> None:
    """The network does answer. After a silence it is gone easy on for a while."""
    conn.execute(ANSWERS, {"group": group, "careful": timedelta(seconds=CAREFUL_S)})


def is_silent(conn: Connection, group: str, message: str) -> bool:
    """The network does not answer: nobody calls for SILENCE_S, then one call asks again.

    Raises an alert with this message, once for a silence however long it lasts; whether it did.
    """
    with conn.transaction():
        row = conn.execute(SILENT, {"group": group, "silence": timedelta(seconds=SILENCE_S)}).fetchone()
        return bool(row and row[0]) and alerts.raise_alert(conn, f"No answer to {group}", message)
