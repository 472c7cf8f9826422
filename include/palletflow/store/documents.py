"""Documents of orders and consignments: labels, proofs of delivery, photos. Their bytes lie in object storage."""

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from psycopg.rows import class_row

from palletflow.store import activity
from palletflow.store.connection import Connection

COLUMNS = (
    "order_id", "consignment_id", "pallet_number", "kind", "name", "media_type", "size", "sha256", "barcode",
    "provisional", "source", "actor", "customer_visible",
)  # fmt: skip
STORED_COLUMNS = ", ".join(f"d.{column}" for column in ("id", *COLUMNS, "stale_at", "created_at"))
# A label that is made again as it once was is good again, and newer than what was made in between.
ADD = f"""
INSERT INTO documents AS held ({", ".join(COLUMNS)}) VALUES ({", ".join(f"%({column})s" for column in COLUMNS)})
ON CONFLICT (order_id, consignment_id, pallet_number, kind, sha256) DO UPDATE SET stale_at = NULL, created_at = now()
WHERE held.stale_at IS NOT NULL
RETURNING id
"""  # noqa: S608 - names are our own constants
HELD = """
SELECT id FROM documents
WHERE (order_id, kind, sha256) = (%(order_id)s, %(kind)s, %(sha256)s)
  AND consignment_id IS NOT DISTINCT FROM %(consignment_id)s AND pallet_number IS NOT DISTINCT FROM %(pallet_number)s
"""
CONCERNED = """
SELECT id FROM consignments
WHERE order_id = %(order_id)s AND id = coalesce(%(consignment_id)s::bigint, id) ORDER BY id
"""
OF_ORDER = f"SELECT {STORED_COLUMNS} FROM documents d WHERE d.order_id = %s ORDER BY d.id"  # noqa: S608
OF_CONSIGNMENT = f"SELECT {STORED_COLUMNS} FROM documents d WHERE d.consignment_id = %s ORDER BY d.id"  # noqa: S608
BY_ID = f"SELECT {STORED_COLUMNS} FROM documents d WHERE d.id = %s"  # noqa: S608
MOST_SHOWN = 50
SHOWN_TO_CUSTOMERS = f"""
SELECT {STORED_COLUMNS} FROM documents d JOIN consignments c ON c.order_id = d.order_id
WHERE c.id = %s AND d.customer_visible AND d.stale_at IS NULL AND coalesce(d.consignment_id, c.id) = c.id
ORDER BY d.id LIMIT {MOST_SHOWN}
"""  # noqa: S608
# Of a pallet's good labels the network's goes before ours, and a newer one before an older one.
CURRENT_LABELS = f"""
SELECT {STORED_COLUMNS}
FROM unnest(%s::bigint[]) WITH ORDINALITY asked (consignment_id, place)
CROSS JOIN LATERAL (
    SELECT DISTINCT ON (d.pallet_number) d.*
    FROM documents d
    LEFT JOIN pallets p ON (p.consignment_id, p.number) = (d.consignment_id, d.pallet_number)
    WHERE d.consignment_id = asked.consignment_id AND d.kind IN ('LABEL', 'NETWORK_LABEL') AND d.stale_at IS NULL
      AND p.removed_at IS NULL
    ORDER BY d.pallet_number, d.kind = 'NETWORK_LABEL' DESC, d.created_at DESC, d.id DESC
) d
ORDER BY asked.place, d.pallet_number
"""  # noqa: S608
MARK_STALE = """
UPDATE documents SET stale_at = now()
WHERE consignment_id = %s AND kind = %s AND stale_at IS NULL AND id <> ALL (%s)
"""
SHOW_CUSTOMERS = """
UPDATE documents SET customer_visible = %(visible)s WHERE id = %(id)s AND customer_visible <> %(visible)s
RETURNING order_id, consignment_id, kind, name
"""
# Drawn by the network before we knew the barcodes it prints.
NAME_NETWORK_LABELS = """
UPDATE documents d SET barcode = b.barcode
FROM pallet_barcodes b
WHERE d.consignment_id = %s AND d.kind = 'NETWORK_LABEL' AND d.barcode = '' AND d.stale_at IS NULL
  AND (b.consignment_id, b.pallet_number) = (d.consignment_id, d.pallet_number) AND b.state IN ('expected', 'confirmed')
"""


class Document(NamedTuple):
    """A document to add; its bytes are stored already.

    `kind`: LABEL (ours), NETWORK_LABEL, POD, SIGNATURE, PHOTO, PAPERWORK or OTHER. `barcode`: the one printed on a
    label, "" on a provisional one. `sha256` is the digest itself, 32 bytes. `customer_visible`: customers may see it.
    """

    order_id: int
    consignment_id: int | None
    pallet_number: int | None
    kind: str
    name: str
    media_type: str
    size: int
    sha256: bytes
    source: str
    actor: str
    barcode: str = ""
    provisional: bool = False
    customer_visible: bool = False


