"""Dispatch tasks: who asked that a consignment be handed to a network, and what came of it (contract 7).

A task's state is its consignment's dispatch_state. What moves it: people assign a trip and complete the task; the
network's handler begins a sending and records its outcome. A sending is committed before it goes out, so a process
killed at any point leaves either a task that was never sent or one whose outcome is unknown, and the two differ:
`sent_at` is set from before the call until it is certain that nothing was accepted.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple

from psycopg.types.json import Jsonb

from palletflow.orders.faults import Fault
from palletflow.store import activity, barcodes, consignments, network_lock, twins, work_items
from palletflow.store.connection import Connection

# The kind of work that hands a consignment to its network; its key is the consignment id.
DISPATCH = "dispatch"
SOURCE = "dispatch"

COLUMNS = """
c.id, c.order_id, c.network, t.trip, t.resource, c.dispatch_state, t.auto_complete, t.completed_at, t.completed_by,
t.attempt, t.transaction_number, t.sends, t.sent_at, t.lookups, t.lookup_at, t.resent, t.send_again, t.opted_out,
t.faults, t.warnings, t.finished_at, t.sent_digest, t.network_reference
"""
OF_CONSIGNMENT = f"""
SELECT {COLUMNS} FROM dispatch_tasks t JOIN consignments c ON c.id = t.consignment_id WHERE c.id = %s
"""  # noqa: S608 - names are our own constants
OF_ORDER = f"""
SELECT {COLUMNS} FROM dispatch_tasks t JOIN consignments c ON c.id = t.consignment_id WHERE c.order_id = %s
ORDER BY c.id
"""  # noqa: S608
HELD_BY_ORDER = """
SELECT c.id, c.network, c.dispatch_state, c.registered, c.requesting_depot, o.cancelled_at IS NOT NULL,
       t.trip, t.resource, t.auto_complete
FROM consignments c JOIN orders o ON o.id = c.order_id LEFT JOIN dispatch_tasks t ON t.consignment_id = c.id
WHERE c.order_id = %s ORDER BY c.id FOR NO KEY UPDATE OF c
"""
ASSIGN = """
INSERT INTO dispatch_tasks AS held (consignment_id, trip, resource, auto_complete)
VALUES (%(id)s, %(trip)s, %(resource)s, %(auto_complete)s)
ON CONFLICT (consignment_id) DO UPDATE
SET trip = excluded.trip, resource = excluded.resource, auto_complete = excluded.auto_complete
"""
ASSIGN_CONSIGNMENT = """
UPDATE consignments
SET consignment_number = CASE network WHEN %(network)s THEN consignment_number ELSE '' END,  -- it was for that network
    network = %(network)s, requesting_depot = coalesce(nullif(%(depot)s, ''), requesting_depot),
    dispatch_state = CASE dispatch_state WHEN 'not_needed' THEN 'todo' ELSE dispatch_state END, updated_at = now()
WHERE id = %(id)s
"""
# Sent and definitely refused: what a person sends now is another attempt, under another transaction number.
COMPLETE = """
UPDATE dispatch_tasks
SET completed_at = now(), completed_by = %(actor)s, finished_at = NULL, faults = '[]', warnings = '{}',
    attempt = attempt + (sent_at IS NOT NULL)::integer,
    transaction_number = CASE WHEN sent_at IS NULL THEN transaction_number ELSE '' END,
    sent_at = NULL, lookups = 0, lookup_at = NULL, resent = false, send_again = false, opted_out = false,
    network_reference = ''
WHERE consignment_id = %(id)s
"""
COMPANY = """
SELECT (SELECT count(*) FROM consignments other WHERE other.order_id = c.order_id),
       (SELECT count(*) FROM dispatch_tasks other JOIN consignments oc ON oc.id = other.consignment_id
                                                  JOIN orders oo ON oo.id = oc.order_id
        WHERE other.trip = t.trip AND oo.cancelled_at IS NULL),
       (SELECT other.order_id FROM consignments other
        WHERE (other.network, other.tracking_number) = (c.network, c.tracking_number) AND other.registered
          AND other.id <> c.id LIMIT 1)
