"""The handler of CANCEL: takes a consignment of a cancelled order back from Nexus (contract 2.5, 6.5).

What cannot be taken back there, a person does in the portal: the order is flagged and says why.
"""

from collections.abc import Callable
from datetime import datetime
from functools import partial

from palletflow.deployment import Deployment
from palletflow.network_errors import NotFound, Rejected
from palletflow.networks.nexus import form
from palletflow.networks.nexus.dispatch import LEFT_TO_A_PERSON
from palletflow.networks.nexus.errors import NexusConflict, NexusNotOffered
from palletflow.networks.nexus.statuses import Rules
from palletflow.networks.nexus.work import ACTOR, NETWORK, Access, Reach, asking_depot
from palletflow.orders.lifecycle import RANKS, Status
from palletflow.store import consignments, dispatch, orders, tracking
from palletflow.store.connection import Connection
from palletflow.store.consignments import ConsignmentFacts
from palletflow.store.dispatch import DispatchTask
from palletflow.work import cancelling
from palletflow.work.handling import Result

COLLECTED = "it is collected already, so Nexus cancels it no more"
REFUSED = "Nexus says that it is collected already; it stays live"
NOT_TAKEN = "Nexus does not cancel it ({detail}): cancel it in the portal"
RESTORED = (
    "Restored while Nexus cancelled it as {number}: complete its dispatch task again to send it under its next number"
)
STILL_LIVE = "Nexus did not cancel it, and shows it as '{status}': cancel it in the portal"
# What only goods can be that were collected, whatever happened to them since.
COLLECTED_SINCE = {
    status for status, rank in RANKS.items() if RANKS[Status.COLLECTED] <= rank < RANKS[Status.CANCELLED]
}


class Canceller(cancelling.Canceller):
    """See the module."""

    network, actor, left_to_a_person = NETWORK, ACTOR, LEFT_TO_A_PERSON

    def __init__(self, plan: Deployment, reach: Reach, clock: Callable[[], datetime]) -> None:
        super().__init__(clock)
        self._reach = reach
        self._ours = plan.network(NETWORK).depots

    def known_as(self, facts: ConsignmentFacts) -> str:
        """The number that we gave it."""
        return facts.consignment_number

    def take_back(self, conn: Connection, task: DispatchTask, facts: ConsignmentFacts) -> Result:
        """Raises NetworkError, FileFault, ConnectionFlagged."""
        if not facts.registered:
            return Result()  # Nexus has nothing of it, and a cancelled order is not sent
        known = {facts.lifecycle_status, *tracking.told(conn, facts.id)}
        if Status.CANCELLED not in known and known & COLLECTED_SINCE:
            return self.flagged(facts, COLLECTED)
        depot = asking_depot(self._ours, facts.requesting_depot, facts.collecting_depot, facts.delivery_depot)
        return self._ask(self._reach(conn, depot), task, facts)

    def _ask(self, access: Access, task: DispatchTask, facts: ConsignmentFacts) -> Result:
        try:
            left = _left(access, int(facts.tracking_number))
        except NexusConflict:
            left = REFUSED
        except Rejected as error:
            left = NOT_TAKEN.format(detail=error.detail)
        return self.flagged(facts, left) if left else Result(partial(_take_back, task, facts))


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


def _take_back(task: DispatchTask, facts: ConsignmentFacts, conn: Connection) -> None:
    # In the transaction that ends the work item.
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
