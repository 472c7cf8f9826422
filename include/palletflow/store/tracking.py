"""Statuses as networks have them: stored once, what they do to stops, and whose turn it is to be asked for.

Everything about one consignment is done under its row's lock, so that an import, an export and a report of our own
people follow each other.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import Any, NamedTuple

from psycopg.types.json import Jsonb

from palletflow.orders.lifecycle import Reason, Status
from palletflow.orders.tracking import Event, StopEffect
from palletflow.store.connection import Connection

# A network shows a depot only its own consignments: each is asked for as the first of our depots that takes part in
# it. A number held before dispatch begins with the depot that will request it.
ASKER = """(
    SELECT candidate FROM unnest(ARRAY[c.requesting_depot, c.collecting_depot, c.delivery_depot,
                                       left(c.tracking_number, 3)]) WITH ORDINALITY AS part (candidate, number)
    WHERE candidate = ANY (%(ours)s) ORDER BY number LIMIT 1)"""
# Of several orders that hold one number the registered one has its statuses, else the oldest, as in an import.
DUE = f"""
SELECT c.id, c.tracking_number
FROM consignments c
JOIN orders o ON o.id = c.order_id
LEFT JOIN tracking_polls p ON p.consignment_id = c.id
WHERE c.network = %(network)s AND c.tracking_number IS NOT NULL AND (c.registered OR o.cancelled_at IS NULL)
  AND (p.polled_at IS NULL OR p.polled_at < %(polled_before)s)
  AND (p.ended_at IS NULL OR p.ended_at > %(now)s - make_interval(days => %(keep_days)s))
  AND coalesce(c.collection_date, c.created_at::date) > %(now)s::date - %(max_days)s
  AND %(depot)s = {ASKER}
  AND NOT EXISTS (
      SELECT FROM consignments other
      WHERE other.network = c.network AND other.tracking_number = c.tracking_number AND other.id <> c.id
        AND (other.registered OR (NOT c.registered AND other.id < c.id)))
ORDER BY p.polled_at NULLS FIRST, c.id
"""  # noqa: S608 - names are our own constants
# What is not delivered yet first; of the others those whose documents are still looked for.
OPEN = f"""
SELECT c.id, c.tracking_number
FROM consignments c
LEFT JOIN tracking_polls p ON p.consignment_id = c.id
CROSS JOIN LATERAL (SELECT c.lifecycle_status IN ('DELIVERED', 'CANCELLED') AS has_ended) lifecycle
WHERE c.network = %(network)s AND c.registered AND c.tracking_number <> ALL (%(besides)s)
  AND (p.polled_at IS NULL OR p.polled_at <= %(polled_before)s)
  AND coalesce(c.delivery_date, c.collection_date, c.created_at::date) > %(now)s::date - %(max_days)s
  AND coalesce({ASKER}, (%(ours)s::text[])[1]) = ANY (%(depots)s)
  AND (NOT has_ended OR EXISTS (
      SELECT FROM work_items w
      WHERE (w.network, w.kind, w.key) = (c.network, %(chase)s, c.id::text) AND w.parked_at IS NULL))
ORDER BY has_ended, p.polled_at NULLS FIRST, c.id LIMIT %(most)s
"""  # noqa: S608
ASKED_BY = f"""
SELECT {ASKER} FROM consignments c WHERE c.network = %(network)s AND c.tracking_number = %(tracking_number)s
ORDER BY c.registered DESC, c.id LIMIT 1
"""  # noqa: S608
HOLDERS = """
SELECT DISTINCT ON (tracking_number) tracking_number, id FROM consignments
WHERE network = %s AND tracking_number = ANY (%s) ORDER BY tracking_number, registered DESC, id
"""
LOCK = """
SELECT c.network, coalesce(c.tracking_number, ''), c.our_roles, c.delivery_depot, c.service, c.network_updated_at,
       c.order_id, o.source <> c.network, c.collecting_depot