FROM consignments c JOIN dispatch_tasks t ON t.consignment_id = c.id WHERE c.id = %s
"""
NEXT_NUMBER = """
INSERT INTO consignment_numbers AS held (network, depot, last) VALUES (%(network)s, %(depot)s, 1)
ON CONFLICT (network, depot) DO UPDATE SET last = held.last %% %(most)s + 1
RETURNING last
"""
GROUP_PALLETS = """
UPDATE pallets p SET pallet_type = grouped.pallet_type
FROM (
    SELECT pallet_type, row_number() OVER (ORDER BY first, number) AS place
    FROM (SELECT pallet_type, number, min(number) OVER (PARTITION BY pallet_type) AS first FROM pallets
          WHERE consignment_id = %(id)s AND removed_at IS NULL) typed
) grouped
JOIN (
    SELECT number, row_number() OVER (ORDER BY number) AS place FROM pallets
    WHERE consignment_id = %(id)s AND removed_at IS NULL
) numbered USING (place)
WHERE p.consignment_id = %(id)s AND p.number = numbered.number AND p.pallet_type <> grouped.pallet_type
"""
# The task as the caller read it: whoever else has sent or ended it meanwhile, wins.
UNMOVED = """
FROM consignments c
WHERE t.consignment_id = %(id)s AND c.id = t.consignment_id AND c.dispatch_state = %(state)s
  AND t.sends = %(sends)s AND t.sent_at IS NOT DISTINCT FROM %(sent_at)s
"""
BEGIN = (
    """
UPDATE dispatch_tasks t
SET transaction_number = %(transaction)s, sends = t.sends + 1, sent_at = %(now)s, lookups = 0, lookup_at = NULL,
    resent = %(resent)s, send_again = false, opted_out = %(opted_out)s, sent_digest = %(digest)s
"""
    + UNMOVED
    + "AND NOT c.registered"
)
BEGIN_CONSIGNMENT = """
UPDATE consignments
SET consignment_number = %(consignment_number)s, requesting_depot = %(depot)s, tracking_number = %(tracking_number)s,
    -- Taken back and sent anew, it begins anew.
    lifecycle_status = CASE lifecycle_status WHEN 'CANCELLED' THEN 'CREATED' ELSE lifecycle_status END,
    our_roles = CASE WHEN 'requesting' = ANY (our_roles) THEN our_roles ELSE ARRAY['requesting'] || our_roles END
WHERE id = %(id)s
"""
NOT_ACCEPTED = (
    """
UPDATE dispatch_tasks t
SET sent_at = CASE WHEN c.dispatch_state = 'waiting' THEN NULL ELSE t.sent_at END,
    send_again = c.dispatch_state = 'unknown'
"""
    + UNMOVED
)
UNKNOWN = "UPDATE dispatch_tasks t SET lookups = %(lookups)s, lookup_at = %(lookup_at)s " + UNMOVED  # noqa: S608
SET_STATE = "UPDATE consignments SET dispatch_state = %(state)s, updated_at = now() WHERE id = %(id)s"
FINISH = """
UPDATE dispatch_tasks
SET finished_at = %(now)s, lookup_at = NULL, send_again = false, faults = %(faults)s,
    warnings = warnings || %(warnings)s::text[]
WHERE consignment_id = %(id)s
"""
WARN = "UPDATE dispatch_tasks SET warnings = warnings || %(warnings)s::text[] WHERE consignment_id = %(id)s"
REGISTER = """
UPDATE consignments
SET tracking_number = %(number)s, registered = registered OR %(accepted)s, dispatch_state = 'completed',
    updated_at = now()
