"""Addresses of documents: added, listed, fetched; and labels, of one order or of many as one print job."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Depends, Path, Query, Request, Response

from palletflow.desk import shown
from palletflow.desk.context import Context, InContext, OrderId
from palletflow.desk.downloads import download
from palletflow.desk.entering import SOURCE
from palletflow.desk.given import Labels
from palletflow.desk.refusals import Fault, Refused, conflict, documented, of_content, unknown
from palletflow.discovery import network_part
from palletflow.documents import label_zpl, media, printing
from palletflow.documents.storage import MOST_BYTES, Storage, open_storage
from palletflow.store import consignments, documents, order_reading, photo_uploads
from palletflow.store.documents import Document, StoredDocument
from palletflow.work import follows
from palletflow.work.handling import WorkItem

# What people and other systems add; labels are made by us or the network.
ADDED = Literal["POD", "SIGNATURE", "PHOTO", "PAPERWORK", "OTHER"]
LabelFormat = Literal["pdf", "zpl"]
BYTES: dict[str, Any] = {"schema": {"type": "string", "format": "binary"}}
LABELS: dict[int | str, dict[str, Any]] = {
    200: {"description": "The labels, one page or ^XA..^XZ a pallet.", "content": {media.PDF: BYTES, media.ZPL: BYTES}}
}
# Labels drawn while somebody waits for them are no item of the queue.
BY_HAND = WorkItem(0, "", "own_labels", "", 1, 0, UUID(int=0), datetime.min.replace(tzinfo=UTC))

# Of one print job: what some tens of orders have, drawn within half a minute.
MOST_LABELS = 2000

router = APIRouter(tags=["documents"])


async def _body(request: Request) -> bytes:
    return await request.body()


@router.post(
    "/orders/{order}/documents",
    status_code=201,
    responses=documented(404, 413),
    openapi_extra={"requestBody": {"required": True, "content": {"application/octet-stream": BYTES}}},
)
def add(
    order_id: OrderId,
    within: InContext,
    data: Annotated[bytes, Depends(_body)],
    kind: ADDED,
    name: Annotated[
        str, Query(min_length=1, max_length=200, description="A file name; made safe and given the right ending.")
    ],
    consignment_id: Annotated[
        int | None, Query(ge=1, le=2**62, description="Whose it is; empty: the whole order's, or its only one's.")
    ] = None,
    pallet_number: Annotated[int | None, Query(ge=1, le=99)] = None,
) -> shown.Document:
    """Adds a document: its bytes are the body. PDF, JPEG, PNG, TIFF, GIF and ZPL are taken; what it is, is seen from
    the bytes and not from its name. The same document again is the same document."""
    media_type = media.sniff(data)
    faults = []
    of_order = order_reading.consignments_of_order(within.conn, order_id)
    if consignment_id is None and len(of_order) == 1:
        [consignment_id] = of_order
    if not 1 <= len(data) <= MOST_BYTES:
        faults.append(Fault("body", "size", f"a document has 1 to {MOST_BYTES:,} bytes, not {len(data):,}"))
    elif media_type is None:
        faults.append(Fault("body", "media_type", "is none of PDF, JPEG, PNG, TIFF, GIF, ZPL"))
    if consignment_id and consignment_id not in of_order:
        faults.append(Fault("consignment_id", "unknown", f"the order has no consignment {consignment_id}"))
    if pallet_number and not consignment_id:
        faults.append(Fault("pallet_number", "together", "say of which consignment"))
    elif pallet_number and consignment_id and not faults:
        pallets = {pallet.number for pallet in _facts(within, consignment_id).pallets}
        if pallet_number not in pallets:
            faults.append(Fault("pallet_number", "unknown", f"the consignment has {len(pallets)} pallets"))
    if faults or media_type is None:
        raise of_content(faults)
    stored = open_storage().put(data)
    document = Document(
        order_id=order_id,
        consignment_id=consignment_id,
        pallet_number=pallet_number,
        kind=kind,
        name=media.safe_name(name, media_type),
        media_type=media_type,
        size=stored.size,
        sha256=stored.sha256,
        source=SOURCE,
        actor=within.actor,
    )
    with within.conn.transaction():
        added = documents.by_id(within.conn, documents.add(within.conn, document))
        within.follow(follows.ADDED, [consignment_id] if consignment_id else of_order)
    assert added is not None, "it has just been added"
    return _shown(added)


@router.get("/orders/{order}/documents", responses=documented(404))
def listed(order_id: OrderId, within: InContext) -> shown.Documents:
    """The documents of an order and its consignments, labels included, oldest first."""
    uploads = [upload._asdict() for upload in photo_uploads.of_order(within.conn, order_id)]
    return shown.Documents(
        documents=[_shown(one) for one in documents.of_order(within.conn, order_id)],
        uploads=[shown.Upload(**{name: upload[name] for name in shown.Upload.model_fields}) for upload in uploads],
    )


@router.get(
    "/documents/{id}",
    response_class=Response,
    responses={200: {"description": "The bytes.", "content": dict.fromkeys(media.ENDINGS, BYTES)}, **documented(404)},
)
def fetch(document_id: Annotated[int, Path(alias="id", ge=1, le=2**62)], within: InContext) -> Response:
    """The bytes of a document, as a download."""
    found = documents.by_id(within.conn, document_id)
    if found is None:
        raise unknown("document", "id", document_id)
    return download(open_storage().read(found.sha256), found.media_type, found.name)


@router.put("/documents/{id}/consignment", status_code=204, responses=documented(404, 409))
def choose(
    document_id: Annotated[int, Path(alias="id", ge=1, le=2**62)],
    within: InContext,
    consignment_id: Annotated[int, Query(ge=1, le=2**62, description="One of the order's.")],
) -> None:
    """Says of which consignment a photo of a whole order is, so that it can be uploaded. It can be said until the photo
    is on its way."""
    if documents.by_id(within.conn, document_id) is None:
        raise unknown("document", "id", document_id)
    with within.conn.transaction():
        if not photo_uploads.choose(within.conn, document_id, consignment_id):
            detail = "It is no photo of a whole order with this consignment, or it is on its way already"
            raise conflict("not_to_choose", detail, "consignment_id")
        within.follow(follows.ADDED, [consignment_id])


@router.get("/orders/{order}/labels", response_class=Response, responses={**LABELS, **documented(404, 409)})
def labels(
    order_id: OrderId,
    within: InContext,
    label_format: Annotated[LabelFormat, Query(alias="format")] = "pdf",
) -> Response:
    """The labels of an order, one a pallet. They are drawn if they are not there yet; 409 without a tracking number."""
    return _print(within, order_reading.consignments_of_order(within.conn, order_id), label_format)


@router.post("/labels", response_class=Response, responses={**LABELS, **documented(400, 404, 409, 413)})
def many_labels(wanted: Labels, within: InContext) -> Response:
    """The labels of many orders and consignments as one print job, in the order given: first orders, then
    consignments."""
    ids = [
        number
        for order in wanted.orders
        for number in order_reading.consignments_of_order(within.conn, within.order_id(order))
    ]
    ids = list(dict.fromkeys([*ids, *wanted.consignments]))
    if not ids:
        raise of_content([Fault("", "required", "name at least one order or consignment")])
    return _print(within, ids, wanted.format)


def _print(within: Context, consignment_ids: Sequence[int], label_format: LabelFormat) -> Response:
    found = [_facts(within, number) for number in consignment_ids]
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
            _draw(within, facts, storage)
    current = documents.current_labels(within.conn, consignment_ids)
    return download(printing.print_batch(storage, current).pdf, media.PDF, "labels.pdf")


def _must_be_drawn_here(within: Context, found: Sequence[consignments.ConsignmentFacts], why_not: str) -> None:
    foreign = [facts for facts in found if not within.networks.entry(facts.network).DRAWS_LABELS]
    if foreign:
        faults = [Fault(f"consignment {facts.id}", "no_label", why_not) for facts in foreign]
        raise Refused(409, "There is no label of it", faults)


def _facts(within: Context, consignment_id: int) -> consignments.ConsignmentFacts:
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


def _shown(document: StoredDocument) -> shown.Document:
    fields = document._asdict() | {"sha256": document.sha256.hex()}
    return shown.Document(**{name: fields[name] for name in shown.Document.model_fields})