FROM consignments c JOIN orders o ON o.id = c.order_id WHERE c.id = %s FOR NO KEY UPDATE OF c
"""
PALLETS = "SELECT number FROM pallets WHERE consignment_id = %s AND removed_at IS NULL ORDER BY number"
BARCODES = "SELECT barcode, pallet_number, state FROM pallet_barcodes WHERE consignment_id = %s"
EVENT_COLUMNS = (
    "code", "status", "reason", "barcode", "pallet_number", "occurred_at", "time_estimated", "depot", "signatory",
    "note", "latitude", "longitude", "echo", "raw",
)  # fmt: skip
EVENTS = f"""
SELECT {", ".join(EVENT_COLUMNS)} FROM tracking_events WHERE (consignment_id, direction) = (%s, %s) ORDER BY id
"""  # noqa: S608 - names are our own constants
STORE = f"""
INSERT INTO tracking_events (consignment_id, direction, {", ".join(EVENT_COLUMNS)})
SELECT %(consignment_id)s, 'imported', event.* FROM unnest(
    %(code)s::text[], %(status)s::text[], %(reason)s::text[], %(barcode)s::text[], %(pallet_number)s::smallint[],
    %(occurred_at)s::timestamptz[], %(time_estimated)s::boolean[], %(depot)s::text[], %(signatory)s::text[],
    %(note)s::text[], %(latitude)s::text[], %(longitude)s::text[], %(echo)s::boolean[], %(raw)s::jsonb[]
) AS event
ON CONFLICT DO NOTHING
"""  # noqa: S608
GIVE_TIME = """
UPDATE tracking_events SET occurred_at = %s, time_estimated = false, echo = %s
WHERE (consignment_id, direction, barcode, code) = (%s, 'imported', %s, %s) AND time_estimated
"""
STOPS = """
SELECT kind, started_at, arrived_at, completed_at, outcome, reason, signatory,
       EXISTS (SELECT FROM movements m
               WHERE m.consignment_id = s.consignment_id AND m.stop = s.kind AND m.event = 'arrived'),
       EXISTS (SELECT FROM movements m
               WHERE m.consignment_id = s.consignment_id AND m.stop = s.kind AND m.event = 'completed')
FROM stops s WHERE consignment_id = %s AND kind = ANY (%s)
"""
WRITE_STOP = """
UPDATE stops SET started_at = %s, arrived_at = %s, completed_at = %s, outcome = %s, reason = %s, signatory = %s
WHERE (consignment_id, kind) = (%s, %s)
"""
STOP_FIELDS = ("started_at", "arrived_at", "completed_at", "outcome", "reason", "signatory")
ANY_STARTED = """
SELECT FROM stops WHERE consignment_id = %s AND coalesce(started_at, arrived_at, completed_at) IS NOT NULL LIMIT 1
"""
EXPECT = """
UPDATE stops new SET eta_from = %(from)s, eta_to = %(to)s FROM stops held
WHERE (new.consignment_id, new.kind) = (%(id)s, 'delivery')
  AND (held.consignment_id, held.kind) = (new.consignment_id, new.kind)
  AND coalesce(held.started_at, held.arrived_at, held.completed_at) IS NULL
  AND (held.eta_from, held.eta_to) IS DISTINCT FROM (%(from)s::timestamptz, %(to)s::timestamptz)
RETURNING held.eta_from, held.eta_to
"""
UNTOLD = """
SELECT FROM consignments WHERE id = %(id)s AND our_roles && ARRAY['collecting', 'delivery']
  AND EXISTS (SELECT FROM movements WHERE consignment_id = %(id)s)
  AND NOT EXISTS (SELECT FROM tracking_events WHERE consignment_id = %(id)s AND direction = 'exported')
"""
REPORTED_ROLES = """
SELECT id, our_roles FROM consignments c WHERE network = %s AND tracking_number = ANY (%s)
  AND EXISTS (SELECT FROM movements m WHERE m.consignment_id = c.id)
"""
# A barcode may become known after a status was read with it.
GIVE_PALLETS = """
UPDATE tracking_events t SET pallet_number = b.pallet_number
FROM pallet_barcodes b
WHERE t.consignment_id = %s AND t.direction = 'imported' AND t.pallet_number IS NULL AND t.barcode <> ''
  AND (b.consignment_id, b.barcode) = (t.consignment_id, t.barcode) AND b.pallet_number IS NOT NULL