WHERE id = %(id)s
"""
SUBMIT = "UPDATE dispatch_tasks SET network_reference = %(reference)s WHERE consignment_id = %(id)s"
# It may be dispatched anew, as something the network has not seen.
TAKE_BACK = """
UPDATE consignments
SET tracking_number = NULL, registered = false, consignment_number = %(next_number)s, dispatch_state = 'todo',
    lifecycle_status = 'CANCELLED', exception_reason = NULL, input_digest = NULL, updated_at = now()
WHERE id = %(id)s
"""
REOPEN = """
UPDATE dispatch_tasks
SET completed_at = NULL, completed_by = NULL, attempt = attempt + 1, transaction_number = '', sends = 0, sent_at = NULL,
    lookups = 0, lookup_at = NULL, resent = false, send_again = false, opted_out = false, echo = '{}', faults = '[]',
    warnings = '{}', finished_at = NULL, sent_digest = NULL, network_reference = ''
WHERE consignment_id = %(id)s
"""
WAKE = """
SELECT c.id FROM consignments c JOIN matched m ON m.consignment_id = c.id
WHERE m.outcome = 'updated' AND c.dispatch_state = 'unknown' AND c.registered
"""


class DispatchRefused(Exception):
    """The task's state does not allow what was asked. `rule` is the contract's, `reason` a sentence for the person."""

    def __init__(self, rule: str, reason: str) -> None:
        super().__init__(reason)
        self.rule, self.reason = rule, reason


class RegisteredByOther(Exception):
    """Another order of ours has registered this tracking number; nothing was changed."""

    def __init__(self, tracking_number: str, order_id: int) -> None:
        super().__init__(f"order {order_id} has already registered tracking number {tracking_number}")
        self.tracking_number, self.order_id = tracking_number, order_id


class DispatchTask(NamedTuple):
    """One consignment's task. `state` is its dispatch_state.

    `sent_at`: when the sending began that may have been accepted; None while nothing was, so `failed` with None means
    stopped before any call and `failed` with a time means refused by the network. `lookups` found nothing so far and
    the next is due at `lookup_at`. `resent`: the one re-send that needs no person is used. `send_again`: a re-send is
    asked for. `opted_out`: notifications are left out. `faults`: [{"code", "field", "reason", "remedy"}].
    `sent_digest`: of what was last sent, where its network wants to know it again. `network_reference`: what the
    network calls the sending it took, where that is not the tracking number; "" else.
    """

    consignment_id: int
    order_id: int
    network: str
    trip: str
    resource: str
    state: str
    auto_complete: bool
    completed_at: datetime | None
    completed_by: str | None
    attempt: int
    transaction_number: str
    sends: int
    sent_at: datetime | None
    lookups: int
    lookup_at: datetime | None
    resent: bool
    send_again: bool
    opted_out: bool
    faults: list[dict[str, str]]
    warnings: list[str]
    finished_at: datetime | None
    sent_digest: bytes | None
    network_reference: str


class Company(NamedTuple):
    """What a consignment is together with: consignments on its order and its trip (itself included), and the other
    order of ours that has registered its tracking number, if any."""

    on_order: int
    on_trip: int
    registered_by: int | None


# For people and the order API. Each runs within the caller's transaction.


def task(conn: Connection, order_id: int) -> DispatchTask | None:
    """The order's dispatch task, None while it has none; of several consignments that of the first."""
    row = conn.execute(OF_ORDER, (order_id,)).fetchone()
    return DispatchTask(*row) if row else None


