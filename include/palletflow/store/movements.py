"""What our own people did with a consignment: stops reached and completed, pallets scanned, routes and ETAs.

A report is told once: the same report again changes nothing, and the same event at the same moment with other content
corrects it. Of several reports of one stop the latest by its own time counts, in whatever order they come in. Nothing
is ever un-completed. Where we have a part in the collection or the delivery, the network is told by the work queue.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from palletflow.orders.consignment import Role
from palletflow.orders.lifecycle import Outcome
from palletflow.store import activity, barcodes, whereabouts, work_items
from palletflow.store.connection import Connection
from palletflow.store.consignments import NoSuchConsignment

SOURCE = "our own report"
STOPS = ("pickup", "collection_depot", "delivery_depot", "delivery")
SCANS = ("onto_trunk", "receipt", "trunk_arrival", "onto_delivery_vehicle")
EVENTS = ("arrived", "completed")

LOCK = "SELECT network, our_roles FROM consignments WHERE id = %s FOR NO KEY UPDATE"
STORE = """
INSERT INTO movements AS held (consignment_id, event, stop, scan, pallet_number, barcode, depot, at, outcome, reason,
                               signatory, latitude, longitude, actor)
VALUES (%(consignment_id)s, %(event)s, %(stop)s, %(scan)s, %(pallet_number)s, %(barcode)s, %(depot)s, %(at)s,
        %(outcome)s, %(reason)s, %(signatory)s, round(%(latitude)s::numeric, 6), round(%(longitude)s::numeric, 6),
        %(actor)s)
ON CONFLICT (consignment_id, event, stop, scan, pallet_number, at) DO UPDATE
SET barcode = excluded.barcode, depot = excluded.depot, outcome = excluded.outcome, reason = excluded.reason,
    signatory = excluded.signatory, latitude = excluded.latitude, longitude = excluded.longitude,
    actor = excluded.actor, reported_at = now()
WHERE (held.barcode, held.depot, held.outcome, held.reason, held.signatory, held.latitude, held.longitude)
      IS DISTINCT FROM (excluded.barcode, excluded.depot, excluded.outcome, excluded.reason, excluded.signatory,
                        excluded.latitude, excluded.longitude)
RETURNING id
"""
# What the reports of a stop come to. A new attempt after a failed delivery leaves the outcome open, not the stop.
REPORTED = """
SELECT arrived.at, completed.at,
       CASE WHEN completed.outcome = 'NOT_DELIVERED' AND again.at > completed.at THEN NULL ELSE completed.outcome END,
       coalesce(completed.reason, ''), coalesce(completed.signatory, '')
FROM (SELECT max(at) AS at FROM movements
      WHERE consignment_id = %(id)s AND event = 'arrived' AND stop = %(stop)s) arrived
CROSS JOIN (SELECT max(at) AS at FROM movements
            WHERE consignment_id = %(id)s AND (scan = 'onto_delivery_vehicle' OR event = 'arrived' AND stop = 'delivery'
                                               OR event = 'completed' AND stop = 'delivery_depot')) again
LEFT JOIN LATERAL (SELECT at, outcome, reason, signatory FROM movements
                   WHERE consignment_id = %(id)s AND event = 'completed' AND stop = %(stop)s
                   ORDER BY at DESC LIMIT 1) completed ON true
"""
HELD = """
SELECT arrived_at, completed_at, outcome, reason, signatory FROM stops WHERE (consignment_id, kind) = (%s, %s)
"""
WRITE = """
UPDATE stops SET arrived_at = %s, completed_at = %s, outcome = %s, reason = %s, signatory = %s
WHERE (consignment_id, kind) = (%s, %s)
"""
FIELDS = ("arrived_at", "completed_at", "outcome", "reason", "signatory")
PALLET = "SELECT FROM pallets WHERE (consignment_id, number) = (%s, %s)"
# The number that a pallet's barcode of this consignment stands for, whether it is still its current one or not.
OF_CONSIGNMENT = """
SELECT pallet_number FROM pallet_barcodes WHERE (consignment_id, barcode) = (%s, %s) AND pallet_number IS NOT NULL
"""
BY_BARCODE = """
SELECT consignment_id, pallet_number FROM pallet_barcodes
WHERE barcode = %s AND pallet_number IS NOT NULL
ORDER BY state = 'superseded', consignment_id DESC LIMIT 1
"""
ROUTE = """
UPDATE stops new SET route = %s, route_sequence = %s FROM stops held
WHERE (new.consignment_id, new.kind) = (%s, %s) AND (held.consignment_id, held.kind) = (new.consignment_id, new.kind)
  AND (held.route, held.route_sequence) IS DISTINCT FROM (%s, %s)
