"""Labels as one print job: found, drawn where they are not there yet, joined."""

import logging
import threading
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, Literal
from uuid import UUID

from fastapi import Response

from palletflow.desk.context import Context
from palletflow.desk.downloads import download
from palletflow.desk.refusals import Fault, Refused, of_content, unknown
from palletflow.discovery import network_part
from palletflow.documents import label_zpl, media, printing
from palletflow.documents.child_process import ReaderBroken
from palletflow.documents.storage import Storage, open_storage
from palletflow.store import consignments, documents
from palletflow.work.handling import WorkItem

LabelFormat = Literal["pdf", "zpl"]
# Labels drawn while somebody waits for them are no item of the queue.
BY_HAND = WorkItem(0, "", "own_labels", "", 1, 0, UUID(int=0), datetime.min.replace(tzinfo=UTC))
# Of one print job: what some tens of orders have, drawn within half a minute.
MOST_LABELS = 2000
# Jobs that one process joins at once, as each may need a core and half a gigabyte; so long the others wait.
MOST_JOINED = 2
WAIT_S = 20.0
JOINING = threading.BoundedSemaphore(MOST_JOINED)

log = logging.getLogger(__name__)


def print_labels(
    within: Context, consignment_ids: Sequence[int], label_format: LabelFormat, *, may_draw: bool = True
) -> Response:
    """The labels of consignments, one a pallet, as a download. Those that are not there yet are drawn and kept.

    Raises Refused for a consignment that is not there or cancelled, without a tracking number, whose network has to
    draw its labels and has not, or whose labels have to be drawn by somebody who may; and for labels that cannot be
    joined.
    """
    found = [facts_of(within, number) for number in consignment_ids]
    cancelled = [facts for facts in found if facts.cancelled]
    if cancelled:
        faults = [Fault(f"consignment {facts.id}", "cancelled", "its order is cancelled") for facts in cancelled]
        raise Refused(409, "There are no labels of cancelled orders", faults)
    numberless = [facts for facts in found if not facts.tracking_number]
    if numberless:
        raise Refused(
            409,
            "There are no labels without a tracking number",
            [
                Fault(
                    f"consignment {facts.id}",
                    "PF-6-9",
                    "its number comes with dispatch; one that is known before is the order's tracking_number",
                )
                for facts in numberless
            ],
        )
    count = sum(len(facts.pallets) for facts in found)
    if count > MOST_LABELS:
        raise of_content([Fault("", "too_many", f"these are {count:,} labels, one job has at most {MOST_LABELS:,}")])
    if label_format == "zpl":
        _must_be_drawn_here(
            within, found, "its network draws the labels, and not as ZPL that we could join: ask for PDF"
        )
        drawn = [label_zpl.draw(label) for facts in found for label in _labels(within, facts)]
        return download(b"".join(drawn), media.ZPL, "labels.zpl")
    storage = open_storage()
    current = documents.current_labels(within.conn, consignment_ids)
    lacking = [facts for facts in found if not any(label.consignment_id == facts.id for label in current)]
    _must_be_drawn_here(
        within, lacking, "its network's label has not been fetched yet; it follows the dispatch by itself"
    )
    for facts in found:
        held = {label.pallet_number for label in current if label.consignment_id == facts.id}
        # One document may hold the labels of all pallets.
        if None not in held and not held >= {pallet.number for pallet in facts.pallets}:
            if not may_draw:
                raise Refused(
                    403, "Its labels are not drawn yet; this login may only look, so somebody else prints them"
                )
            _draw(within, facts, storage)
    current = documents.current_labels(within.conn, consignment_ids)
    return download(_joined(storage, current), media.PDF, "labels.pdf")


def _joined(storage: Storage, labels: Sequence[documents.StoredDocument]) -> bytes:
    """Labels as one PDF; one that cannot be printed is named in its place. Raises Refused: 409 when nothing came of the
    job, 503 when it may do so in a while."""
    if not JOINING.acquire(timeout=WAIT_S):
        raise Refused(503, "Other labels are being printed just now; try again in a minute")
    try:
        return printing.print_batch(storage, labels).pdf
    except printing.NotPrinted as error:
        raise Refused(409, str(error), [Fault("", "not_printed", sentence) for sentence in error.broken]) from error
    except (ReaderBroken, OSError) as error:
        log.exception("Labels cannot be joined")
        raise Refused(503, "Labels cannot be printed just now; the web server's log says why") from error
    finally:
        JOINING.release()


def _must_be_drawn_here(within: Context, found: Sequence[consignments.ConsignmentFacts], why_not: str) -> None:
    foreign = [facts for facts in found if not within.networks.entry(facts.network).DRAWS_LABELS]
    if foreign:
        faults = [Fault(f"consignment {facts.id}", "no_label", why_not) for facts in foreign]
        raise Refused(409, "There is no label of it", faults)


def facts_of(within: Context, consignment_id: int) -> consignments.ConsignmentFacts:
    """A consignment. Raises Refused 404."""
    try:
        return consignments.facts(within.conn, consignment_id)
    except consignments.NoSuchConsignment as error:
        raise unknown("consignment", "id", consignment_id) from error


def _labels(within: Context, facts: consignments.ConsignmentFacts) -> Sequence[Any]:
    own = network_part(facts.network, "labels")
    template = within.networks.mappers[facts.network].template
    depot = own.delivery_depot(facts, template.sections["labels"], lambda: "")
    return list(own.of_consignment(facts, template, depot))


def _draw(within: Context, facts: consignments.ConsignmentFacts, storage: Storage) -> None:
    """Draws and keeps the labels at once, as the work queue would; the network is not asked for a depot here."""
    template = within.networks.mappers[facts.network].template
    handle = network_part(facts.network, "own_labels").handler(template, storage, lambda _: "")
    result = handle(within.conn, BY_HAND._replace(network=facts.network, key=str(facts.id)))
    with within.conn.transaction():
        result.record(within.conn)