def assign(
    conn: Connection,
    order_id: int,
    *,
    trip: str,
    resource: str,
    network: str,
    depot: str,
    auto_complete: bool,
    actor: str,
    adopts: bool = False,
) -> None:
    """Puts the order on a trip with a network's resource, which makes its dispatch task; `auto_complete` completes it.

    `depot`: the requesting depot, "" leaves the one the order has. `adopts`: what the network has already is taken over
    by its dispatch. Assigning the same again changes nothing. Raises DispatchRefused once a sending may have been
    accepted, for a cancelled order and, unless it `adopts`, for a consignment the network has already.
    """
    wanted = {
        "trip": trip, "resource": resource, "network": network, "depot": depot, "auto_complete": auto_complete,
    }  # fmt: skip
    assigned = False
    for row in conn.execute(HELD_BY_ORDER, (order_id,)).fetchall():
        consignment_id, held_network, state, registered, held_depot, cancelled, *held = row
        as_wanted = (
            held == [trip, resource, auto_complete] and held_network == network and held_depot == (depot or held_depot)
        )
        if as_wanted and not cancelled:
            continue
        _must_be_open(state, registered and not (adopts and held_network == network), cancelled)
        conn.execute(ASSIGN, {**wanted, "id": consignment_id})
        conn.execute(ASSIGN_CONSIGNMENT, {**wanted, "id": consignment_id})
        changes = {"trip": [held[0], trip], "resource": [held[1], resource]}
        activity.record(conn, consignment_id, "put on a trip", actor, SOURCE, changes)
        assigned = True
    if assigned and auto_complete:
        complete(conn, order_id, actor)


def complete(conn: Connection, order_id: int, actor: str) -> None:
    """Completes the task: the consignment waits to be sent and the work is queued.

    Repeating it changes nothing, but releases work that was given up because nothing reached the network.

    After a definite refusal by the network this begins the next attempt [PF-7-7]; after faults found before the call
    it does not. Raises DispatchRefused without a task, for a cancelled order and while an outcome is unknown.
    """
    rows = conn.execute(HELD_BY_ORDER, (order_id,)).fetchall()
    if not rows:
        raise DispatchRefused("PF-7-1", f"Order {order_id} has no consignment to dispatch")
    for consignment_id, network, state, registered, _, cancelled, trip, *_ in rows:
        if state == "completed":
            continue
        if state == "waiting":
            work_items.enqueue(conn, network, DISPATCH, [consignment_id])
            continue
        if trip is None:
            raise DispatchRefused("PF-7-1", "The order is on no trip with a network's resource; assign one first")
        if state == "unknown":
            raise DispatchRefused(
                "PF-7-4", "The network may have accepted it: look it up now, or send it again under the same number"
            )
        _must_be_open(state, registered and state == "not_needed", cancelled)
        conn.execute(COMPLETE, {"id": consignment_id, "actor": actor})
        conn.execute(SET_STATE, {"id": consignment_id, "state": "waiting"})
        activity.record(conn, consignment_id, "dispatch task completed", actor, SOURCE, _moved(state, "waiting"))
        work_items.enqueue(conn, network, DISPATCH, [consignment_id])


def look_up_now(conn: Connection, order_id: int, actor: str) -> None:
    """Asks the network at once whether it has the consignment [PF-7-10]. Raises DispatchRefused unless unknown."""
    for found in _unknown_tasks(conn, order_id):
        activity.record(conn, found.consignment_id, "look-up asked for", actor, SOURCE)
        work_items.enqueue(conn, found.network, DISPATCH, [found.consignment_id])


def send_again(conn: Connection, order_id: int, actor: str) -> None:
    """Sends once more: under the same transaction number while the outcome is unknown, after one more look-up
    [PF-7-10]; under the next one after a definite refusal [PF-7-7]. Raises DispatchRefused in any other state."""
    held = task(conn, order_id)
    if held and held.state == "failed":
        complete(conn, order_id, actor)
        return
    for found in _unknown_tasks(conn, order_id):
        conn.execute("UPDATE dispatch_tasks SET send_again = true WHERE consignment_id = %s", (found.consignment_id,))
        activity.record(conn, found.consignment_id, "sending again asked for", actor, SOURCE)
        work_items.enqueue(conn, found.network, DISPATCH, [found.consignment_id])


# For a network's handler.


