"""The handler of LABEL: the label of a consignment as Nexus draws it, one document for all pallets (contract 6.4).

It is asked for at once after the create, a few times within two minutes, then with every poll for a day. None of that
ever touches the dispatch: without its label a consignment is dispatched, and its label is missing.
"""

from collections.abc import Callable
from datetime import datetime, timedelta
from functools import partial
from itertools import accumulate

from palletflow.deployment import Deployment
from palletflow.documents import media
from palletflow.documents.storage import Storage, Stored
from palletflow.network_errors import NetworkError, NotSent, UnknownOutcome
from palletflow.networks.nexus.errors import LabelNotReady
from palletflow.networks.nexus.work import ACTOR, NETWORK, Reach, asking_depot
from palletflow.store import consignments, dispatch, documents
from palletflow.store.connection import Connection
from palletflow.store.consignments import ConsignmentFacts, NoSuchConsignment
from palletflow.store.documents import Document
from palletflow.work.handling import Result, WorkItem

KIND = "NETWORK_LABEL"
SOURCE = "nexus labels"
# Seconds from the dispatch to each try after the first [NX-6-14].
TRIES_AT_S = tuple(accumulate((2, 5, 10, 20, 40)))
POLL_S = 180
# It may be there the next time.
MISSING = (LabelNotReady, UnknownOutcome, NotSent)


class LabelFetcher:
    """See the module. Threads may share one."""

    def __init__(self, plan: Deployment, reach: Reach, storage: Storage, clock: Callable[[], datetime]) -> None:
        self._reach, self._storage, self._clock = reach, storage, clock
        self._ours = plan.network(NETWORK).depots

    def __call__(self, conn: Connection, item: WorkItem) -> Result:
        """Stores the label of a consignment that Nexus has. Raises NetworkError, FileFault, ConnectionFlagged."""
        consignment_id = int(item.key)
        try:
            facts = consignments.facts(conn, consignment_id)
        except NoSuchConsignment:
            return Result()
        if not facts.registered or _held(conn, consignment_id):
            return Result()
        depot = asking_depot(self._ours, facts.requesting_depot, facts.collecting_depot, facts.delivery_depot)
        client = self._reach(conn, depot).client
        try:
            label = client.label(int(facts.tracking_number))
        except MISSING as error:
            task = dispatch.of_consignment(conn, consignment_id)
            dispatched_at = (task and task.finished_at) or item.created_at
            return self._again(error, dispatched_at, timedelta(hours=client.settings.label_retry_h))
        media_type = media.sniff(label)
        assert media_type is not None, "the client gives nothing else"
        return Result(partial(_store, facts, self._storage.put(label), media_type))

    def _again(self, error: NetworkError, dispatched_at: datetime, most: timedelta) -> Result:
        now = self._clock()
        age = now - dispatched_at
        if age >= most:
            return Result(parked=f"Dispatched, label missing: {error}")
        tries = (dispatched_at + timedelta(seconds=seconds) for seconds in TRIES_AT_S)
        return Result(again_at=next((at for at in tries if at > now), now + timedelta(seconds=POLL_S)))


def _held(conn: Connection, consignment_id: int) -> bool:
    """Whether a good label is there already."""
    return any(held.kind == KIND and held.stale_at is None for held in documents.of_consignment(conn, consignment_id))


def _store(facts: ConsignmentFacts, stored: Stored, media_type: str, conn: Connection) -> None:
    current = consignments.facts(conn, facts.id, locked=True)
    if (current.registered, current.tracking_number) != (True, facts.tracking_number):
        return  # cancelled meanwhile: its label is void
    documents.add(
        conn,
        Document(
            order_id=facts.order_id,
            consignment_id=facts.id,
            pallet_number=None,
            kind=KIND,
            name=media.safe_name(f"label_{facts.consignment_number}", media_type),
            media_type=media_type,
            size=stored.size,
            sha256=stored.sha256,
            source=SOURCE,
            actor=ACTOR,
        ),
    )
