"""The handler of ROUTING: depots and barcodes of a consignment, fetched by its number (contract 2.5, 7 item 5)."""

from collections.abc import Callable
from datetime import datetime
from functools import partial

from palletflow.deployment import Deployment
from palletflow.network_errors import NotFound, UnknownOutcome
from palletflow.networks.palletforce import barcodes
from palletflow.networks.palletforce.fetch import fetch_consignment
from palletflow.networks.palletforce.mapper import NETWORK
from palletflow.networks.palletforce.work import ACTOR, Reach, requesting_depot
from palletflow.store import barcodes as stored_barcodes
from palletflow.store import consignments, documents
from palletflow.store.connection import Connection
from palletflow.store.consignments import ConsignmentFacts, NoSuchConsignment
from palletflow.work.handling import Result, WorkItem

SOURCE = "palletforce routing"


class Router:
    """See the module. Threads may share one."""

    def __init__(self, plan: Deployment, reach: Reach, clock: Callable[[], datetime]) -> None:
        self._plan, self._reach, self._clock = plan, reach, clock

    def __call__(self, conn: Connection, item: WorkItem) -> Result:
        """Takes over what the network says now, through the regular import flow. Raises NetworkError, FileFault.

        Nothing is found of a number that is not registered yet: then there is nothing to take over, and its labels
        stay provisional [PF-6-10].
        """
        try:
            facts = consignments.facts(conn, int(item.key))
        except NoSuchConsignment:
            return Result()
        if not facts.tracking_number:
            return Result()
        access = self._reach(conn, requesting_depot(self._plan, self._reach, conn, self._own_depot(facts)))
        try:
            counts = fetch_consignment(
                conn,
                access.client,
                access.mapper,
                self._plan,
                facts.requesting_depot,
                facts.tracking_number,
                now=self._clock(),
                run=f"work item {item.id}",
                actor=ACTOR,
            )
        except NotFound as error:
            if facts.dispatch_state != "completed":
                return Result()
            # It was accepted, so it will be shown.
            raise UnknownOutcome(error.connection, error.operation, error.detail) from error
        if counts.rejected:
            return Result(parked="The network's record of it was quarantined: correct and replay it, then try again")
        return Result(partial(expect_barcodes, consignment_id=facts.id, actor=ACTOR, source=SOURCE))

    def _own_depot(self, facts: ConsignmentFacts) -> str:
        """The depot of ours that sees the consignment."""
        ours = self._plan.network(NETWORK).depots
        return next(
            (d for d in (facts.requesting_depot, facts.collecting_depot, facts.delivery_depot) if d in ours), ""
        )


def expect_barcodes(conn: Connection, consignment_id: int, actor: str, source: str) -> None:
    """Computes the barcodes of pallets that have none, as soon as depot, service and number are known [PF-3-14].

    Labels that the network drew before are named by them. Runs within the caller's transaction.
    """
    facts = consignments.facts(conn, consignment_id, locked=True)
    if not all(pallet.barcode for pallet in facts.pallets) or not facts.registered:
        codes = barcodes.of_pallets(facts.delivery_depot, facts.service, facts.tracking_number, len(facts.pallets))
        rows = [(facts.id, pallet.number, code) for pallet, code in zip(facts.pallets, codes, strict=False)]
        if rows:
            stored_barcodes.expect(conn, rows, actor, source)
    documents.name_network_labels(conn, consignment_id)
