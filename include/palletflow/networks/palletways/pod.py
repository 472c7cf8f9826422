"""When and to whom a consignment was delivered, by its notes and its status (contract 4.2).

It is worked out anew from all that is known, as often as something becomes known.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from palletflow.intake.template import Fault
from palletflow.networks.palletways import notes, statuses
from palletflow.networks.palletways.client import PalletwaysClient
from palletflow.networks.palletways.statuses import Rules
from palletflow.networks.palletways.work import NETWORK, Access
from palletflow.orders.tracking import Event
from palletflow.store import activity, consignments, deliveries, network_notes, tracking, whereabouts
from palletflow.store.connection import Connection
from palletflow.store.consignments import NoSuchConsignment
from palletflow.store.deliveries import Delivered
from palletflow.store.network_notes import Note
from palletflow.store.tracking import Tracked


def rules_of(access: Access) -> Rules:
    """What codes mean to a connection."""
    settings = access.client.settings
    return Rules(access.mapper.template.sections["status_map"], settings.completed_codes, settings.zone)


def refresh_pod(conn: Connection, access: Access, consignment_id: int, *, seen_at: datetime, actor: str) -> None:
    """Reads the notes of a consignment once more unless its POD is known [PW-4.2-4].

    Asks as the connection of `access`, counted as the client given counts; call it with no transaction open. Does
    nothing for what there is no more. Raises NetworkError.
    """
    number = _number(conn, consignment_id)
    if not number or is_known(conn, consignment_id, number):
        return
    found = of_one(access.client, number, seen_at)
    with conn.transaction():
        held = tracking.locked(conn, consignment_id)
        if held is None or held.tracking_number != number:
            return
        depot = access.client.settings.depot
        network_notes.keep(conn, NETWORK, depot, [(consignment_id, note) for note in found], seen_at)
        changes = settle(conn, consignment_id, held, held.imported, rules_of(access), seen_at)
        if changes:
            activity.record(conn, consignment_id, "POD read", actor, f"{NETWORK} notes {depot}", changes)


def is_known(conn: Connection, consignment_id: int, tracking_number: str) -> bool:
    """Whether any note of a consignment says when it was delivered."""
    return notes.pod(network_notes.of(conn, consignment_id, tracking_number)) is not None


def of_one(client: PalletwaysClient, tracking_number: str, now: datetime) -> list[Note]:
    """The notes that Palletways has of one consignment, without what is none. Raises NetworkError."""
    settings = client.settings
    read = [
        notes.read(record, zone=settings.zone, pattern=settings.tracking_id_pattern, now=now)
        for record in client.notes_of(tracking_number)
    ]
    return [note for note in read if not isinstance(note, Fault) and note.tracking_number == tracking_number]


def settle(
    conn: Connection, consignment_id: int, held: Tracked, events: Sequence[Event], rules: Rules, seen_at: datetime
) -> dict[str, list[Any]]:
    """Writes what statuses and notes do to a consignment, within the caller's transaction; what changed.

    `events`: all that were ever read, in the order they were stored. `seen_at`: now.
    """
    changes: dict[str, list[Any]] = {}
    delivery = None
    completed = statuses.completion(events)
    if completed:
        before = deliveries.read(conn, consignment_id)
        first_seen = before.seen_at if before else seen_at
        pod = notes.pod(network_notes.of(conn, consignment_id, held.tracking_number))
        delivery = statuses.delivery(pod, completed, first_seen, rules)
        after = Delivered(first_seen, *delivery)
        if after != before:
            deliveries.write(conn, consignment_id, after)
            changes["delivered"] = [_shown(before), _shown(after)]
    changes |= tracking.move_stops(conn, consignment_id, statuses.effects(events, held.roles, delivery))
    return changes | whereabouts.settle(conn, consignment_id)


def _shown(delivered: Delivered | None) -> str | None:
    """As the history shows it: with a mark when no POD says so, and only the day when that is all that is known."""
    if delivered is None:
        return None
    at = f"{delivered.at:%Y-%m-%d}" if delivered.basis == statuses.TO_THE_DAY else delivered.at.isoformat()
    estimated = " (estimated)" if delivered.basis in (statuses.OF_STATUS, statuses.SEEN) else ""
    return f"{at}{estimated}{', signed by ' + delivered.signatory if delivered.signatory else ''}"


def _number(conn: Connection, consignment_id: int) -> str:
    try:
        return consignments.facts(conn, consignment_id).tracking_number
    except NoSuchConsignment:
        return ""
