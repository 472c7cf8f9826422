"""Consignments in Palletways for tests of what the store keeps of their photos."""

import hashlib
import itertools

from tests.networks.palletforce.dispatching import content

from palletflow.store import documents, orders
from palletflow.store.connection import Connection
from palletflow.store.documents import Document

NETWORK = "palletways"
_keys = itertools.count(1)


def consignments(conn: Connection, *tracking_numbers: str | None) -> list[int]:
    """One order with a consignment for each of these numbers, which the network is not known to have; their ids."""
    conn.execute("INSERT INTO customers (code, name) VALUES ('ACME', 'Acme Widgets Ltd') ON CONFLICT DO NOTHING")
    row = {**content(), "network": NETWORK, "our_roles": ["requesting"], "given": {}}
    head = {"customer": "ACME", "reference": "SO-1", "reference_2": "", "copied_from": None, "key": f"p-{next(_keys)}"}
    rows = [row] * len(tracking_numbers)
    [made] = orders.insert(conn, [{**head, "consignments": rows}], "tester", "order API")
    for consignment_id, number in zip(made.consignments, tracking_numbers, strict=True):
        conn.execute("UPDATE consignments SET tracking_number = %s WHERE id = %s", (number, consignment_id))
    return list(made.consignments)


def add_photo(conn: Connection, consignment_id: int, text: str, *, whole_order: bool = False) -> int:
    """A photo among the consignment's documents, or among those of its order; its id."""
    [(order_id,)] = conn.execute("SELECT order_id FROM consignments WHERE id = %s", (consignment_id,)).fetchall()
    return documents.add(
        conn,
        Document(
            order_id=order_id,
            consignment_id=None if whole_order else consignment_id,
            pallet_number=None,
            kind="PHOTO",
            name=f"{text}.jpg",
            media_type="image/jpeg",
            size=1,
            sha256=hashlib.sha256(text.encode()).digest(),
            source="order API",
            actor="tester",
        ),
    )
