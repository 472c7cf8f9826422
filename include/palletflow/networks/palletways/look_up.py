"""The handler of LOOK_UP: what Palletways shows of an order that has a tracking ID, by the import flow (contract 7.2).

It fills roles, parties, goods and barcodes of an order whose tracking ID was typed or imported, and reads them again
for whoever needs to know the delivering depot.
"""

from collections.abc import Callable
from datetime import datetime

from palletflow.deployment import Deployment
from palletflow.network_errors import NetworkError, NotFound
from palletflow.networks.palletways import fetch
from palletflow.networks.palletways.tracking_ids import next_look
from palletflow.networks.palletways.work import ACTOR, NETWORK, Access, Reach, asking_depot
from palletflow.store import consignments, customers, network_lock, tracking, twins
from palletflow.store.connection import Connection
from palletflow.store.consignments import ConsignmentFacts, NoSuchConsignment
from palletflow.store.imports import Batch
from palletflow.work.flagged import ConnectionFlagged
from palletflow.work.handling import Result, WorkItem

STREAM = "look-up"
NOT_KNOWN = "Palletways does not know the tracking ID {number}; correct it on the order, or try again"
NOT_OURS = "Palletways shows us no part in {number} ({why}); correct the tracking ID on the order"
FAULTY = "What Palletways shows of {number} cannot be taken over ({why}); try again once it is mended there or here"
QUARANTINED = "What Palletways shows of {number} was quarantined ({why}): correct and replay it, then try again"
TAKEN = "The tracking ID {number} is on order {order} already, which Palletways has as its consignment"


class LookUp:
    """See the module. Threads may share one."""

    def __init__(self, plan: Deployment, reach: Reach, clock: Callable[[], datetime]) -> None:
        self._plan, self._reach, self._clock = plan, reach, clock
        self._ours = plan.network(NETWORK).depots

    def __call__(self, conn: Connection, item: WorkItem) -> Result:
        """Reads one consignment anew. Raises NetworkError, FileFault, ConnectionFlagged."""
        try:
            facts = consignments.facts(conn, int(item.key))
        except NoSuchConsignment:
            return Result()
        if facts.network != NETWORK or not facts.tracking_number or facts.cancelled:
            return Result()
        read_at = self._clock()
        found = self._found(conn, facts)
        if found is None:
            again_at = next_look(item.created_at, read_at)
            given_up = NOT_KNOWN.format(number=facts.tracking_number)
            return Result(again_at=again_at) if again_at else Result(parked=given_up)
        access, record = found
        batch = Batch(NETWORK, STREAM, access.client.settings.depot, f"work item {item.id}", ACTOR, read_at)
        return Result(parked=self._take_in(conn, facts, access, record, batch))

    def _found(self, conn: Connection, facts: ConsignmentFacts) -> tuple[Access, object] | None:
        """The record, by the depot of ours that takes part in it; while none is known to, by whichever is shown it."""
        taking_part = (facts.requesting_depot, facts.collecting_depot, facts.delivery_depot)
        known = not self._ours.keys().isdisjoint(taking_part)
        trouble: Exception | None = None
        for depot in [asking_depot(self._ours, *taking_part)] if known else self._ours:
            try:
                access = self._reach(conn, depot)
                return access, fetch.read(access.client, access.mapper, facts.tracking_number)
            except NotFound:
                continue
            except (NetworkError, ConnectionFlagged) as error:
                trouble = trouble or error
        if trouble:
            raise trouble
        return None

    def _take_in(
        self, conn: Connection, facts: ConsignmentFacts, access: Access, record: object, batch: Batch
    ) -> str | None:
        """Stores it in one transaction; why a person is needed, if one is."""
        number = facts.tracking_number
        translated = access.mapper.translate(record)
        if translated.left_out:
            return NOT_OURS.format(number=number, why=translated.left_out.reason)
        faults = "; ".join(fault.reason for fault in translated.faults)
        if faults and facts.order_source != NETWORK:
            return FAULTY.format(number=number, why=faults)  # a replay would not know what was given here
        customers.sync(conn, self._plan.customer_names(), self._plan.account_rows())
        with conn.transaction():
            network_lock.hold(conn, NETWORK)
            held = consignments.facts(conn, facts.id, locked=True)
            if held.tracking_number != number:
                return None  # it was changed meanwhile, and the new one is asked for
            if translated.consignment:
                twins.merge(conn, facts.id, NETWORK, number, ACTOR)
            fetch.take_in(conn, access.mapper, record, batch)
        if faults:
            return QUARANTINED.format(number=number, why=faults)
        now = consignments.facts(conn, facts.id)
        return None if now.registered else TAKEN.format(number=number, order=self._holder(conn, number))

    def _holder(self, conn: Connection, number: str) -> str:
        [due] = tracking.holders(conn, NETWORK, [number])
        return str(consignments.facts(conn, due.consignment_id).order_id)
