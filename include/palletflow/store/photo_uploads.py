"""Delivery photos on their way to a network's file server: numbers that are never given twice, and steps begun.

Every change is one statement or belongs into the caller's transaction. What was numbered or begun is committed before
the server sees anything of it, so that whoever comes after a kill knows what may stand there.
"""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from psycopg.rows import class_row

from palletflow.store import activity
from palletflow.store.connection import Connection
from palletflow.store.documents import STORED_COLUMNS, StoredDocument

WAITING, REFUSED, NUMBERED, TRANSFERRING, RENAMING, UPLOADED, FAILED, CONFIG_ERROR = (
    "waiting", "refused", "numbered", "transferring", "renaming", "uploaded", "failed", "config_error",
)  # fmt: skip
COLUMNS = (
    "document_id, consignment_id, state, step, tracking_number, number, name, size, sha256, code, reason, tries, "
    "failing_since, next_try_at, asked, uploaded_at"
)
UPLOAD_COLUMNS = ", ".join(f"u.{column.strip()}" for column in COLUMNS.split(","))
OF_CONSIGNMENT = f"""
SELECT {UPLOAD_COLUMNS}
FROM photo_uploads u JOIN documents d ON d.id = u.document_id JOIN consignments c ON c.order_id = d.order_id
WHERE c.id = %s AND coalesce(u.consignment_id, c.id) = c.id
ORDER BY u.document_id
"""  # noqa: S608 - names are our own constants
OF_ORDER = f"""
SELECT {UPLOAD_COLUMNS} FROM photo_uploads u JOIN documents d ON d.id = u.document_id WHERE d.order_id = %s
ORDER BY u.document_id
"""  # noqa: S608
# What came from the network never goes to it, whoever adds it again under whatever name.
TO_UPLOAD = f"""
SELECT {STORED_COLUMNS}, {UPLOAD_COLUMNS}
FROM consignments c
JOIN documents d ON d.order_id = c.order_id AND coalesce(d.consignment_id, c.id) = c.id
LEFT JOIN photo_uploads u ON u.document_id = d.id
WHERE c.id = %(id)s AND d.kind = %(kind)s AND d.stale_at IS NULL AND coalesce(u.consignment_id, c.id) = c.id
  AND coalesce(u.state, '') NOT IN ('uploaded', 'refused')
  AND NOT EXISTS (SELECT FROM documents came
                  WHERE came.order_id = d.order_id AND came.sha256 = d.sha256 AND came.source = %(origin)s)
ORDER BY d.id
"""  # noqa: S608
LIVE = """
SELECT count(*) FROM consignments c JOIN orders o ON o.id = c.order_id
WHERE c.order_id = %s AND c.network = %s AND c.lifecycle_status <> 'CANCELLED' AND o.cancelled_at IS NULL
"""
WAIT = """
INSERT INTO photo_uploads AS held (document_id, consignment_id, state, reason)
VALUES (%(document_id)s, %(consignment_id)s, 'waiting', %(reason)s)
ON CONFLICT (document_id) DO UPDATE
SET consignment_id = coalesce(held.consignment_id, excluded.consignment_id), state = 'waiting',
    reason = excluded.reason
WHERE held.number IS NULL AND held.state IN ('waiting', 'config_error')
  AND (held.state, held.reason) IS DISTINCT FROM ('waiting', excluded.reason)
"""
FORGET = "DELETE FROM photo_uploads WHERE document_id = ANY (%s) AND number IS NULL"
REFUSE = """
INSERT INTO photo_uploads AS held (document_id, consignment_id, state, code, reason)
VALUES (%(document_id)s, %(consignment_id)s, 'refused', %(code)s, %(reason)s)
ON CONFLICT (document_id) DO UPDATE
SET consignment_id = excluded.consignment_id, state = 'refused', code = excluded.code, reason = excluded.reason,
    next_try_at = NULL
"""
# The row is locked until the caller's transaction ends: two who ask are given two numbers.
NEXT_NUMBER = """
INSERT INTO upload_sequences AS held (tracking_number, last_number) VALUES (%(tracking_number)s, %(start)s)
ON CONFLICT (tracking_number) DO UPDATE SET last_number = greatest(held.last_number + 1, excluded.last_number)
RETURNING last_number
"""
NUMBER = f"""
INSERT INTO photo_uploads AS held (document_id, consignment_id, state, tracking_number, number, name, size, sha256)
VALUES (%(document_id)s, %(consignment_id)s, 'numbered', %(tracking_number)s, %(number)s, %(name)s, %(size)s,
        %(sha256)s)
ON CONFLICT (document_id) DO UPDATE
SET consignment_id = excluded.consignment_id, state = 'numbered', step = NULL, number = excluded.number,
    tracking_number = excluded.tracking_number, name = excluded.name, size = excluded.size, sha256 = excluded.sha256,
    reason = NULL
RETURNING {COLUMNS}
"""  # noqa: S608
BEGIN = "UPDATE photo_uploads SET state = %(step)s, step = %(step)s, reason = NULL WHERE document_id = %(document_id)s"
UPLOADED_NOW = """
UPDATE photo_uploads
SET state = 'uploaded', uploaded_at = %(at)s, reason = NULL, tries = 0, failing_since = NULL, next_try_at = NULL
WHERE document_id = %(document_id)s AND state <> 'uploaded'
"""
COLLIDED = """
INSERT INTO upload_collisions (tracking_number, number, name, document_id)
SELECT tracking_number, number, name, document_id FROM photo_uploads WHERE document_id = %s
"""
FAIL = """
INSERT INTO photo_uploads AS held (document_id, consignment_id, state, reason, tries, failing_since, next_try_at, asked)
VALUES (%(document_id)s, %(consignment_id)s, coalesce(%(state)s, 'waiting'), %(reason)s, 1, %(at)s, %(next_try_at)s,
        %(asked)s)
ON CONFLICT (document_id) DO UPDATE
SET consignment_id = excluded.consignment_id, state = coalesce(%(state)s, held.state), reason = excluded.reason,
    tries = held.tries + 1, failing_since = coalesce(held.failing_since, excluded.failing_since),
    next_try_at = excluded.next_try_at, asked = excluded.asked
"""
REOPEN = f"""
UPDATE photo_uploads
SET state = CASE WHEN number IS NULL THEN 'waiting' ELSE 'numbered' END, tries = 0, failing_since = NULL,
    next_try_at = NULL, reason = NULL
WHERE document_id = %s AND state IN ('failed', 'config_error')
RETURNING {COLUMNS}
"""  # noqa: S608
CHOOSE = """
INSERT INTO photo_uploads AS held (document_id, consignment_id, state)
SELECT d.id, c.id, 'waiting' FROM documents d JOIN consignments c ON c.order_id = d.order_id
WHERE d.id = %(document_id)s AND c.id = %(consignment_id)s AND d.consignment_id IS NULL
ON CONFLICT (document_id) DO UPDATE SET consignment_id = excluded.consignment_id, reason = NULL
WHERE held.number IS NULL AND held.state <> 'refused'
"""


