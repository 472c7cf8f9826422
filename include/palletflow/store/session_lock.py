"""One session at a time does a thing that must not be done twice at once, I/O included.

The lock is the session's and no transaction stays open; a killed process gives it up at once.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from palletflow.store.connection import Connection, ConnectionLost

KEY = "hashtextextended('palletflow ' || %s, 0)"
TAKE = f"SELECT pg_try_advisory_lock({KEY})"
GIVE_BACK = f"SELECT pg_advisory_unlock({KEY})"


@contextmanager
def alone(conn: Connection, what: str) -> Iterator[bool]:
    """Gives whether this session is the only one that does `what`; if so, no other is until the block ends."""
    [(taken,)] = conn.execute(TAKE, (what,)).fetchall()
    try:
        yield taken
    finally:
        if taken and not conn.closed:
            try:
                conn.execute(GIVE_BACK, (what,))
            except ConnectionLost:
                conn.close()  # and the lock is gone with it
