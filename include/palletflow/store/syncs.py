"""How far the polls and pulls of every network have come: one row a stream and party, whoever runs it.

A party is a depot of ours, the connection that several of them share, or a place that files come from.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import NamedTuple

from palletflow.store.connection import Connection

# network, stream, party
Key = tuple[str, str, str]

ONE = """
SELECT read_to, succeeded_at, next_due_at, lag, expected_since FROM poll_runs
WHERE (network, stream, party) = (%s, %s, %s)
"""
ALL = """
SELECT network, stream, party, read_to, succeeded_at, next_due_at, lag, expected_since FROM poll_runs ORDER BY 1, 2, 3
"""
READ_TO = """
INSERT INTO poll_runs AS held (network, stream, party, read_to) VALUES (%s, %s, %s, %s)
ON CONFLICT (network, stream, party) DO UPDATE SET read_to = greatest(held.read_to, excluded.read_to)
"""
SUCCEEDED = """
INSERT INTO poll_runs (network, stream, party, succeeded_at, next_due_at, lag) VALUES (%s, %s, %s, %s, %s, %s)
ON CONFLICT (network, stream, party) DO UPDATE
SET succeeded_at = excluded.succeeded_at, next_due_at = excluded.next_due_at, lag = excluded.lag
"""
EXPECTED = """
INSERT INTO poll_runs (network, stream, party) SELECT * FROM unnest(%s::text[], %s::text[], %s::text[])
ON CONFLICT DO NOTHING
"""
FORGET = "DELETE FROM poll_runs WHERE (network, stream, party) = (%s, %s, %s)"


class Sync(NamedTuple):
    """How far one has come: up to when its feed is read (None: it has no feed, or nothing was read yet), and of the
    last run that came to its end when that was, when the next one is due, and for how long that had waited which it
    left undone; since when it is known that there should be one."""

    read_to: datetime | None
    succeeded_at: datetime | None
    next_due_at: datetime | None
    lag: timedelta | None
    expected_since: datetime


def one(conn: Connection, network: str, stream: str, party: str) -> Sync | None:
    """None before its first run, unless it was said to be expected."""
    row = conn.execute(ONE, (network, stream, party)).fetchone()
    return Sync(*row) if row else None


def listed(conn: Connection) -> dict[Key, Sync]:
    """All of them, by (network, stream, party)."""
    return {(network, stream, party): Sync(*rest) for network, stream, party, *rest in conn.execute(ALL)}


def is_read_to(conn: Connection, network: str, stream: str, party: str, at: datetime) -> None:
    """Keeps that a feed is read up to then; it never goes back."""
    conn.execute(READ_TO, (network, stream, party, at))


def succeeded(
    conn: Connection,
    network: str,
    stream: str,
    party: str,
    *,
    at: datetime,
    next_due_at: datetime,
    lag: timedelta = timedelta(0),
) -> None:
    """Keeps that a run has come to its end."""
    conn.execute(SUCCEEDED, (network, stream, party, at, next_due_at, lag))


def expect(conn: Connection, keys: Iterable[Key]) -> None:
    """Keeps since when there should be these; of those known already nothing changes."""
    columns = [list(column) for column in zip(*sorted(set(keys)), strict=True)]
    if columns:
        conn.execute(EXPECTED, columns)


def forget(conn: Connection, network: str, stream: str, party: str) -> None:
    """Of what is switched off nothing is kept: once it is switched on again it begins anew."""
    conn.execute(FORGET, (network, stream, party))
