"""Addresses of documents: added, listed, fetched; and labels, of one order or of many as one print job."""

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Path, Query, Request, Response

from palletflow.desk import label_jobs, shown
from palletflow.desk.context import InContext, OrderId
from palletflow.desk.downloads import download
from palletflow.desk.entering import SOURCE
from palletflow.desk.given import Labels
from palletflow.desk.label_jobs import LabelFormat
from palletflow.desk.refusals import Fault, conflict, documented, of_content, unknown
from palletflow.documents import media
from palletflow.documents.storage import MOST_BYTES, open_storage
from palletflow.store import documents, order_reading, photo_uploads
from palletflow.store.documents import Document, StoredDocument
from palletflow.work import follows

# What people and other systems add; labels are made by us or the network.
ADDED = Literal["POD", "SIGNATURE", "PHOTO", "PAPERWORK", "OTHER"]
BYTES: dict[str, Any] = {"schema": {"type": "string", "format": "binary"}}
LABELS: dict[int | str, dict[str, Any]] = {
    200: {"description": "The labels, one page or ^XA..^XZ a pallet.", "content": {media.PDF: BYTES, media.ZPL: BYTES}}
}
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
        pallets = {pallet.number for pallet in label_jobs.facts_of(within, consignment_id).pallets}
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
    return label_jobs.print_labels(within, order_reading.consignments_of_order(within.conn, order_id), label_format)


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
    return label_jobs.print_labels(within, ids, wanted.format)


def _shown(document: StoredDocument) -> shown.Document:
    fields = document._asdict() | {"sha256": document.sha256.hex()}
    return shown.Document(**{name: fields[name] for name in shown.Document.model_fields})
