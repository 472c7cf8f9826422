"""What the handlers that take a consignment of a cancelled order back from its network have in common.

What became of a dispatch is found out before anything is cancelled. What cannot be taken back there, a person does: the
order is flagged and says why.
"""

from collections.abc import Callable
from datetime import datetime, timedelta
from functools import partial

from palletflow.store import activity, consignments, dispatch, orders, session_lock, work_items
from palletflow.store.connection import Connection
from palletflow.store.consignments import ConsignmentFacts, NoSuchConsignment
from palletflow.store.dispatch import DISPATCH, DispatchTask
from palletflow.work.handling import Result, WorkItem

NOT_KNOWN = "what became of its dispatch is not known, as the search for it was given up ({why}): look in the portal"
# Until a dispatch that is under way has come to an end.
DISPATCHING = timedelta(seconds=5)


class Canceller:
    """A network's subclass says `network`, `actor`, and `left_to_a_person`: why a dispatch of its own is parked whose
    outcome nobody knows. Threads may share one."""

    network: str
    actor: str
    left_to_a_person: str

    def __init__(self, clock: Callable[[], datetime]) -> None:
        self._clock = clock

    def take_back(self, conn: Connection, task: DispatchTask, facts: ConsignmentFacts) -> Result:
        """Cancels what the network has of it. Raises NetworkError, FileFault, ConnectionFlagged."""
        raise NotImplementedError

    def known_as(self, facts: ConsignmentFacts) -> str:
        """What the network knows it as."""
        raise NotImplementedError

    def __call__(self, conn: Connection, item: WorkItem) -> Result:
        """Cancels one consignment. Raises NetworkError, FileFault, ConnectionFlagged."""
        with session_lock.alone(conn, f"{self.network} consignment {item.key}") as alone:
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
            # What became of the sending is found out first; what that finds is then cancelled [NX-6-21].
            why = work_items.given_up(conn, self.network, DISPATCH, consignment_id)
            if why is not None and why != self.left_to_a_person:
                return self.flagged(facts, NOT_KNOWN.format(why=why))
            return Result(partial(self._let_it_be_found, task), again_at=self._clock() + DISPATCHING)
        return self.take_back(conn, task, facts)

    def flagged(self, facts: ConsignmentFacts, reason: str) -> Result:
        """Of a consignment that a person has to cancel."""
        return Result(partial(self._flag, facts, reason))

    # Storing: each runs in the transaction that ends or moves the work item.

    def _let_it_be_found(self, task: DispatchTask, conn: Connection) -> None:
        if task.state == "unknown" and task.lookup_at is None:  # left to a person, who wants it no more
            work_items.enqueue(conn, self.network, DISPATCH, [task.consignment_id])

    def _flag(self, facts: ConsignmentFacts, reason: str, conn: Connection) -> None:
        reason = f"Cancelled after dispatch as {self.known_as(facts)}: {reason}"
        # Consignments before their orders, as everybody else who locks both.
        consignments.facts(conn, facts.id, locked=True)
        if orders.ask_for_review(conn, facts.order_id, reason):
            activity.record(
                conn, facts.id, "flagged for review", self.actor, f"{self.network} cancel", warnings=[reason]
            )
