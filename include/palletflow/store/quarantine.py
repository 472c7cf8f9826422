"""Rejected records that wait for a person: listed, corrected, handed out for replay."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import NamedTuple

from palletflow.store.connection import Connection


class Quarantined(NamedTuple):
    """A rejected record of the depot or file `party`.

    `raw` is what the network sent, or the row of a file, heading to cell; `corrected` what a person made of it, if
    anyone did. `row_number`: physical row of the file, None for what is no row. `batch_id`: the reading that brought
    it.
    """

    id: int
    network: str
    party: str
    record_key: str
    reason_code: str
    field: str | None
    reason: str
    raw: str
    corrected: str | None
    read_at: datetime
    replays: int
    stream: str
    batch_id: int
    row_number: int | None


class Kept(NamedTuple):
    """A rejected record, whether it waits or was settled; see Quarantined.

    `settled_by` says how, `consignment_id` what it became then; both None while it waits. `size` of `raw`, in bytes.
    """

    record: Quarantined
    corrected_by: str | None
    settled_at: datetime | None
    settled_by: str | None
    consignment_id: int | None
    size: int


class NotInQuarantine(LookupError):
    """No open quarantined record has this id."""

    def __init__(self, record_id: int) -> None:
        super().__init__(f"Record {record_id} is not in quarantine: it never was, or it has been settled since.")


# How a row of a file is settled that came again in a later file.
SENT_AGAIN = "the same row came again in "
QUARANTINED = """
SELECT r.id, r.network, b.party, r.record_key, r.reason_code, r.field, r.reason, r.raw, r.corrected,
       r.read_at, r.replays, r.stream, r.batch_id, r.row_number
FROM inbound_records r JOIN inbound_batches b ON b.id = r.batch_id
WHERE r.outcome = 'rejected'
"""
OPEN = f"""{QUARANTINED}
  AND r.settled_at IS NULL
  AND (%(network)s::text IS NULL OR r.network = %(network)s)
  AND (%(reason_code)s::text IS NULL OR r.reason_code = %(reason_code)s)
  AND (%(ids)s::bigint[] IS NULL OR r.id = ANY (%(ids)s))
ORDER BY r.id
"""
SETTLE_UNCHANGED = """
UPDATE inbound_records held SET settled_at = now(), settled_by = 'the record was read again and is unchanged'
FROM unnest(%(keys)s::text[], %(read_at)s::timestamptz[]) AS again (record_key, read_at)
WHERE held.network = %(network)s AND held.record_key = again.record_key AND held.outcome = 'rejected'
  AND held.settled_at IS NULL AND held.read_at <= again.read_at
"""
KEPT = f"""
SELECT r.*, kept.corrected_by, kept.settled_at, kept.settled_by, kept.consignment_id, octet_length(kept.raw)
FROM ({QUARANTINED} AND r.id = %s) r JOIN inbound_records kept USING (id)
"""  # noqa: S608 - names are our own constants
TAKE_OUT = """
UPDATE inbound_records SET settled_at = now(), settled_by = 'taken out by ' || %s
WHERE id = ANY (%s) AND outcome = 'rejected' AND settled_at IS NULL RETURNING id
"""
LANDED = "SELECT FROM inbound_records WHERE (network, stream, record_key) = (%s, %s, %s) LIMIT 1"
OF_BATCH = (
    f"{QUARANTINED} AND r.batch_id = %s AND (r.settled_at IS NULL OR starts_with(r.settled_by, %s)) ORDER BY r.id"
)


def listed(
    conn: Connection, network: str | None = None, reason_code: str | None = None, ids: list[int] | None = None
) -> list[Quarantined]:
    """Open records, oldest first; each filter that is None takes all."""
    rows = conn.execute(OPEN, {"network": network, "reason_code": reason_code, "ids": ids})
    return [Quarantined(*row) for row in rows]


def kept(conn: Connection, record_id: int) -> Kept | None:
    """One rejected record, settled or not; None when there is none of this id."""
    row = conn.execute(KEPT, (record_id,)).fetchone()
    width = len(Quarantined._fields)
    return Kept(Quarantined(*row[:width]), *row[width:]) if row else None


def take_out(conn: Connection, record_ids: Sequence[int], actor: str) -> list[int]:
    """Settles records that are not to become orders; those that were still waiting."""
    return [row[0] for row in conn.execute(TAKE_OUT, (actor, list(record_ids)))]


def of_batch(conn: Connection, batch_id: int) -> list[Quarantined]:
    """What is still open of one reading, in the order it was read, with rows that are settled only as they came again.

    Those belong to the orders of rows that are open: without them an order would land in part.
    """
    return [Quarantined(*row) for row in conn.execute(OF_BATCH, (batch_id, SENT_AGAIN))]


def has_landed(conn: Connection, network: str, stream: str, record_key: str) -> bool:
    """Whether a record with this key has come through this stream before, whatever became of it."""
    row = conn.execute(LANDED, (network, stream, record_key)).fetchone()
    return row is not None


def settle_unchanged(conn: Connection, network: str, read_at: Mapping[str, datetime]) -> None:
    """Settles what waits of records that were read again, by key at that moment, and are what they were before."""
    if read_at:
        values = {"network": network, "keys": list(read_at), "read_at": list(read_at.values())}
        conn.execute(SETTLE_UNCHANGED, values)


def correct(conn: Connection, record_id: int, corrected: str, actor: str) -> None:
    """Keeps a person's corrected form of a record beside the raw one, for the next replay.

    Raises NotInQuarantine.
    """
    changed = conn.execute(
        "UPDATE inbound_records SET corrected = %s, corrected_by = %s "
        "WHERE id = %s AND outcome = 'rejected' AND settled_at IS NULL",
        (corrected, actor, record_id),
    )
    if not changed.rowcount:
        raise NotInQuarantine(record_id)
