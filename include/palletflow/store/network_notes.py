"""Notes that networks have about our consignments, as last read, and what we tell a network in notes.

A note that was new or had changed is a hint that its consignment has moved, until that one's status was asked for.
"""

from collections.abc import Mapping, Sequence
from datetime import date, datetime, time
from typing import Any, NamedTuple

from psycopg.types.json import Jsonb

from palletflow.store.connection import Connection

COLUMNS = (
    "tracking_number", "note_number", "delta", "status_code", "noted_at", "pod_date", "pod_time", "signatory",
    "note_group", "note_type", "barcode", "note_text", "raw",
)  # fmt: skip
KEEP = f"""
INSERT INTO network_notes AS held (network, hint, read_at, consignment_id, {", ".join(COLUMNS)})
SELECT %(network)s, %(depot)s, %(read_at)s, note.* FROM unnest(
    %(consignment_id)s::bigint[], %(tracking_number)s::text[], %(note_number)s::bigint[], %(delta)s::bigint[],
    %(status_code)s::text[], %(noted_at)s::timestamptz[], %(pod_date)s::date[], %(pod_time)s::time[],
    %(signatory)s::text[], %(note_group)s::text[], %(note_type)s::text[], %(barcode)s::text[], %(note_text)s::text[],
    %(raw)s::jsonb[]
) AS note
ON CONFLICT (network, tracking_number, note_number) DO UPDATE
SET hint = excluded.hint, read_at = excluded.read_at, consignment_id = excluded.consignment_id,
    {", ".join(f"{column} = excluded.{column}" for column in COLUMNS[2:])}
WHERE held.delta < excluded.delta
"""  # noqa: S608 - names are our own constants
OF = f"""
SELECT {", ".join(COLUMNS)} FROM network_notes WHERE (consignment_id, tracking_number) = (%s, %s)
ORDER BY delta, note_number
"""  # noqa: S608
HINTED = """
SELECT c.id, c.tracking_number, c.consignment_number, p.ended_at IS NOT NULL, array_agg(n.status_code),
       coalesce(p.polled_at >= max(n.read_at), false) AS was_lost
FROM network_notes n
JOIN consignments c ON (c.id, c.tracking_number) = (n.consignment_id, n.tracking_number)
LEFT JOIN tracking_polls p ON p.consignment_id = c.id
WHERE (n.network, n.hint) = (%s, %s)
GROUP BY c.id, p.ended_at, p.polled_at
ORDER BY was_lost, CASE WHEN p.polled_at >= max(n.read_at) THEN p.polled_at END, min(n.delta), c.id
"""
FOLLOWED = """
UPDATE network_notes SET hint = NULL WHERE consignment_id = %s AND hint IS NOT NULL AND read_at <= %s
"""


class Note(NamedTuple):
    """A note as read. `delta`: seconds since 1970, rises with each change; `status_code` "": says nothing of it.

    `noted_at`: its own moment, else that of its last change. `pod_time` may be None where `pod_date` is known.
    `raw`: the texts it came as.
    """

    tracking_number: str
    number: int
    delta: int
    status_code: str
    noted_at: datetime
    pod_date: date | None
    pod_time: time | None
    signatory: str
    group: str
    type: str
    barcode: str
    text: str
    raw: Mapping[str, str]


class Hinted(NamedTuple):
    """A consignment that notes speak of since its status was last known; `codes`: what they say of it.

    `was_lost`: it was asked for since, in vain.
    """

    consignment_id: int
    tracking_number: str
    consignment_number: str
    has_ended: bool
    codes: list[str]
    was_lost: bool = False


def keep(conn: Connection, network: str, depot: str, notes: Sequence[tuple[int, Note]], read_at: datetime) -> None:
    """Keeps notes by consignment id, those with a greater delta than the one held.

    `depot`: ours that read them.
    """
    latest: dict[tuple[str, int], tuple[int, Note]] = {}
    for one in sorted(notes, key=lambda one: one[1].delta):
        latest[one[1].tracking_number, one[1].number] = one
    if not latest:
        return
    rows = [(consignment_id, *note[:-1], Jsonb(note.raw)) for consignment_id, note in latest.values()]
    values = dict(zip(("consignment_id", *COLUMNS), map(list, zip(*rows, strict=True)), strict=True))
    conn.execute(KEEP, {**values, "network": network, "depot": depot, "read_at": read_at})


