"""Documents of consignments that networks and we exchange: what was fetched, what is sent, and what could not be.

Everything about one consignment is done under its row's lock, within the caller's transaction. A row is tried until it
is done or given up, and given up until somebody asks anew; one that is sent has its number and name before the transfer
begins.
"""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import NamedTuple

from psycopg.rows import class_row

from palletflow.store import activity, consignments, documents
from palletflow.store.connection import Connection
from palletflow.store.documents import STORED_COLUMNS, Document, StoredDocument

COLUMNS = (
    "id, direction, document_id, code, kind, number, name, sha256, network_id, tries, reason, asked, done_at, "
    "given_up_at"
)
OF_CONSIGNMENT = f"SELECT {COLUMNS} FROM document_exchanges WHERE consignment_id = %s ORDER BY id"  # noqa: S608
# Delivered when the stop was completed, or when the network says so of a stop that nobody completed. It is told when
# that was sent, or read back, whatever time was said of it then.
DELIVERY = """
SELECT CASE WHEN c.lifecycle_status = 'DELIVERED' THEN coalesce(s.completed_at, (
           SELECT max(t.occurred_at) FROM tracking_events t
           WHERE (t.consignment_id, t.direction, t.status) = (c.id, 'imported', 'DELIVERED'))) END,
       EXISTS (SELECT FROM tracking_events t
               WHERE t.consignment_id = c.id AND t.status = 'DELIVERED'
                 AND (t.direction = 'imported' OR t.sent_at IS NOT NULL))
FROM consignments c JOIN stops s ON (s.consignment_id, s.kind) = (c.id, 'delivery')
WHERE c.id = %s
"""
# What came from a network never goes to one, whoever adds it again under whatever name or kind.
TO_SEND = f"""
SELECT DISTINCT ON (d.kind, d.sha256) {STORED_COLUMNS} FROM documents d
WHERE d.consignment_id = %(id)s AND d.kind = ANY (%(kinds)s) AND d.stale_at IS NULL
  AND NOT EXISTS (SELECT FROM documents came WHERE came.consignment_id = d.consignment_id
                  AND came.sha256 = d.sha256 AND came.source = %(origin)s)
  AND NOT EXISTS (SELECT FROM document_exchanges e WHERE e.consignment_id = d.consignment_id AND e.sha256 = d.sha256
                  AND (e.direction = 'fetched' OR e.kind = d.kind))
ORDER BY d.kind, d.sha256, d.id
"""  # noqa: S608 - names are our own constants
DONE = "SELECT FROM document_exchanges WHERE (consignment_id, network_id) = (%s, %s) AND done_at IS NOT NULL"
SAME_BYTES = "SELECT id FROM documents WHERE (consignment_id, sha256) = (%s, %s) ORDER BY id LIMIT 1"
FETCHED = """
INSERT INTO document_exchanges AS held (consignment_id, document_id, direction, code, kind, name, sha256, network_id,
                                        done_at)
VALUES (%(consignment_id)s, %(document_id)s, 'fetched', %(code)s, %(kind)s, %(name)s, %(sha256)s, %(network_id)s, now())
ON CONFLICT (consignment_id, network_id) DO UPDATE
SET document_id = excluded.document_id, code = excluded.code, kind = excluded.kind, name = excluded.name,
    sha256 = excluded.sha256, reason = NULL, done_at = now(), given_up_at = NULL
"""
FAILED = """
INSERT INTO document_exchanges AS held (consignment_id, direction, code, kind, name, network_id, tries, reason, asked,
                                        given_up_at)
VALUES (%(consignment_id)s, 'fetched', %(code)s, %(kind)s, %(name)s, %(network_id)s, 1, %(reason)s, %(asked)s,
        CASE WHEN %(most)s <= 1 THEN now() END)
ON CONFLICT (consignment_id, network_id) DO UPDATE
SET tries = CASE WHEN held.asked = excluded.asked THEN held.tries + 1 ELSE 1 END,
    given_up_at = CASE WHEN %(most)s <= CASE WHEN held.asked = excluded.asked THEN held.tries + 1 ELSE 1 END
                       THEN now() END,
    reason = excluded.reason, asked = excluded.asked
WHERE held.done_at IS NULL
RETURNING given_up_at IS NOT NULL
"""
LAST_NUMBER = "SELECT coalesce(max(number), 0) FROM document_exchanges WHERE (consignment_id, code) = (%s, %s)"
IS_SENT = """
SELECT FROM document_exchanges WHERE (consignment_id, kind, sha256) = (%s, %s, %s) AND direction = 'sent'
"""
SEND = f"""
INSERT INTO document_exchanges (consignment_id, document_id, direction, code, kind, number, name, sha256)
VALUES (%(consignment_id)s, %(document_id)s, 'sent', %(code)s, %(kind)s, %(number)s, %(name)s, %(sha256)s)
RETURNING {COLUMNS}
"""  # noqa: S608
# An id that another row has already cannot be this one's too, whatever the network says.
SENT = """
UPDATE document_exchanges e
SET done_at = now(), reason = NULL, given_up_at = NULL,
    network_id = (SELECT given.id FROM (SELECT nullif(%(network_id)s, '') AS id) given
                  WHERE NOT EXISTS (SELECT FROM document_exchanges other
                                    WHERE (other.consignment_id, other.network_id) = (e.consignment_id, given.id)
                                      AND other.id <> e.id))
WHERE e.id = %(id)s AND e.done_at IS NULL
"""
REFUSED = """
UPDATE document_exchanges SET tries = tries + 1, reason = %(reason)s, asked = %(asked)s, given_up_at = now()
WHERE id = %(id)s AND done_at IS NULL
"""