def of_consignment(conn: Connection, consignment_id: int) -> DispatchTask | None:
    """The task of one consignment."""
    row = conn.execute(OF_CONSIGNMENT, (consignment_id,)).fetchone()
    return DispatchTask(*row) if row else None


def company(conn: Connection, consignment_id: int) -> Company:
    """What the rules about one consignment an order, a trip and a number need to know."""
    row = conn.execute(COMPANY, (consignment_id,)).fetchone()
    return Company(*row) if row else Company(1, 1, None)


def next_consignment_number(conn: Connection, network: str, depot: str, most: int) -> int:
    """Reserves the depot's next consignment number within the caller's transaction; after `most` comes 1 again."""
    row = conn.execute(NEXT_NUMBER, {"network": network, "depot": depot, "most": most}).fetchone()
    assert row is not None  # RETURNING of an upsert
    return int(row[0])


def group_pallets(conn: Connection, consignment_id: int) -> None:
    """Numbers a consignment's pallets so that those of one type follow each other, in the order the types came."""
    conn.execute(GROUP_PALLETS, {"id": consignment_id})


def begin(
    conn: Connection,
    seen: DispatchTask,
    *,
    transaction_number: str,
    consignment_number: str,
    depot: str,
    tracking_number: str,
    opted_out: bool,
    by_itself: bool,
    now: datetime,
    actor: str,
    digest: bytes | None = None,
) -> DispatchTask | None:
    """Writes down that a sending begins now, before it does; the task as it then stands.

    The caller has locked the consignment. None when somebody else has moved the task since it was read as `seen`, or
    the network has the consignment already.
    `by_itself`: this is the re-send after look-ups that needs no person. `digest`: of what is sent.
    """
    begun = conn.execute(
        BEGIN,
        {
            **_key(seen),
            "transaction": transaction_number,
            "now": now,
            "resent": seen.resent or by_itself,
            "opted_out": opted_out,
            "digest": digest,
        },
    )
    if begun.rowcount == 0:
        return None
    conn.execute(
        BEGIN_CONSIGNMENT,
        {
            "id": seen.consignment_id,
            "consignment_number": consignment_number,
            "depot": depot,
            "tracking_number": tracking_number or None,
        },
    )
    kind = "sending again begun" if seen.sends else "sending begun"
    activity.record(conn, seen.consignment_id, kind, actor, SOURCE, {"transaction_number": [None, transaction_number]})
    return of_consignment(conn, seen.consignment_id)


def not_accepted(conn: Connection, seen: DispatchTask) -> None:
    """Writes down that nothing of the sending was accepted. A re-send stays owed, its first outcome stays unknown."""
    conn.execute(NOT_ACCEPTED, _key(seen))


def outcome_unknown(
    conn: Connection,
    seen: DispatchTask,
    kind: str,
    *,
    lookups: int,
    lookup_at: datetime | None,
    reason: str,
    actor: str,
) -> None:
    """The network may have accepted it: `lookups` found nothing so far, the next is due at `lookup_at` (None: none).

    `kind` is the activity's. Does nothing when somebody else has moved the task since it was read as `seen`.
    """
    consignments.lock(conn, seen.consignment_id)
    if conn.execute(UNKNOWN, {**_key(seen), "lookups": lookups, "lookup_at": lookup_at}).rowcount == 0:
        return
    if seen.state != "unknown":
        conn.execute(SET_STATE, {"id": seen.consignment_id, "state": "unknown"})
    activity.record(conn, seen.consignment_id, kind, actor, SOURCE, _moved(seen.state, "unknown"), [reason])


def registered_number(conn: Connection, seen: DispatchTask) -> str | None:
    """The consignment's number if the network has registered it by now; else nobody registers it in this transaction.

    An import may have found it while we were asking.
    """
    network_lock.hold(conn, seen.network)
    row = conn.execute(
        "SELECT tracking_number FROM consignments WHERE id = %s AND registered", (seen.consignment_id,)
    ).fetchone()
    return row[0] if row else None


