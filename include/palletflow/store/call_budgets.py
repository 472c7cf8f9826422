"""What all processes together may do to a network: so many calls in flight, pauses, a least spacing of calls.

A call in flight is an advisory lock of its process's session, so a killed process gives its calls back at once. The
same session may take a lock twice: whoever shares a session among threads keeps count itself of what it holds.

Whoever finds no free place stands in line, which is an advisory lock too: Postgres gives it to those who wait for it in
the order they came. While anybody stands in line, only the first of it takes a place. Without that, who makes one call
after the other would keep everybody else away: its places are free only for the moment between two calls.
"""

from psycopg.errors import LockNotAvailable

from palletflow.store.connection import Connection

# The line's lock is the one of a place that no budget has.
LINE = -1
# The line is asked for until the statement's end only.
TAKE = """
SELECT CASE WHEN %(first)s OR pg_try_advisory_xact_lock(hashtext('palletflow calls ' || %(budget)s), %(line)s)
            THEN pg_try_advisory_lock(hashtext('palletflow calls ' || %(budget)s), %(slot)s) ELSE false END,
       coalesce((
           SELECT extract(epoch FROM paused_until - clock_timestamp()) FROM call_budgets WHERE budget = %(budget)s
       ), 0)::float8
"""
PAUSE = """
INSERT INTO call_budgets AS known (budget, paused_until)
VALUES (%(budget)s, clock_timestamp() + make_interval(secs => %(seconds)s))
ON CONFLICT (budget) DO UPDATE SET paused_until = greatest(known.paused_until, excluded.paused_until)
"""
RESERVE = """
INSERT INTO call_budgets AS known (budget, next_call_at)
VALUES (%(budget)s, clock_timestamp() + make_interval(secs => %(spacing_s)s))
ON CONFLICT (budget) DO UPDATE
SET next_call_at = greatest(known.next_call_at, clock_timestamp()) + make_interval(secs => %(spacing_s)s)
RETURNING extract(epoch FROM next_call_at - make_interval(secs => %(spacing_s)s) - clock_timestamp())::float8
"""


def take(conn: Connection, budget: str, slot: int, *, is_first: bool) -> float | None:
    """Takes one of a budget's slots for this session; None when another session has it, or somebody stands in line.

    Else the seconds that nobody shall call for, not positive when there is no pause. Give the slot back in any case.
    `is_first`: the caller is the first in line, by another session of its own.
    """
    [(taken, pause_s)] = conn.execute(
        TAKE, {"budget": budget, "slot": slot, "line": LINE, "first": is_first}
    ).fetchall()
    return pause_s if taken else None


def line_up(conn: Connection, budget: str, most_s: float) -> bool:
    """Waits until this session is the first in a budget's line; False when it was not its turn for so long.

    Give LINE back to leave it.
    """
    conn.execute("SELECT set_config('lock_timeout', %s, false)", (f"{max(most_s, 0.001) * 1000:.0f}ms",))
    try:
        conn.execute("SELECT pg_advisory_lock(hashtext('palletflow calls ' || %s), %s)", (budget, LINE))
    except LockNotAvailable:
        return False
    return True


def give_back(conn: Connection, budget: str, slot: int) -> None:
    """Frees a slot that this session took, or LINE."""
    conn.execute("SELECT pg_advisory_unlock(hashtext('palletflow calls ' || %s), %s)", (budget, slot))


def pause(conn: Connection, budget: str, seconds: float) -> None:
    """Lets nobody call for so long; a longer pause that is on already stays."""
    conn.execute(PAUSE, {"budget": budget, "seconds": seconds})


def reserve_start(conn: Connection, budget: str, spacing_s: float) -> float:
    """Reserves the next start of a call, `spacing_s` after the one before; seconds until then, not positive if now."""
    [(wait_s,)] = conn.execute(RESERVE, {"budget": budget, "spacing_s": spacing_s}).fetchall()
    return float(wait_s)
