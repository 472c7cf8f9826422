"""One writer at a time of what a network says of its consignments: imports and adoptions cannot cross or deadlock."""

from palletflow.store.connection import Connection


def hold(conn: Connection, network: str) -> None:
    """Waits for the network's other writers; the caller's transaction is the only one until it ends."""
    conn.execute("SELECT pg_advisory_xact_lock(hashtextextended('palletflow intake ' || %s, 0))", (network,))