def warn(conn: Connection, seen: DispatchTask, warnings: Sequence[str], actor: str) -> None:
    """Keeps warnings of a task that goes on."""
    consignments.lock(conn, seen.consignment_id)
    conn.execute(WARN, {"id": seen.consignment_id, "warnings": list(warnings)})
    activity.record(conn, seen.consignment_id, "warned", actor, SOURCE, warnings=warnings)


def fail(
    conn: Connection,
    seen: DispatchTask,
    faults: Sequence[Fault],
    *,
    now: datetime,
    actor: str,
    warnings: Sequence[str] = (),
) -> None:
    """Ends the task: faults were found before any call, or the network refused it for good (`seen.sent_at` is set)."""
    consignments.lock(conn, seen.consignment_id)
    conn.execute(
        FINISH,
        {
            "id": seen.consignment_id,
            "now": now,
            "faults": Jsonb([fault._asdict() for fault in faults]),
            "warnings": list(warnings),
        },
    )
    conn.execute(SET_STATE, {"id": seen.consignment_id, "state": "failed"})
    kind = "dispatch stopped before sending" if seen.sent_at is None else "dispatch refused by the network"
    reasons = [fault.reason for fault in faults]
    activity.record(conn, seen.consignment_id, kind, actor, SOURCE, _moved(seen.state, "failed"), [*reasons, *warnings])


def succeed(
    conn: Connection,
    seen: DispatchTask,
    tracking_number: str,
    *,
    accepted: bool,
    warnings: Sequence[str],
    now: datetime,
    actor: str,
) -> None:
    """The network has the consignment under this number; `accepted`: and it is not left for release in the portal.

    An order that an import made of the same consignment meanwhile is merged into ours. Raises RegisteredByOther when
    an order of our own holds the number as registered.
    """
    network_lock.hold(conn, seen.network)
    held = conn.execute(
        "SELECT tracking_number, registered, dispatch_state FROM consignments WHERE id = %s FOR NO KEY UPDATE",
        (seen.consignment_id,),
    ).fetchone()
    if held is None or held[2] == "completed":
        return
    _register(conn, seen, tracking_number, accepted=accepted, actor=actor)
    conn.execute(FINISH, {"id": seen.consignment_id, "now": now, "faults": Jsonb([]), "warnings": list(warnings)})
    changes: dict[str, Any] = _moved(held[2], "completed")
    if held[0] != tracking_number:
        changes["tracking_number"] = [held[0], tracking_number]
    activity.record(conn, seen.consignment_id, "dispatched", actor, SOURCE, changes, warnings)


def submitted(
    conn: Connection, seen: DispatchTask, reference: str, *, warnings: Sequence[str], now: datetime, actor: str
) -> None:
    """The network has the consignment and calls its sending by `reference`; the tracking number comes later.

    Does nothing when somebody else has moved the task since it was read as `seen`.
    """
    consignments.lock(conn, seen.consignment_id)
    current = of_consignment(conn, seen.consignment_id)
    if current is None or _key(current) != _key(seen):
        return
    conn.execute(SUBMIT, {"id": seen.consignment_id, "reference": reference})
    conn.execute(SET_STATE, {"id": seen.consignment_id, "state": "completed"})
    conn.execute(FINISH, {"id": seen.consignment_id, "now": now, "faults": Jsonb([]), "warnings": list(warnings)})
    changes = {**_moved(seen.state, "completed"), "network_reference": [None, reference]}
    activity.record(conn, seen.consignment_id, "dispatched", actor, SOURCE, changes, warnings)