"""
TAKE_ROLES = "UPDATE consignments SET our_roles = %s, updated_at = now() WHERE id = %s"
FORGET = (
    "DELETE FROM tracking_events WHERE consignment_id = %s AND direction = 'imported'",
    "DELETE FROM tracking_polls WHERE consignment_id = %s",
)
ENDING = """
SELECT c.lifecycle_status, s.completed_at,
       array(SELECT DISTINCT kind FROM documents d WHERE d.consignment_id = c.id AND d.stale_at IS NULL)
FROM consignments c JOIN stops s ON s.consignment_id = c.id AND s.kind = 'delivery' WHERE c.id = %s
"""
UNKNOWN = """
INSERT INTO unknown_codes AS known (network, code, day, events) VALUES (%s, %s, %s, %s)
ON CONFLICT (network, code, day) DO UPDATE SET events = known.events + excluded.events
RETURNING events = %s
"""
DAYS_UNKNOWN = "SELECT count(*) FROM unknown_codes WHERE (network, code) = (%s, %s)"
POLLED = """
INSERT INTO tracking_polls AS held (consignment_id, polled_at, ended_at) VALUES (%(id)s, %(at)s, %(ended_at)s)
ON CONFLICT (consignment_id) DO UPDATE
SET polled_at = excluded.polled_at, ended_at = excluded.ended_at
WHERE held.polled_at <= excluded.polled_at
  AND (held.ended_at IS DISTINCT FROM excluded.ended_at OR held.polled_at <= excluded.polled_at - %(every)s)
