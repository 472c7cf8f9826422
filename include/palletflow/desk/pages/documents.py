"""Documents for the pages: thumbnails, previews with the facts, and the bytes as a download."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Form, Path, Query, Request, Response

from palletflow.desk import images
from palletflow.desk.context import InContext
from palletflow.desk.downloads import download
from palletflow.desk.pages.render import back, page
from palletflow.desk.pages.telling import DOCUMENTS
from palletflow.desk.preview_cache import PREVIEW, THUMBNAIL
from palletflow.desk.refusals import unknown
from palletflow.documents.storage import open_storage
from palletflow.store import documents
from palletflow.store.documents import StoredDocument

SOURCE = "order desk"
# Of one document's pages; who wants more takes the file.
MOST_PAGES = 5
# A preview of a document's second page is asked for by its number.
PageNumber = Annotated[int, Query(alias="page", ge=1, le=MOST_PAGES)]

router = APIRouter(include_in_schema=False)


def _document(document_id: Annotated[int, Path(alias="id", ge=1, le=2**62)], within: InContext) -> StoredDocument:
    found = documents.by_id(within.conn, document_id)
    if found is None:
        raise unknown("document", "id", document_id)
    return found


InDocument = Annotated[StoredDocument, Depends(_document)]


@router.get("/documents/{id}")
def fetch(document: InDocument) -> Response:
    """The bytes of a document."""
    return download(open_storage().read(document.sha256), document.media_type, document.name)


@router.get("/documents/{id}/thumbnail")
def thumbnail(request: Request, document: InDocument) -> Response:
    """The first page, small."""
    return images.answer(request, document, THUMBNAIL, 1, {})


@router.get("/documents/{id}/preview.png")
def preview_png(request: Request, document: InDocument, number: PageNumber = 1) -> Response:
    """A page, large enough to be read."""
    return images.answer(request, document, PREVIEW, number, {})


@router.get("/documents/{id}/preview")
def preview(request: Request, document: InDocument, within: InContext) -> Any:
    """The first pages and what is known of the document."""
    count, why_not = images.pages(document, THUMBNAIL)
    return page(
        request,
        "document.html",
        document=document,
        kind=DOCUMENTS[document.kind],
        type=images.TYPES.get(document.media_type, document.media_type),
        consignments=documents.concerned(within.conn, document.order_id, document.consignment_id),
        pages=range(1, min(count, MOST_PAGES) + 1),
        count=count,
        why_not=why_not,
        view_d=within.networks.plan.customer_view_d,
    )


@router.post("/documents/{id}/visible")
def show_customers(
    request: Request, document: InDocument, within: InContext, visible: Annotated[bool, Form()]
) -> Response:
    """Says whether customers may see the document."""
    with within.conn.transaction():
        documents.show_customers(within.conn, document.id, visible, within.actor, SOURCE)
    said = "shown-to-customers" if visible else "hidden-from-customers"
    return back(request, f"/documents/{document.id}/preview", said)
