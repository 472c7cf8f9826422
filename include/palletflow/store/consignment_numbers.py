"""Our own numbers of consignments that cannot be used."""

from palletflow.store.connection import Connection

GIVE_UP = "UPDATE consignments SET consignment_number = '', updated_at = now() WHERE id = %s AND NOT registered"


def give_up(conn: Connection, consignment_id: int) -> None:
    """Takes the number off, as somebody else has it in the network; the next dispatch takes the next one.

    Within the caller's transaction. What the network has registered keeps its number.
    """
    conn.execute(GIVE_UP, (consignment_id,))