"""
ASKED = """
INSERT INTO tracking_polls AS held (consignment_id, polled_at) VALUES (%s, %s)
ON CONFLICT (consignment_id) DO UPDATE SET polled_at = greatest(held.polled_at, excluded.polled_at)
"""
LAST = """
SELECT max(recorded_at) FILTER (WHERE direction = 'imported'), max(sent_at), (
    SELECT polled_at FROM tracking_polls WHERE consignment_id = %(id)s
)
FROM tracking_events WHERE consignment_id = %(id)s
"""


class Due(NamedTuple):
    """A consignment whose turn it is."""

    consignment_id: int
    tracking_number: str


class Tracked(NamedTuple):
    """One consignment and all statuses that we read of it or told of it, in the order they were stored.

    `is_own`: the order is ours, not one that its network told us of. `pallets`: numbers of those still on it.
    `barcodes`: (pallet number or None, state) of every barcode it has had.
    """

    network: str
    tracking_number: str
    roles: list[str]
    delivery_depot: str
    service: str
    network_updated_at: datetime | None
    order_id: int
    is_own: bool
    collecting_depot: str
    pallets: list[int]
    barcodes: dict[str, tuple[int | None, str]]
    imported: list[Event]
    exported: list[Event]


class Ending(NamedTuple):
    """Where the goods are, when they were delivered if that is known, and the kinds of its documents."""

    lifecycle_status: str
    delivered_at: datetime | None
    documents: list[str]


class Exchange(NamedTuple):
    """When statuses of a consignment were last read from its network, told to it, and asked for."""

    imported_at: datetime | None
    exported_at: datetime | None
    polled_at: datetime | None


def due(
    conn: Connection,
    network: str,
    depot: str,
    ours: Sequence[str],
    *,
    now: datetime,
    polled_before: datetime,
    keep_days: int,
    max_days: int,
) -> list[Due]:
    """The consignments to ask for as `depot`, the longest not asked for first (contract 2.3, polling).

    `ours`: all depots of ours in the network. Ended ones are asked for `keep_days` longer; none more than `max_days`
    after its collection.
    """
    values = {
        "network": network,
        "depot": depot,
        "ours": list(ours),
        "now": now,
        "polled_before": polled_before,
        "keep_days": keep_days,
        "max_days": max_days,
    }
    return [Due(*row) for row in conn.execute(DUE, values)]


def still_open(
    conn: Connection,
    network: str,
    depots: Collection[str],
    ours: Sequence[str],
    *,
    besides: Collection[str],
    chase: str,
    now: datetime,
    polled_before: datetime,
    max_days: int,
    most: int,
) -> list[Due]:
    """The registered consignments to ask for as one of `depots` that have not ended, the longest not asked for first.

    `ours`: all depots of ours in the network; the first asks for what none of them takes part in. `besides`: numbers
    left out. `chase`: the kind of work that looks for documents; what it looks for counts as open. None is asked for
    more than `max_days` after its delivery was due.
    """
    values = {
        "network": network,
        "depots": list(depots),
        "ours": list(ours),
        "besides": list(besides),
        "chase": chase,
        "now": now,
        "polled_before": polled_before,
        "max_days": max_days,
        "most": most,
    }
    return [Due(*row) for row in conn.execute(OPEN, values)]


def asker(conn: Connection, network: str, tracking_number: str, ours: Sequence[str]) -> str | None:
    """The depot of ours that asks for this number; None when we hold no such consignment, or none of ours does."""
    values = {"network": network, "tracking_number": tracking_number, "ours": list(ours)}
    row = conn.execute(ASKED_BY, values).fetchone()
    return row[0] if row else None


def holders(conn: Connection, network: str, tracking_numbers: Iterable[str]) -> list[Due]:
    """The consignment that each of these numbers stands for, as far as we hold them."""
    rows = conn.execute(HOLDERS, (network, list(tracking_numbers)))
    return [Due(consignment_id, number) for number, consignment_id in rows]


def locked(conn: Connection, consignment_id: int) -> Tracked | None:
    """The consignment, which nobody else changes until the transaction ends; None when there is none any more."""
    row = conn.execute(LOCK, (consignment_id,)).fetchone()
    if row is None:
        return None
    imported, exported = (
        [_event(stored) for stored in conn.execute(EVENTS, (consignment_id, direction))]
        for direction in ("imported", "exported")
    )
    pallets = [number for (number,) in conn.execute(PALLETS, (consignment_id,))]
    known = {code: (pallet, state) for code, pallet, state in conn.execute(BARCODES, (consignment_id,))}
    return Tracked._make((*row, pallets, known, imported, exported))


def _event(row: tuple[Any, ...]) -> Event:
    code, status, reason, *others = row
    return Event(code, Status(status), Reason(reason) if reason else None, *others)


def store(conn: Connection, consignment_id: int, events: Sequence[Event]) -> None:
    """Keeps statuses that were read; one that is there already stays as it is."""
    if not events:
        return
    columns = zip(*((*event[:-1], Jsonb(event.raw)) for event in events), strict=True)
    values = dict(zip(EVENT_COLUMNS, map(list, columns), strict=True))
    conn.execute(STORE, {**values, "consignment_id": consignment_id})


def give_time(conn: Connection, consignment_id: int, event: Event) -> None:
    """Gives the status that came without a time the one it was now read with."""
    conn.execute(GIVE_TIME, (event.at, event.echo, consignment_id, event.barcode, event.code))


def move_stops(conn: Connection, consignment_id: int, effects: Mapping[str, StopEffect]) -> dict[str, list[Any]]:
    """Brings stops in line with what statuses say; what our own people reported of a stop counts more.

    A stop is never un-completed. Gives what changed, field to [before, after].
    """
    changes: dict[str, list[Any]] = {}
    for kind, *rest in conn.execute(STOPS, (consignment_id, list(effects))).fetchall():
        held, (has_arrived, has_completed), effect = tuple(rest[:6]), rest[6:], effects[kind]
        started = effect.started_at or held[0]
        arrived = held[1] if has_arrived else (effect.arrived_at or held[1])
        said = effect.completed_at, effect.outcome, effect.reason, effect.signatory
        ending = held[2:] if has_completed or effect.completed_at is None else said
        new = (started, arrived, *ending)
        if new != held:
            conn.execute(WRITE_STOP, (*new, consignment_id, kind))
            changes |= {
                f"{kind}.{field}": [_shown(before), _shown(after)]
                for field, before, after in zip(STOP_FIELDS, held, new, strict=True)
                if before != after
            }
    return changes


def order_of(conn: Connection, consignment_id: int) -> int | None:
    """The order that a consignment belongs to, for good; None when there is no such consignment any more."""
    row = conn.execute("SELECT order_id FROM consignments WHERE id = %s", (consignment_id,)).fetchone()
    return row[0] if row else None


def is_untold(conn: Connection, consignment_id: int) -> bool:
    """Whether our people reported something of it and nothing was ever kept to tell its network."""
    return conn.execute(UNTOLD, {"id": consignment_id}).fetchone() is not None


def reported_roles(conn: Connection, network: str, tracking_numbers: Collection[str]) -> dict[int, list[str]]:
    """Our roles on those of these consignments of which our people have reported something, by consignment id."""
    return dict(conn.execute(REPORTED_ROLES, (network, list(tracking_numbers))).fetchall())


def told(conn: Connection, consignment_id: int) -> list[str]:
    """Every status that a consignment has had by what its network told us."""
    rows = conn.execute(
        "SELECT DISTINCT status FROM tracking_events WHERE consignment_id = %s AND direction = 'imported'",
        (consignment_id,),
    )
    return [row[0] for row in rows]


def any_started(conn: Connection, consignment_id: int) -> bool:
    """Whether somebody is under way to one of its stops, or has been there."""
    return conn.execute(ANY_STARTED, (consignment_id,)).fetchone() is not None


def expect(conn: Connection, consignment_id: int, eta_from: datetime, eta_to: datetime | None) -> dict[str, list[Any]]:
    """When its network expects the delivery; kept unless the stop has started. Gives what changed."""
    held = conn.execute(EXPECT, {"id": consignment_id, "from": eta_from, "to": eta_to}).fetchone()
    if held is None:
        return {}
    return {
        f"delivery.{field}": [_shown(before), _shown(after)]
        for field, before, after in zip(("eta_from", "eta_to"), held, (eta_from, eta_to), strict=True)
        if before != after
    }


def _shown(value: Any) -> Any:
    return value.isoformat() if isinstance(value, datetime) else value


def unknown_code(conn: Connection, network: str, code: str, day: date, events: int) -> bool:
    """Counts statuses with a code that nobody knows; whether they are the first of the day."""
    [(is_first,)] = conn.execute(UNKNOWN, (network, code, day, events, events)).fetchall()
    return bool(is_first)


def is_first_day(conn: Connection, network: str, code: str) -> bool:
    """Whether a code that nobody knows has been counted on one day only."""
    [(days,)] = conn.execute(DAYS_UNKNOWN, (network, code)).fetchall()
    return bool(days == 1)


def give_pallets(conn: Connection, consignment_id: int) -> None:
    """Tells of statuses with barcodes that were unknown which pallets they are of, as far as that is known now."""
    conn.execute(GIVE_PALLETS, (consignment_id,))


def take_roles(conn: Connection, consignment_id: int, roles: Sequence[str]) -> None:
    """Writes our roles on a consignment whose network does not name its depots."""
    conn.execute(TAKE_ROLES, (list(roles), consignment_id))


def forget(conn: Connection, consignment_id: int) -> None:
    """Removes what was read of a consignment that its network no longer has: dispatched anew it begins anew."""
    for statement in FORGET:
        conn.execute(statement, (consignment_id,))


def ending(conn: Connection, consignment_id: int) -> Ending:
    """What says whether there is anything left to wait for."""
    [row] = conn.execute(ENDING, (consignment_id,)).fetchall()
    return Ending(*row)


def polled(
    conn: Connection,
    consignment_id: int,
    at: datetime,
    ended_at: datetime | None,
    every: timedelta = timedelta(0),
) -> None:
    """Keeps when the network was asked, and since when there is nothing more to wait for.

    Asked again within `every` after that, nothing is written that says the same.
    """
    conn.execute(POLLED, {"id": consignment_id, "at": at, "ended_at": ended_at, "every": every})


def asked(conn: Connection, consignment_id: int, at: datetime) -> None:
    """Keeps that the network was asked and gave no answer, so that it is the turn of others first."""
    conn.execute(ASKED, (consignment_id, at))


def exchange(conn: Connection, consignment_id: int) -> Exchange:
    """When statuses last went to and fro."""
    [row] = conn.execute(LAST, {"id": consignment_id}).fetchall()
    return Exchange(*row)