def numbered(conn: Connection, seen: DispatchTask, tracking_number: str, actor: str) -> None:
    """The network has given a consignment that it took before its tracking number.

    As succeed() an import's order is merged into ours. Raises RegisteredByOther. Does nothing when it has one by now,
    or when somebody else has moved the task since it was read as `seen`.
    """
    network_lock.hold(conn, seen.network)
    held = conn.execute(
        "SELECT registered FROM consignments WHERE id = %s FOR NO KEY UPDATE", (seen.consignment_id,)
    ).fetchone()
    current = of_consignment(conn, seen.consignment_id)
    if held is None or held[0] or current is None or _key(current) != _key(seen):
        return
    _register(conn, seen, tracking_number, accepted=True, actor=actor)
    changes = {"tracking_number": [None, tracking_number]}
    activity.record(conn, seen.consignment_id, "tracking number given", actor, SOURCE, changes)


def taken_back(conn: Connection, seen: DispatchTask, *, next_number: str, reason: str, actor: str) -> None:
    """The network has cancelled the consignment for us: its labels are void, and it may be dispatched anew.

    `next_number`: the consignment number it would then have. Its own history stays.
    """
    network_lock.hold(conn, seen.network)
    held = conn.execute(
        "SELECT tracking_number, dispatch_state FROM consignments WHERE id = %s FOR NO KEY UPDATE",
        (seen.consignment_id,),
    ).fetchone()
    if held is None:
        return
    conn.execute(TAKE_BACK, {"id": seen.consignment_id, "next_number": next_number})
    conn.execute(REOPEN, {"id": seen.consignment_id})
    barcodes.withdraw(conn, seen.consignment_id, actor, SOURCE)
    changes = {**_moved(held[1], "todo"), "tracking_number": [held[0], None], "lifecycle_status": [None, "CANCELLED"]}
    activity.record(conn, seen.consignment_id, "cancelled in the network", actor, SOURCE, changes, [reason])


def wake_found(conn: Connection, network: str) -> None:
    """For the import flow: what was unknown and has just been found by an import need not wait for a look-up."""
    found = [row[0] for row in conn.execute(WAKE)]
    if found:
        work_items.enqueue(conn, network, DISPATCH, found)


def _register(conn: Connection, seen: DispatchTask, tracking_number: str, *, accepted: bool, actor: str) -> None:
    """The number is the consignment's, and that of no other order of ours; the caller holds network and row."""
    twins.merge(conn, seen.consignment_id, seen.network, tracking_number, actor)
    other = conn.execute(
        "SELECT order_id FROM consignments WHERE network = %s AND tracking_number = %s AND registered AND id <> %s",
        (seen.network, tracking_number, seen.consignment_id),
    ).fetchone()
    if other:
        raise RegisteredByOther(tracking_number, other[0])
    conn.execute(REGISTER, {"id": seen.consignment_id, "number": tracking_number, "accepted": accepted})


def _must_be_open(state: str, registered: bool, cancelled: bool) -> None:
    if cancelled:
        raise DispatchRefused("PF-7-6", "The order is cancelled")
    if registered:
        raise DispatchRefused("PF-7-1", "The network has this consignment already; there is nothing to dispatch")
    if state not in ("not_needed", "todo", "failed"):
        raise DispatchRefused("PF-7-1", f"The dispatch task is {state}: it has been sent or is about to be")


def _unknown_tasks(conn: Connection, order_id: int) -> list[DispatchTask]:
    conn.execute(HELD_BY_ORDER, (order_id,))
    found = [DispatchTask(*row) for row in conn.execute(OF_ORDER, (order_id,))]
    unknown = [one for one in found if one.state == "unknown"]
    if not unknown:
        state = found[0].state if found else "not needed"
        raise DispatchRefused("PF-7-10", f"The dispatch task is {state}; this is for one whose outcome is unknown")
    return unknown


def _key(seen: DispatchTask) -> dict[str, Any]:
    return {"id": seen.consignment_id, "state": seen.state, "sends": seen.sends, "sent_at": seen.sent_at}


def _moved(before: str, after: str) -> dict[str, Any]:
    return {} if before == after else {"dispatch_state": [before, after]}