class Exchange(NamedTuple):
    """One document on its way, `direction` "fetched" or "sent".

    `code` is the network's word for its `kind`. `number` and `name` of one that is sent are reserved for good.
    `network_id`: the network's id of it. `tries` failed for the request `asked`, the last for `reason`.
    """

    id: int
    direction: str
    document_id: int | None
    code: str
    kind: str
    number: int | None
    name: str
    sha256: bytes | None
    network_id: str | None
    tries: int
    reason: str | None
    asked: str
    done_at: datetime | None
    given_up_at: datetime | None

    def is_due(self, asked: str) -> bool:
        """Whether it is to be tried for this request: what was given up waits for another."""
        return self.done_at is None and (self.given_up_at is None or self.asked != asked)


class Delivery(NamedTuple):
    """When a consignment was delivered, None before; `is_told`: its network knows."""

    at: datetime | None
    is_told: bool


class Fetched(NamedTuple):
    """A document that the network has: its word for the kind, our kind, the name and the id it gave."""

    consignment_id: int
    code: str
    kind: str
    name: str
    network_id: str


def of_consignment(conn: Connection, consignment_id: int) -> list[Exchange]:
    """Everything that was exchanged of a consignment or is about to be, oldest first."""
    with conn.cursor(row_factory=class_row(Exchange)) as cursor:
        return cursor.execute(OF_CONSIGNMENT, (consignment_id,)).fetchall()


def delivery(conn: Connection, consignment_id: int) -> Delivery:
    """Whether and when it was delivered."""
    row = conn.execute(DELIVERY, (consignment_id,)).fetchone()
    return Delivery(*row) if row else Delivery(None, False)


def to_send(conn: Connection, consignment_id: int, kinds: Sequence[str], origin: str) -> list[StoredDocument]:
    """Documents of these kinds that were not sent yet, the same bytes once a kind; oldest first.

    What came from the network, by its `origin` or by its bytes, is never among them.
    """
    with conn.cursor(row_factory=class_row(StoredDocument)) as cursor:
        values = {"id": consignment_id, "kinds": list(kinds), "origin": origin}
        return sorted(cursor.execute(TO_SEND, values).fetchall())


def keep(conn: Connection, fetched: Fetched, document: Document) -> None:
    """Keeps what was fetched; bytes that the consignment has already are linked and not added again.

    Does nothing when it was kept meanwhile, or the consignment is gone.
    """
    if not consignments.lock(conn, fetched.consignment_id):
        return
    if conn.execute(DONE, (fetched.consignment_id, fetched.network_id)).fetchone() is not None:
        return
    held = conn.execute(SAME_BYTES, (fetched.consignment_id, document.sha256)).fetchone()
    document_id = int(held[0]) if held else documents.add(conn, document)
    conn.execute(FETCHED, {**fetched._asdict(), "document_id": document_id, "sha256": document.sha256})


def failed(
    conn: Connection, fetched: Fetched, reason: str, *, asked: str, most_tries: int, actor: str, source: str
) -> None:
    """Notes that a document could not be fetched; after `most_tries` for the same request it is given up."""
    if not consignments.lock(conn, fetched.consignment_id):
        return
    row = conn.execute(FAILED, {**fetched._asdict(), "reason": reason, "asked": asked, "most": most_tries}).fetchone()
    if row and row[0]:
        activity.record(conn, fetched.consignment_id, "document parked", actor, source, warnings=[reason])


def reserve(
    conn: Connection, document: StoredDocument, code: str, name: Callable[[int], str], above: int
) -> Exchange | None:
    """Reserves the next number of the code, and with it the name, for a document that is about to be sent.

    The number is larger than `above` and than any that was reserved before, whatever became of it. None when the
    document's bytes are on their way already, or the consignment is gone. Commit it before the transfer.
    """
    if document.consignment_id is None or not consignments.lock(conn, document.consignment_id):
        return None
    if conn.execute(IS_SENT, (document.consignment_id, document.kind, document.sha256)).fetchone() is not None:
        return None
    [(last,)] = conn.execute(LAST_NUMBER, (document.consignment_id, code)).fetchall()
    number = max(last, above) + 1
    values = {
        "consignment_id": document.consignment_id,
        "document_id": document.id,
        "code": code,
        "kind": document.kind,
        "number": number,
        "name": name(number),
        "sha256": document.sha256,
    }
    with conn.cursor(row_factory=class_row(Exchange)) as cursor:
        return cursor.execute(SEND, values).fetchone()


def sent(
    conn: Connection, consignment_id: int, exchange: Exchange, network_id: str, *, actor: str, source: str
) -> None:
    """The network has the document; `network_id` "" when it did not say under which id."""
    consignments.lock(conn, consignment_id)
    if conn.execute(SENT, {"id": exchange.id, "network_id": network_id}).rowcount:
        changes = {"document": [None, f"{exchange.code}: {exchange.name}"]}
        activity.record(conn, consignment_id, "document sent", actor, source, changes)


def refused(
    conn: Connection, consignment_id: int, exchange: Exchange, reason: str, *, asked: str, actor: str, source: str
) -> None:
    """The network refused the document for good: it is not sent again before somebody asks anew."""
    consignments.lock(conn, consignment_id)
    if conn.execute(REFUSED, {"id": exchange.id, "reason": reason, "asked": asked}).rowcount:
        activity.record(
            conn, consignment_id, "document refused", actor, source, warnings=[f"{exchange.name}: {reason}"]
        )