class StoredDocument(NamedTuple):
    """A document as held. `stale_at`: since when a label is no longer good, None for a good one."""

    id: int
    order_id: int
    consignment_id: int | None
    pallet_number: int | None
    kind: str
    name: str
    media_type: str
    size: int
    sha256: bytes
    barcode: str
    provisional: bool
    source: str
    actor: str
    customer_visible: bool
    stale_at: datetime | None
    created_at: datetime


def add(conn: Connection, document: Document) -> int:
    """Adds a document within the caller's transaction; its id, also when the same content is held already.

    Writes activity "document added" on its consignment, or on all of the order when it has none. Nothing is written
    when it is held and good.
    """
    values = document._asdict()
    written = conn.execute(ADD, values).fetchone()
    if written is None:
        held = conn.execute(HELD, values).fetchone()
        assert held is not None, "the row that was in the way is locked, and so still there"
        return int(held[0])
    what = f"{document.kind}: {document.name}"
    for consignment_id in concerned(conn, document.order_id, document.consignment_id):
        activity.record(
            conn, consignment_id, "document added", document.actor, document.source, {"document": [None, what]}
        )
    return int(written[0])


def concerned(conn: Connection, order_id: int, consignment_id: int | None) -> list[int]:
    """The consignments that a document is of: its one, or all of its order when it has none."""
    of = {"order_id": order_id, "consignment_id": consignment_id}
    return [int(number) for (number,) in conn.execute(CONCERNED, of).fetchall()]


def show_customers(conn: Connection, document_id: int, visible: bool, actor: str, source: str) -> bool:
    """Lets customers see a document, or no longer, within the caller's transaction; False when that is so already.

    Writes activity "document shown to customers" or "document hidden from customers" on what it is of.
    """
    written = conn.execute(SHOW_CUSTOMERS, {"id": document_id, "visible": visible}).fetchone()
    if written is None:
        return False
    order_id, consignment_id, kind, name = written
    what = f"{kind}: {name}"
    entry = ("shown to", [None, what]) if visible else ("hidden from", [what, None])
    for number in concerned(conn, order_id, consignment_id):
        activity.record(conn, number, f"document {entry[0]} customers", actor, source, {"document": entry[1]})
    return True


def by_id(conn: Connection, document_id: int) -> StoredDocument | None:
    """One document; None when there is none."""
    with conn.cursor(row_factory=class_row(StoredDocument)) as cursor:
        return cursor.execute(BY_ID, (document_id,)).fetchone()


def of_order(conn: Connection, order_id: int) -> list[StoredDocument]:
    """All documents of an order, those of its consignments included, oldest first."""
    with conn.cursor(row_factory=class_row(StoredDocument)) as cursor:
        return cursor.execute(OF_ORDER, (order_id,)).fetchall()


def of_consignment(conn: Connection, consignment_id: int) -> list[StoredDocument]:
    """All documents of a consignment, oldest first."""
    with conn.cursor(row_factory=class_row(StoredDocument)) as cursor:
        return cursor.execute(OF_CONSIGNMENT, (consignment_id,)).fetchall()


def shown_to_customers(conn: Connection, consignment_id: int) -> list[StoredDocument]:
    """The documents of a consignment, and of its whole order, that customers may see: the oldest MOST_SHOWN."""
    with conn.cursor(row_factory=class_row(StoredDocument)) as cursor:
        return cursor.execute(SHOWN_TO_CUSTOMERS, (consignment_id,)).fetchall()


def current_labels(conn: Connection, consignment_ids: Sequence[int]) -> list[StoredDocument]:
    """The label to print for each pallet that has a good one: consignments in the order given, pallets by number.

    The network's own label goes before one drawn by us.
    """
    with conn.cursor(row_factory=class_row(StoredDocument)) as cursor:
        return cursor.execute(CURRENT_LABELS, (list(consignment_ids),)).fetchall()


def mark_stale(conn: Connection, consignment_id: int, kind: str, keep: Sequence[int] = ()) -> int:
    """Marks the good documents of a kind as no longer good, but for those with the ids in `keep`; how many."""
    return conn.execute(MARK_STALE, (consignment_id, kind, list(keep))).rowcount


def name_network_labels(conn: Connection, consignment_id: int) -> None:
    """Notes on the network's labels the barcodes of their pallets, so that a later change makes them stale."""
    conn.execute(NAME_NETWORK_LABELS, (consignment_id,))