class Upload(NamedTuple):
    """How far a document has come; `state` as in U14 of the contract.

    `consignment_id` None: it waits for `choose`. `step`: the last one that was begun, "transferring" or "renaming".
    `code`: why it was refused. `reason` says it in words, or why it waits or failed last. `tries` failed in a row since
    `failing_since`; it is tried again at `next_try_at`, and one that failed for the request `asked` for another.
    """

    document_id: int
    consignment_id: int | None
    state: str
    step: str | None
    tracking_number: str | None
    number: int | None
    name: str | None
    size: int | None
    sha256: bytes | None
    code: str | None
    reason: str | None
    tries: int
    failing_since: datetime | None
    next_try_at: datetime | None
    asked: str
    uploaded_at: datetime | None


class Candidate(NamedTuple):
    """A photo that may have to be uploaded, and what was done of that."""

    document: StoredDocument
    upload: Upload | None

    @property
    def consignment_id(self) -> int | None:
        """Whose photo it is; None for one of the order of which nobody has said whose."""
        return self.document.consignment_id or (self.upload.consignment_id if self.upload else None)


def of_consignment(conn: Connection, consignment_id: int) -> list[Upload]:
    """How far the photos of a consignment have come, and those of its order that wait for a choice; oldest first."""
    with conn.cursor(row_factory=class_row(Upload)) as cursor:
        return cursor.execute(OF_CONSIGNMENT, (consignment_id,)).fetchall()


def of_order(conn: Connection, order_id: int) -> list[Upload]:
    """How far the photos of an order have come, oldest first."""
    with conn.cursor(row_factory=class_row(Upload)) as cursor:
        return cursor.execute(OF_ORDER, (order_id,)).fetchall()


def to_upload(conn: Connection, consignment_id: int, kind: str, origin: str) -> list[Candidate]:
    """Documents of the kind that are neither uploaded nor refused, of the consignment and of its order; oldest first.

    What came from the network, by its `origin` or by its bytes, is never among them.
    """
    rows = conn.execute(TO_UPLOAD, {"id": consignment_id, "kind": kind, "origin": origin}).fetchall()
    width = len(StoredDocument._fields)
    return [
        Candidate(
            StoredDocument._make(row[:width]), None if row[width] is None else Upload._make(row[width:])
        )
        for row in rows
    ]  # fmt: skip


def live_consignments(conn: Connection, order_id: int, network: str) -> int:
    """How many consignments of an order with a network have not been cancelled."""
    [(count,)] = conn.execute(LIVE, (order_id, network)).fetchall()
    return int(count)


