"""One writer at a time of what a source says: imports and adoptions of a network cannot cross or deadlock."""

from palletflow.store.connection import Connection


def hold(conn: Connection, source: str) -> None:
    """Waits for the source's other writers; the caller's transaction is the only one until it ends.

    `source`: a network, or a kind of order file.
    """
    conn.execute("SELECT pg_advisory_xact_lock(hashtextextended('palletflow intake ' || %s, 0))", (source,))
