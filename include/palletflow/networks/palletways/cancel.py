"""The handler of CANCEL: takes a consignment of a cancelled order back from Palletways (contract 7.1).

Only what was never confirmed can be deleted there. Anything else a person settles with the network: the order is
flagged and says why.
"""

from collections.abc import Callable
from datetime import datetime
from functools import partial

from palletflow.deployment import Deployment
from palletflow.network_errors import NotFound, Rejected
from palletflow.networks.palletways.dispatch import LEFT_TO_A_PERSON
from palletflow.networks.palletways.form import read_form
from palletflow.networks.palletways.mapper import preview
from palletflow.networks.palletways.settings import CUSTOMER_KEY
from palletflow.networks.palletways.work import ACTOR, NETWORK, Reach
from palletflow.store import consignments, dispatch, orders
from palletflow.store.connection import Connection
from palletflow.store.consignments import ConsignmentFacts
from palletflow.store.dispatch import DispatchTask
from palletflow.work import cancelling
from palletflow.work.handling import Result

CONTACT = "Palletways takes no cancellation of a released consignment: contact the network"
DEPOT_KEY = "Only a customer key may delete it, and the depot has a depot key: delete it in the portal"
NOT_TAKEN = "Palletways does not delete it ({detail}): contact the network"
NO_RESPONSE_ID = "Its response ID is not known, by which alone it could be deleted: delete it in the portal"
RESTORED = "Restored while Palletways deleted it as {number}: complete its dispatch task again to send it anew"


class Canceller(cancelling.Canceller):
    """See the module."""

    network, actor, left_to_a_person = NETWORK, ACTOR, LEFT_TO_A_PERSON

    def __init__(self, plan: Deployment, reach: Reach, clock: Callable[[], datetime]) -> None:
        """Raises FileFault when the template is not usable."""
        super().__init__(clock)
        self._reach = reach
        self._ours = plan.network(NETWORK).depots
        self._confirms = read_form(preview(plan).template).confirm

    def known_as(self, facts: ConsignmentFacts) -> str:
        """Its tracking ID, or while that is not known the number that we gave it."""
        return facts.tracking_number or facts.consignment_number

    def take_back(self, conn: Connection, task: DispatchTask, facts: ConsignmentFacts) -> Result:
        """Raises NetworkError, FileFault, ConnectionFlagged."""
        if task.state != "completed":
            return Result()  # Palletways has nothing of it, and a cancelled order is not sent
        if self._confirms:
            return self.flagged(facts, CONTACT)
        client = self._reach(conn, facts.requesting_depot or next(iter(self._ours))).client
        if client.settings.key_kind != CUSTOMER_KEY:
            return self.flagged(facts, DEPOT_KEY)
        if not task.network_reference:
            return self.flagged(facts, NO_RESPONSE_ID)
        try:
            client.delete(task.network_reference)
        except NotFound:
            pass  # an earlier try was carried out and its answer lost
        except Rejected as error:
            return self.flagged(facts, NOT_TAKEN.format(detail=error.detail))
        return Result(partial(_take_back, task, facts))


def _take_back(task: DispatchTask, facts: ConsignmentFacts, conn: Connection) -> None:
    # In the transaction that ends the work item.
    reason = f"Palletways has deleted the submission {task.network_reference}"
    dispatch.taken_back(conn, task, next_number="", reason=reason, actor=ACTOR)
    if not consignments.facts(conn, facts.id).cancelled:
        orders.ask_for_review(conn, facts.order_id, RESTORED.format(number=facts.consignment_number))
