"""The handler of CANCEL: takes a consignment of a cancelled order back from Palletways (contract 7.1).

Only what was never confirmed can be deleted there. Anything else a person settles with the network: the order is
flagged and says why.
"""

from collections.abc import Callable
from datetime import datetime, timedelta
from functools import partial

from palletflow.deployment import Deployment
from palletflow.network_errors import NotFound, Rejected
from palletflow.networks.palletways.dispatch import LEFT_TO_A_PERSON
from palletflow.networks.palletways.form import read_form
from palletflow.networks.palletways.mapper import preview
from palletflow.networks.palletways.settings import CUSTOMER_KEY
from palletflow.networks.palletways.work import ACTOR, DISPATCH, NETWORK, Reach
from palletflow.store import activity, consignments, dispatch, orders, session_lock, work_items
from palletflow.store.connection import Connection
from palletflow.store.consignments import ConsignmentFacts, NoSuchConsignment
from palletflow.store.dispatch import DispatchTask
from palletflow.work.handling import Result, WorkItem

SOURCE = "palletways cancel"
CONTACT = "Palletways takes no cancellation of a released consignment: contact the network"
DEPOT_KEY = "Only a customer key may delete it, and the depot has a depot key: delete it in the portal"
NOT_TAKEN = "Palletways does not delete it ({detail}): contact the network"
NO_RESPONSE_ID = "Its response ID is not known, by which alone it could be deleted: delete it in the portal"
NOT_KNOWN = "what became of its dispatch is not known, as the search for it was given up ({why}): look in the portal"
RESTORED = "Restored while Palletways deleted it as {number}: complete its dispatch task again to send it anew"
# Until a dispatch that is under way has come to an end.
DISPATCHING = timedelta(seconds=5)


class Canceller:
    """See the module. Threads may share one."""

    def __init__(self, plan: Deployment, reach: Reach, clock: Callable[[], datetime]) -> None:
        """Raises FileFault when the template is not usable."""
        self._reach, self._clock = reach, clock
        self._ours = plan.network(NETWORK).depots
        self._confirms = read_form(preview(plan).template).confirm

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
            # What became of the submission is found out first; what it finds is then cancelled.
            why = work_items.given_up(conn, NETWORK, DISPATCH, consignment_id)
            if why is not None and why != LEFT_TO_A_PERSON:
                return Result(partial(_flag, facts, NOT_KNOWN.format(why=why)))
            return Result(partial(_let_it_be_found, task), again_at=self._clock() + DISPATCHING)
        if task.state != "completed":
            return Result()  # Palletways has nothing of it, and a cancelled order is not sent
        return self._delete(conn, task, facts)

    def _delete(self, conn: Connection, task: DispatchTask, facts: ConsignmentFacts) -> Result:
        if self._confirms:
            return Result(partial(_flag, facts, CONTACT))
        client = self._reach(conn, facts.requesting_depot or next(iter(self._ours))).client
        if client.settings.key_kind != CUSTOMER_KEY:
            return Result(partial(_flag, facts, DEPOT_KEY))
        if not task.network_reference:
            return Result(partial(_flag, facts, NO_RESPONSE_ID))
        try:
            client.delete(task.network_reference)
        except NotFound:
            pass  # an earlier try was carried out and its answer lost
        except Rejected as error:
            return Result(partial(_flag, facts, NOT_TAKEN.format(detail=error.detail)))
        return Result(partial(_take_back, task, facts))


# Storing: each runs in the transaction that ends or moves the work item.


def _let_it_be_found(task: DispatchTask, conn: Connection) -> None:
    if task.state == "unknown" and task.lookup_at is None:  # left to a person, who wants it no more
        work_items.enqueue(conn, NETWORK, DISPATCH, [task.consignment_id])


def _take_back(task: DispatchTask, facts: ConsignmentFacts, conn: Connection) -> None:
    reason = f"Palletways has deleted the submission {task.network_reference}"
    dispatch.taken_back(conn, task, next_number="", reason=reason, actor=ACTOR)
    if not consignments.facts(conn, facts.id).cancelled:
        orders.ask_for_review(conn, facts.order_id, RESTORED.format(number=facts.consignment_number))


def _flag(facts: ConsignmentFacts, reason: str, conn: Connection) -> None:
    reason = f"Cancelled after dispatch as {facts.tracking_number or facts.consignment_number}: {reason}"
    # Consignments before their orders, as everybody else who locks both.
    consignments.facts(conn, facts.id, locked=True)
    orders.ask_for_review(conn, facts.order_id, reason)
    activity.record(conn, facts.id, "flagged for review", ACTOR, SOURCE, warnings=[reason])
