"""Draws our own labels of a consignment and keeps them as its documents: work of the kind `own_labels`.

Contract 3 and 6 item 5. Doing it twice changes nothing: equal labels are the same document. Provisional and stale ones
are replaced by good ones as soon as the routing is known.
"""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from palletflow.documents import label_pdf, media
from palletflow.documents.label import Label
from palletflow.documents.storage import Storage
from palletflow.intake.template import Template
from palletflow.network_errors import NetworkError
from palletflow.networks.palletforce import labels
from palletflow.networks.palletforce.client import PalletforceClient
from palletflow.networks.palletforce.mapper import Mapper
from palletflow.store import barcodes, consignments, documents, work_items
from palletflow.store.connection import Connection
from palletflow.store.consignments import ConsignmentFacts, NoSuchConsignment
from palletflow.store.documents import Document
from palletflow.work.handling import Handler, Result, WorkItem

KIND = "LABEL"
ACTOR, SOURCE = "palletflow", "own labels"
# While the network does not answer, labels are made of what is known, and it is asked again.
ASK_AGAIN = timedelta(minutes=5)

# The delivery depot the network knows for a consignment, "" if it knows none. May raise NetworkError.
LookUp = Callable[[ConsignmentFacts], str]


def handler(template: Template, storage: Storage, look_up: LookUp) -> Handler:
    """Makes the handler; the item's key is the consignment's id.

    It raises StorageUnavailable, which the queue tries again, and nothing of the network's.
    """

    def handle(conn: Connection, item: WorkItem) -> Result:
        try:
            facts = consignments.facts(conn, int(item.key))
        except NoSuchConsignment:
            return Result()
        unanswered = False

        def fetch() -> str:
            nonlocal unanswered
            try:
                return look_up(facts) if facts.tracking_number else ""
            except NetworkError:
                unanswered = True
                return ""

        depot = labels.delivery_depot(facts, template.sections["labels"], fetch)
        drawn = [] if facts.cancelled else labels.of_consignment(facts, template, depot, unanswered=unanswered)
        stored = [(label, _document(facts, label, storage)) for label in drawn]
        return Result(
            lambda writing: _record(writing, facts, stored),
            again_at=datetime.now(UTC) + ASK_AGAIN if unanswered and drawn else None,
        )

    return handle


def fetched_depot(client: PalletforceClient, mapper: Mapper, tracking_number: str) -> str:
    """The delivery depot of a consignment in the network, unaccepted ones included; "" if it has none (2.5).

    Raises NetworkError.
    """
    for record in mapper.records(client.fetch_by("trackingNumber", tracking_number)):
        consignment = mapper.translate(record).consignment
        if consignment is not None:
            return consignment.delivery_depot
    return ""


def _document(facts: ConsignmentFacts, label: Label, storage: Storage) -> Document:
    stored = storage.put(label_pdf.draw(label))
    what = "provisional label" if label.provisional else "label"
    return Document(
        order_id=facts.order_id,
        consignment_id=facts.id,
        pallet_number=label.pallet,
        kind=KIND,
        name=f"{label.tracking_number} {what} pallet {label.pallet} of {label.pallets}.pdf",
        media_type=media.PDF,
        size=stored.size,
        sha256=stored.sha256,
        source=SOURCE,
        actor=ACTOR,
        barcode="" if label.provisional else label.barcode,
        provisional=label.provisional,
    )


def _record(conn: Connection, facts: ConsignmentFacts, stored: list[tuple[Label, Document]]) -> None:
    try:
        now = consignments.facts(conn, facts.id, locked=True)
    except NoSuchConsignment:
        return
    if now != facts:
        # Somebody changed it while we drew: these labels are not of it any more.
        work_items.enqueue(conn, facts.network, barcodes.RELABEL, [facts.id])
        return
    if any(label.provisional for label, _ in stored):
        # What the network has taken, or has used itself, is not ours to take back.
        if not facts.registered and not any(pallet.confirmed for pallet in facts.pallets):
            barcodes.withdraw(conn, facts.id, ACTOR, SOURCE)
    elif stored:
        barcodes.expect(conn, [(facts.id, label.pallet, label.barcode) for label, _ in stored], ACTOR, SOURCE)
    good = [documents.add(conn, document) for _, document in stored]
    documents.mark_stale(conn, facts.id, KIND, keep=good)
