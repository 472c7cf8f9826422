"""The handler of NETWORK_LABELS: one pallet's label as the network draws it (contract 2.2, 7 item 5).

One item a pallet, so that each is tried again alone; none of it ever touches the registration.
"""

from collections.abc import Callable
from datetime import datetime, timedelta
from functools import partial

from palletflow.deployment import Deployment
from palletflow.documents import media
from palletflow.documents.storage import Storage, Stored
from palletflow.network_errors import UnknownOutcome
from palletflow.networks.palletforce.work import ACTOR, Reach, requesting_depot
from palletflow.store import consignments, dispatch, documents
from palletflow.store.connection import Connection
from palletflow.store.consignments import ConsignmentFacts, NoSuchConsignment
from palletflow.store.documents import Document
from palletflow.work.handling import Result, WorkItem

KIND = "NETWORK_LABEL"
SOURCE = "palletforce labels"
# A consignment left unaccepted waits for a person in the portal; its labels exist once he has released it.
NOT_ACCEPTED_YET = timedelta(minutes=30)


class LabelFetcher:
    """See the module. Threads may share one."""

    def __init__(self, plan: Deployment, reach: Reach, storage: Storage, clock: Callable[[], datetime]) -> None:
        self._plan, self._reach, self._storage, self._clock = plan, reach, storage, clock

    def __call__(self, conn: Connection, item: WorkItem) -> Result:
        """Stores the label of pallet `<consignment id>:<pallet number>`. Raises NetworkError, FileFault, NotSent."""
        consignment_id, number = map(int, item.key.split(":"))
        try:
            facts = consignments.facts(conn, consignment_id)
        except NoSuchConsignment:
            return Result()
        if number not in [pallet.number for pallet in facts.pallets] or _held(conn, consignment_id, number):
            return Result()
        if not facts.registered:
            if facts.dispatch_state != "completed" or facts.cancelled:
                return Result()
            return Result(again_at=self._clock() + NOT_ACCEPTED_YET)
        task = dispatch.of_consignment(conn, consignment_id)
        depot = requesting_depot(self._plan, self._reach, conn, facts.requesting_depot)
        client = self._reach(conn, depot).client
        image = client.label(facts.tracking_number, number, task.transaction_number if task else "")
        if media.sniff(image) != media.JPEG:
            raise UnknownOutcome(
                client.settings.connection, "DownloadLabel", f"the label of pallet {number} is no JPEG"
            )
        return Result(partial(_store, facts, number, self._storage.put(image)))


def _held(conn: Connection, consignment_id: int, number: int) -> bool:
    """Whether a good label of the pallet is there already."""
    return any(
        (held.kind, held.pallet_number) == (KIND, number) and held.stale_at is None
        for held in documents.of_consignment(conn, consignment_id)
    )


def _store(facts: ConsignmentFacts, number: int, stored: Stored, conn: Connection) -> None:
    # Locked, so that routing either sees this label or has written the barcode that it carries.
    current = consignments.facts(conn, facts.id, locked=True)
    documents.add(
        conn,
        Document(
            order_id=facts.order_id,
            consignment_id=facts.id,
            pallet_number=number,
            kind=KIND,
            name=media.safe_name(f"palletforce {facts.tracking_number} pallet {number:02d}", media.JPEG),
            media_type=media.JPEG,
            size=stored.size,
            sha256=stored.sha256,
            source=SOURCE,
            actor=ACTOR,
            # The network prints the barcode that is good now; while we do not know it, routing names it later.
            barcode=next((pallet.barcode for pallet in current.pallets if pallet.number == number), ""),
        ),
    )
