"""The handler of CANCEL: takes a consignment of a cancelled order back from Nexus (contract 2.5, 6.5).

What cannot be taken back there, a person does in the portal: the order is flagged and says why.
"""

from collections.abc import Callable
from datetime import datetime, timedelta
from functools import partial

from palletflow.deployment import Deployment
from palletflow.network_errors import NotFound, Rejected
from palletflow.networks.nexus import form
from palletflow.networks.nexus.dispatch import LEFT_TO_A_PERSON
from palletflow.networks.nexus.errors import NexusConflict, NexusNotOffered
from palletflow.networks.nexus.statuses import Rules
from palletflow.networks.nexus.work import ACTOR, DISPATCH, NETWORK, Access, Reach, asking_depot
from palletflow.orders.lifecycle import RANKS, Status
from palletflow.store import activity, consignments, dispatch, orders, session_lock, tracking, work_items
from palletflow.store.connection import Connection
from palletflow.store.consignments import ConsignmentFacts, NoSuchConsignment
from palletflow.store.dispatch import DispatchTask
from palletflow.work.handling import Result, WorkItem

SOURCE = "nexus cancel"
COLLECTED = "it is collected already, so Nexus cancels it no more"
REFUSED = "Nexus says that it is collected already; it stays live"
NOT_TAKEN = "Nexus does not cancel it ({detail}): cancel it in the portal"
NOT_KNOWN = "what became of its dispatch is not known, as the search for it was given up ({why}): look in the portal"
RESTORED = (
    "Restored while Nexus cancelled it as {number}: complete its dispatch task again to send it under its next number"
)
STILL_LIVE = "Nexus did not cancel it, and shows it as '{status}': cancel it in the portal"
# What only goods can be that were collected, whatever happened to them since.
COLLECTED_SINCE = {
    status for status, rank in RANKS.items() if RANKS[Status.COLLECTED] <= rank < RANKS[Status.CANCELLED]
}
# Until a dispatch that is under way has come to an end.
DISPATCHING = timedelta(seconds=5)


class Canceller:
    """See the module. Threads may share one."""

    def __init__(self, plan: Deployment, reach: Reach, clock: Callable[[], datetime]) -> None:
        self._reach, self._clock = reach, clock
        self._ours = plan.network(NETWORK).depots

    def __call__(self, conn: Connection, item: WorkItem) -> Result:
        """Cancels one consignment. Raises NetworkError, FileFault, ConnectionFlagged."""
        with session_lock.alone(conn, f"{NETWORK} consignment {item.key}") as alone:
            if not alone:
                return Result(again_at=self._clock() + DISPATCHING)
            return self._cancel(conn, int(item.key))

    def _cancel(self, conn: Connection, consignment_id: int) -> Result:
        try:
            facts = consignments.facts(conn, consignment_id)
        except NoSuchConsignment:
            return Result()
        task = dispatch.of_consignment(conn, consignment_id)
        if task is None or not facts.cancelled:
            return Result()  # the order was restored meanwhile
        if task.state == "unknown" or (task.state == "waiting" and task.sent_at is not None):
            # What became of the create is found out first; what it finds is then cancelled [NX-6-21].
            why = work_items.given_up(conn, NETWORK, DISPATCH, consignment_id)
            if why is not None and why != LEFT_TO_A_PERSON:
                return Result(partial(_flag, facts, NOT_KNOWN.format(why=why)))
            return Result(partial(_let_it_be_found, task), again_at=self._clock() + DISPATCHING)
        if not facts.registered:
            return Result()  # Nexus has nothing of it, and a cancelled order is not sent
        known = {facts.lifecycle_status, *tracking.told(conn, consignment_id)}
        if Status.CANCELLED not in known and known & COLLECTED_SINCE:
            return Result(partial(_flag, facts, COLLECTED))
        depot = asking_depot(self._ours, facts.requesting_depot, facts.collecting_depot, facts.delivery_depot)
        return self._ask(self._reach(conn, depot), task, facts)

    def _ask(self, access: Access, task: DispatchTask, facts: ConsignmentFacts) -> Result:
        try:
            left = _left(access, int(facts.tracking_number))
        except NexusConflict:
            left = REFUSED
        except Rejected as error:
            left = NOT_TAKEN.format(detail=error.detail)
        return Result(partial(_flag, facts, left) if left else partial(_take_back, task, facts))


def _left(access: Access, number: int) -> str:
    """Cancels it; what is left for a person to do, "" when it is cancelled."""
    try:
        access.client.cancel(number)
    except (NotFound, NexusNotOffered):
        # The path is assumed, and a repeated cancel is not found either: get decides.
        status = _status(access, number)
        if status is not None and _meaning(access, status) is not Status.CANCELLED:
            return STILL_LIVE.format(status=status)
    return ""


def _status(access: Access, number: int) -> str | None:
    """What Nexus calls the state of a consignment; None when it shows no such consignment any more."""
    try:
        return access.mapper.reading.reply(access.client.get(number)).status_name
    except NotFound:
        return None


def _meaning(access: Access, status: str) -> Status:
    return Rules(access.mapper.template.sections, access.client.wire.formats).meaning(status).status


# Storing: each runs in the transaction that ends or moves the work item.


def _let_it_be_found(task: DispatchTask, conn: Connection) -> None:
    if task.state == "unknown" and task.lookup_at is None:  # left to a person, who wants it no more
        work_items.enqueue(conn, NETWORK, DISPATCH, [task.consignment_id])


def _take_back(task: DispatchTask, facts: ConsignmentFacts, conn: Connection) -> None:
    dispatch.taken_back(
        conn,
        task,
        next_number=form.number_after_cancel(facts.consignment_number),
        reason=f"Nexus has cancelled consignment {facts.tracking_number}, {facts.consignment_number}",
        actor=ACTOR,
    )
    tracking.forget(conn, facts.id)
    if not consignments.facts(conn, facts.id).cancelled:
        orders.ask_for_review(conn, facts.order_id, RESTORED.format(number=facts.consignment_number))


def _flag(facts: ConsignmentFacts, reason: str, conn: Connection) -> None:
    reason = f"Cancelled after dispatch as {facts.consignment_number}: {reason}"
    # Consignments before their orders, as everybody else who locks both.
    consignments.facts(conn, facts.id, locked=True)
    orders.ask_for_review(conn, facts.order_id, reason)
    activity.record(conn, facts.id, "flagged for review", ACTOR, SOURCE, warnings=[reason])