RETURNING held.route, held.route_sequence
"""
ETA = """
UPDATE stops new SET eta_from = %s, eta_to = %s FROM stops held
WHERE (new.consignment_id, new.kind) = (%s, %s) AND (held.consignment_id, held.kind) = (new.consignment_id, new.kind)
  AND (held.eta_from, held.eta_to) IS DISTINCT FROM (%s, %s)
RETURNING held.eta_from, held.eta_to
"""
HAS_MOVED = "SELECT FROM movements WHERE consignment_id = %s LIMIT 1"


class MovementRefused(ValueError):
    """The report makes no sense for this consignment; the text says why."""


def report_stop(
    conn: Connection,
    consignment_id: int,
    *,
    stop: str,
    event: str,
    at: datetime,
    outcome: str | None = None,
    reason: str = "",
    signatory: str = "",
    latitude: float | None = None,
    longitude: float | None = None,
    actor: str,
) -> bool:
    """Takes in that a stop (one of STOPS) was `arrived` at or `completed`, within the caller's transaction.

    `at` is aware; latitude and longitude are decimal degrees. `outcome`, a value of orders.lifecycle.Outcome, belongs
    to a completed delivery, which is CLEAN without one. Gives whether the report told anything new.
    Raises MovementRefused, NoSuchConsignment.
    """
    _one_of("stop", stop, STOPS)
    _one_of("event", event, EVENTS)
    delivered = (event, stop) == ("completed", "delivery")
    if outcome is not None:
        _one_of("outcome", outcome, tuple(Outcome))
        if not delivered:
            raise MovementRefused("outcome: only a completed delivery stop has one")
    elif delivered:
        outcome = Outcome.CLEAN
    network, roles = _lock(conn, consignment_id)
    told = _store(
        conn,
        consignment_id,
        at,
        actor,
        event=event,
        stop=stop,
        outcome=outcome,
        reason=reason.strip(),
        signatory=signatory.strip(),
        latitude=latitude,
        longitude=longitude,
    )
    if told:
        changes = _stop_as_reported(conn, consignment_id, stop)
        if event != "completed" or stop == "delivery_depot":  # a new attempt
            changes |= _stop_as_reported(conn, consignment_id, "delivery")
        _tell(conn, consignment_id, network, roles, f"{stop.replace('_', ' ')} {event}", actor, changes)
    return told


def report_scan(
    conn: Connection,
    consignment_id: int,
    *,
    pallet_number: int | None = None,
    barcode: str = "",
    scan: str,
    depot: str,
    at: datetime,
    actor: str,
) -> bool:
    """Takes in the scan (one of SCANS) of one pallet, by its number or by any barcode it has had.

    Within the caller's transaction; gives whether it told anything new. Raises MovementRefused, NoSuchConsignment.
    """
    _one_of("scan", scan, SCANS)
    network, roles = _lock(conn, consignment_id)
    if pallet_number is None:
        row = conn.execute(OF_CONSIGNMENT, (consignment_id, barcode)).fetchone()
        if row is None:
            raise MovementRefused(f"barcode: '{barcode}' is of no pallet of consignment {consignment_id}")
        pallet_number = int(row[0])
    elif conn.execute(PALLET, (consignment_id, pallet_number)).fetchone() is None:
        raise MovementRefused(f"pallet_number: consignment {consignment_id} has no pallet {pallet_number}")
    told = _store(
        conn,
        consignment_id,
        at,
        actor,
        event="scanned",
        scan=scan,
        pallet_number=pallet_number,
        barcode=barcode,
        depot=depot,
    )
    if told:
        changes = _stop_as_reported(conn, consignment_id, "delivery")
        what = f"pallet {pallet_number} scanned {scan.replace('_', ' ')}"
        _tell(conn, consignment_id, network, roles, what, actor, changes)
    return told


def set_route(conn: Connection, consignment_id: int, stop: str, route: str, sequence: int | None, actor: str) -> bool:
    """Puts a stop on a route at a place in its order; consignments of one stop share it. "" and None take it off.

    Gives whether it is new. What waited for a route to tell the network goes on. Raises MovementRefused,
    NoSuchConsignment.
    """
    _one_of("stop", stop, STOPS)
    if bool(route) != (sequence is not None) or (sequence is not None and sequence < 1):
        raise MovementRefused("route: give a route and a sequence from 1 upwards, or neither")
    network, roles = _lock(conn, consignment_id)
    held = conn.execute(ROUTE, (route, sequence, consignment_id, stop, route, sequence)).fetchone()
    if held is None:
        return False
    changes = _differing(f"{stop}.", ("route", "route_sequence"), held, (route, sequence))
    activity.record(conn, consignment_id, "routed", actor, SOURCE, changes)
    if conn.execute(HAS_MOVED, (consignment_id,)).fetchone() is not None:
        _export(conn, consignment_id, network, roles)
    return True


def set_eta(
    conn: Connection, consignment_id: int, stop: str, eta_from: datetime | None, eta_to: datetime | None, actor: str
) -> bool:
    """Says between when a stop is expected to be reached, both aware; gives whether it is new.

    Raises MovementRefused, NoSuchConsignment.
    """
    _one_of("stop", stop, STOPS)
    if eta_from and eta_to and eta_from > eta_to:
        raise MovementRefused(f"eta_from: {eta_from} lies after eta_to {eta_to}")
    _lock(conn, consignment_id)
    held = conn.execute(ETA, (eta_from, eta_to, consignment_id, stop, eta_from, eta_to)).fetchone()
    if held is None:
        return False
    changes = _differing(f"{stop}.", ("eta_from", "eta_to"), held, (eta_from, eta_to))
    activity.record(conn, consignment_id, "expected", actor, SOURCE, changes)
    return True


def by_barcode(conn: Connection, barcode: str) -> tuple[int, int] | None:
    """Consignment id and pallet number of a barcode, current or superseded; None when nothing has it [PF-3-16]."""
    row = conn.execute(BY_BARCODE, (barcode,)).fetchone()
    return (int(row[0]), int(row[1])) if row else None


def _one_of(field: str, value: str, allowed: tuple[str, ...]) -> None:
    if value not in allowed:
        raise MovementRefused(f"{field}: '{value}' is not one of {', '.join(allowed)}")


def _lock(conn: Connection, consignment_id: int) -> tuple[str, list[str]]:
    """Network and roles of the consignment, which nobody else changes until the transaction ends."""
    row = conn.execute(LOCK, (consignment_id,)).fetchone()
    if row is None:
        raise NoSuchConsignment(consignment_id)
    return row[0], row[1]


def _store(conn: Connection, consignment_id: int, at: datetime, actor: str, **told: Any) -> bool:
    if at.tzinfo is None:
        raise MovementRefused(f"at: {at} has no time zone")
    nothing: Mapping[str, Any] = {
        "stop": None, "scan": None, "pallet_number": None, "barcode": "", "depot": "", "outcome": None, "reason": "",
        "signatory": "", "latitude": None, "longitude": None,
    }  # fmt: skip
    # The networks' times have whole seconds; two reports of one second are one.
    values = {**nothing, **told, "consignment_id": consignment_id, "at": at.replace(microsecond=0), "actor": actor}
    return conn.execute(STORE, values).fetchone() is not None


def _stop_as_reported(conn: Connection, consignment_id: int, stop: str) -> dict[str, list[Any]]:
    """Brings a stop in line with what was reported of it; what nobody reported stays. Gives what changed."""
    values = {"id": consignment_id, "stop": stop}
    [(arrived, completed, *ending)] = conn.execute(REPORTED, values).fetchall()
    [held] = conn.execute(HELD, (consignment_id, stop)).fetchall()
    new = (arrived or held[0], completed or held[1], *(ending if completed else held[2:]))
    if new == held:
        return {}
    conn.execute(WRITE, (*new, consignment_id, stop))
    return _differing(f"{stop}.", FIELDS, held, new)


def _tell(
    conn: Connection,
    consignment_id: int,
    network: str,
    roles: list[str],
    what: str,
    actor: str,
    changes: dict[str, list[Any]],
) -> None:
    """Settles what follows from a report: lifecycle status, history, and telling the network."""
    changes |= whereabouts.settle(conn, consignment_id)
    activity.record(conn, consignment_id, what, actor, SOURCE, changes or None)
    _export(conn, consignment_id, network, roles)


def _export(conn: Connection, consignment_id: int, network: str, roles: list[str]) -> None:
    if {Role.COLLECTING, Role.DELIVERY} & set(roles):
        work_items.enqueue(conn, network, barcodes.EXPORT, [consignment_id])


def _differing(
    prefix: str, fields: tuple[str, ...], before: tuple[Any, ...], after: tuple[Any, ...]
) -> dict[str, list[Any]]:
    return {
        f"{prefix}{field}": [_shown(old), _shown(new)]
        for field, old, new in zip(fields, before, after, strict=True)
        if old != new
    }


def _shown(value: Any) -> Any:
    return value.isoformat() if isinstance(value, datetime) else value