def of(conn: Connection, consignment_id: int, tracking_number: str) -> list[Note]:
    """The notes of a consignment under its number, the one that changed last at the end."""
    return [Note(*row) for row in conn.execute(OF, (consignment_id, tracking_number))]


def hinted(conn: Connection, network: str, depot: str) -> list[Hinted]:
    """The consignments of which notes that `depot` read speak and whose status is still to be asked for.

    Those that were asked for in vain come last, the one that has waited longest first.
    """
    return [Hinted(*row) for row in conn.execute(HINTED, (network, depot))]


def followed(conn: Connection, consignment_id: int, asked_at: datetime) -> None:
    """Ends the hints that had been read when the status was asked for."""
    conn.execute(FOLLOWED, (consignment_id, asked_at))


# What we tell

TOLD_COLUMNS = (
    "id, pallet_number, code, occurred_at, sent_at IS NOT NULL, coalesce(refusal, ''), lookups, lookup_at, raw"
)
BEGIN = f"""
INSERT INTO tracking_events (consignment_id, direction, pallet_number, barcode, code, status, reason, occurred_at,
                             signatory, note, movement_id, raw)
VALUES (%(consignment_id)s, 'exported', %(pallet)s, %(barcode)s, %(event)s, %(status)s, %(reason)s, %(at)s,
        %(signatory)s, %(text)s, %(movement_id)s, %(nodes)s)
RETURNING {TOLD_COLUMNS}
"""  # noqa: S608
TOLD = f"""
SELECT {TOLD_COLUMNS} FROM tracking_events WHERE (consignment_id, direction) = (%s, 'exported') ORDER BY id
"""  # noqa: S608
LOOKED = "UPDATE tracking_events SET lookups = lookups + 1, lookup_at = %s WHERE id = %s"
AGAIN = "UPDATE tracking_events SET lookups = 0, lookup_at = NULL, refused_at = NULL, refusal = NULL WHERE id = %s"
WITHDRAW = "DELETE FROM tracking_events WHERE id = %s AND sent_at IS NULL"


class Told(NamedTuple):
    """A note of ours that its network has, may have or refused. `nodes`: what was sent.

    `lookups`: how often it was looked for since it was last sent, in vain, the last time at `lookup_at`.
    """

    id: int
    pallet: int | None
    event: str
    at: datetime
    is_sent: bool
    refusal: str
    lookups: int
    lookup_at: datetime | None
    nodes: Mapping[str, str]


def begin(conn: Connection, consignment_id: int, row: Mapping[str, Any], nodes: Mapping[str, str]) -> Told:
    """Keeps a note before it is sent: from here on it may have arrived.

    `row`: the columns pallet, barcode, event, status, reason, at, signatory, text, movement_id. Pallet, event and time
    are its key: an event is kept once.
    """
    [kept] = conn.execute(BEGIN, {**row, "consignment_id": consignment_id, "nodes": Jsonb(dict(nodes))}).fetchall()
    return Told(*kept)


def told(conn: Connection, consignment_id: int) -> list[Told]:
    """Every note of ours about a consignment, in the order they were begun."""
    return [Told(*row) for row in conn.execute(TOLD, (consignment_id,))]


def looked_for(conn: Connection, told_id: int, at: datetime) -> None:
    """Keeps that a note was looked for in vain."""
    conn.execute(LOOKED, (at, told_id))


def sends_again(conn: Connection, told_id: int) -> None:
    """Keeps that a note goes out once more."""
    conn.execute(AGAIN, (told_id,))


def withdraw(conn: Connection, told_id: int) -> None:
    """Forgets a note that did not arrive for certain."""
    conn.execute(WITHDRAW, (told_id,))
