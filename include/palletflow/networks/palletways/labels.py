"""The handler of LABEL: the labels of a consignment as Palletways draws them, a page a pallet (contract 2.9).

They are asked for by tracking ID, before there is one by response ID. None of that ever touches the dispatch: without
its labels a consignment is dispatched, and its labels are missing.
"""

from collections.abc import Callable
from datetime import datetime, timedelta
from functools import partial

from palletflow.deployment import Deployment
from palletflow.documents import media
from palletflow.documents.storage import Storage, Stored
from palletflow.network_errors import NotSent, UnknownOutcome
from palletflow.networks.palletways.errors import LabelNotReady
from palletflow.networks.palletways.label_text import why_no_label
from palletflow.networks.palletways.mapper import preview
from palletflow.networks.palletways.work import ACTOR, NETWORK, Reach, asking_depot
from palletflow.store import consignments, dispatch, documents
from palletflow.store.connection import Connection
from palletflow.store.consignments import ConsignmentFacts, NoSuchConsignment
from palletflow.store.documents import Document
from palletflow.work.handling import Result, WorkItem

KIND = "NETWORK_LABEL"
SOURCE = "palletways labels"
# From the dispatch to each try after the first, then every hour for a day.
TRIES = (
    *(timedelta(seconds=seconds) for seconds in (5, 20)),
    *(timedelta(minutes=minutes) for minutes in (1, 5, 15, 30)),
    *(timedelta(hours=hour) for hour in range(1, 25)),
)
# It may be there the next time.
MISSING = (LabelNotReady, UnknownOutcome, NotSent)


class LabelFetcher:
    """See the module. Threads may share one."""

    def __init__(self, plan: Deployment, reach: Reach, storage: Storage, clock: Callable[[], datetime]) -> None:
        """Raises FileFault when the template is not usable."""
        self._reach, self._storage, self._clock = reach, storage, clock
        self._ours = plan.network(NETWORK).depots
        wanted = preview(plan).template.sections["labels"]
        self._degrees = int(wanted["degrees"]) if wanted["degrees"] else None
        self._error_words: list[str] = wanted["error_words"]

    def __call__(self, conn: Connection, item: WorkItem) -> Result:
        """Stores the labels of a consignment that Palletways has. Raises NetworkError, FileFault, ConnectionFlagged."""
        consignment_id = int(item.key)
        try:
            facts = consignments.facts(conn, consignment_id)
        except NoSuchConsignment:
            return Result()
        task = dispatch.of_consignment(conn, consignment_id)
        response_id = task.network_reference if task and task.state == "completed" else ""
        if not (facts.registered or response_id) or _held(conn, consignment_id):
            return Result()
        dispatched_at = (task and task.finished_at) or item.created_at
        depot = asking_depot(self._ours, facts.requesting_depot, facts.collecting_depot, facts.delivery_depot)
        client = self._reach(conn, depot).client
        try:
            label = (
                client.label(tracking_id=facts.tracking_number, degrees=self._degrees)
                if facts.registered
                else client.label(response_id=response_id, degrees=self._degrees)
            )
        except MISSING as error:
            return self._again(str(error), dispatched_at)
        why = why_no_label(label, [facts.tracking_number, facts.consignment_number], self._error_words)
        if why:
            return self._again(f"Palletways sent a page that is no label: {why}", dispatched_at)
        return Result(partial(_store, facts, self._storage.put(label)))

    def _again(self, why: str, dispatched_at: datetime) -> Result:
        now = self._clock()
        following = next((dispatched_at + after for after in TRIES if dispatched_at + after > now), None)
        return Result(again_at=following) if following else Result(parked=f"Dispatched, labels missing: {why}")


def _held(conn: Connection, consignment_id: int) -> bool:
    """Whether good labels are there already."""
    return any(held.kind == KIND and held.stale_at is None for held in documents.of_consignment(conn, consignment_id))


def _store(facts: ConsignmentFacts, stored: Stored, conn: Connection) -> None:
    current = consignments.facts(conn, facts.id, locked=True)
    if (current.dispatch_state, current.consignment_number) != (facts.dispatch_state, facts.consignment_number) or (
        facts.registered and (current.registered, current.tracking_number) != (True, facts.tracking_number)
    ):
        return  # taken back meanwhile, and perhaps dispatched anew: these labels are void
    documents.add(
        conn,
        Document(
            order_id=facts.order_id,
            consignment_id=facts.id,
            pallet_number=None,
            kind=KIND,
            name=media.safe_name(f"label_{facts.tracking_number or facts.consignment_number}", media.PDF),
            media_type=media.PDF,
            size=stored.size,
            sha256=stored.sha256,
            source=SOURCE,
            actor=ACTOR,
        ),
    )