def wait(conn: Connection, document_id: int, consignment_id: int | None, reason: str) -> bool:
    """Notes why a photo that has no number waits; whether it has only just begun to wait for that."""
    values = {"document_id": document_id, "consignment_id": consignment_id, "reason": reason}
    return conn.execute(WAIT, values).rowcount == 1


def forget(conn: Connection, document_ids: Sequence[int]) -> None:
    """Forgets photos that are not to be uploaded after all, unless they have a number."""
    conn.execute(FORGET, (list(document_ids),))


def choose(conn: Connection, document_id: int, consignment_id: int) -> bool:
    """Says of which consignment a photo of its whole order is; False when it cannot be said, or not any more.

    Ask for the upload's work within the same transaction.
    """
    return conn.execute(CHOOSE, {"document_id": document_id, "consignment_id": consignment_id}).rowcount == 1


def refuse(
    conn: Connection, document_id: int, consignment_id: int, code: str, reason: str, *, actor: str, source: str
) -> None:
    """The file itself cannot be uploaded, now or later; the history says why."""
    values = {"document_id": document_id, "consignment_id": consignment_id, "code": code, "reason": reason}
    conn.execute(REFUSE, values)
    activity.record(conn, consignment_id, "photo refused", actor, source, warnings=[f"{code}: {reason}"])


def number(
    conn: Connection,
    document_id: int,
    consignment_id: int,
    tracking_number: str,
    start: int,
    name: Callable[[int], str],
    size: int,
    sha256: bytes,
) -> Upload:
    """Reserves the tracking ID's next number, and with it the name, for a photo that is about to be sent.

    The first is `start`. Commit it before the transfer.
    """
    values: dict[str, Any] = {"tracking_number": tracking_number, "start": start}
    [(given,)] = conn.execute(NEXT_NUMBER, values).fetchall()
    values |= {"document_id": document_id, "consignment_id": consignment_id, "size": size, "sha256": sha256}
    with conn.cursor(row_factory=class_row(Upload)) as cursor:
        written = cursor.execute(NUMBER, {**values, "number": given, "name": name(given)}).fetchone()
    assert written is not None, "inserted or updated"
    return written


def begin(conn: Connection, document_id: int, step: str) -> None:
    """Notes that a step is about to be done: "transferring" or "renaming". Commit it before."""
    conn.execute(BEGIN, {"document_id": document_id, "step": step})


def uploaded(conn: Connection, upload: Upload, at: datetime, *, actor: str, source: str) -> None:
    """The server has the whole file under its name."""
    if conn.execute(UPLOADED_NOW, {"document_id": upload.document_id, "at": at}).rowcount:
        assert upload.consignment_id is not None, "numbered"
        changes = {"file": [None, upload.name], "bytes": [None, upload.size]}
        activity.record(conn, upload.consignment_id, "photo uploaded", actor, source, changes)


def collided(conn: Connection, document_id: int) -> None:
    """Somebody else's file stands under the name: the number is used up. Give the photo another one at once."""
    conn.execute(COLLIDED, (document_id,))


def fail(
    conn: Connection, document_id: int, consignment_id: int, reason: str, at: datetime, next_try_at: datetime
) -> None:
    """A try failed for what may pass; what was begun stays as it is."""
    _fail(conn, document_id, consignment_id, reason, at, None, next_try_at=next_try_at)


def give_up(
    conn: Connection,
    document_id: int,
    consignment_id: int,
    reason: str,
    at: datetime,
    *,
    asked: str,
    actor: str,
    source: str,
) -> None:
    """It is not tried again for this request; number and name stay its own."""
    _fail(conn, document_id, consignment_id, reason, at, FAILED, asked=asked)
    activity.record(conn, consignment_id, "photo upload failed", actor, source, warnings=[reason])


def misconfigured(conn: Connection, document_id: int, consignment_id: int, reason: str, at: datetime) -> None:
    """The connection must be mended first."""
    _fail(conn, document_id, consignment_id, reason, at, CONFIG_ERROR)


def reopen(conn: Connection, document_id: int) -> Upload | None:
    """Begins a new series of tries of what had failed or waited for its connection; None when there is nothing."""
    with conn.cursor(row_factory=class_row(Upload)) as cursor:
        return cursor.execute(REOPEN, (document_id,)).fetchone()


def _fail(
    conn: Connection,
    document_id: int,
    consignment_id: int,
    reason: str,
    at: datetime,
    state: str | None,
    *,
    next_try_at: datetime | None = None,
    asked: str = "",
) -> None:
    values = {
        "document_id": document_id,
        "consignment_id": consignment_id,
        "state": state,
        "reason": reason,
        "at": at,
        "next_try_at": next_try_at,
        "asked": asked,
    }
    conn.execute(FAIL, values)
