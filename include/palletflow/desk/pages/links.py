"""Links to a consignment's page for customers: listed, made and revoked."""

import secrets
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Form, Path, Request, Response

from palletflow.desk.context import Context, InContext
from palletflow.desk.pages.render import SAID, back, page
from palletflow.desk.refusals import conflict, unknown
from palletflow.store import consignments, customer_links, documents

DESK, TRACK = "/desk", "/track"
# Chance in each form that makes a link, so that one form makes one.
ONCE_BYTES = 16
OFF = "There are no pages for customers here: the deployment file has no customer_view"

Once = Annotated[str, Form(pattern=r"^[A-Za-z0-9_-]{22}$")]

router = APIRouter(include_in_schema=False)


def _consignment(consignment_id: Annotated[int, Path(alias="id", ge=1, le=2**62)], within: InContext) -> int:
    try:
        consignments.facts(within.conn, consignment_id)
    except consignments.NoSuchConsignment as error:
        raise unknown("consignment", "id", consignment_id) from error
    return consignment_id


InConsignment = Annotated[int, Depends(_consignment)]


@router.get("/consignment/{id}/links")
def listed(request: Request, consignment_id: InConsignment, within: InContext) -> Any:
    """The links that were given out, and whether anybody looks."""
    return _links(request, within, consignment_id)


@router.post("/consignment/{id}/links")
def make(request: Request, consignment_id: InConsignment, within: InContext, once: Once) -> Any:
    """Makes a link. It is on the page that answers and nowhere else, neither in an address nor in the order store.

    A browser that sends its form twice shows only the second answer. So the link is made from the form itself, and the
    same form shows the same link, unless that has been revoked.
    """
    days = within.networks.plan.customer_view_d
    if days is None:
        raise conflict("off", OFF)
    token = request.app.state.form_tokens.secret(within.actor, "customer link", str(consignment_id), once)
    with within.conn.transaction():
        is_open = customer_links.make(within.conn, consignment_id, token, days, within.actor)
    if not is_open:
        return back(request, f"/consignment/{consignment_id}/links", "link-revoked")
    beside = request.scope.get("root_path", "").removesuffix(DESK) + TRACK
    return _links(request, within, consignment_id, str(request.url.replace(path=f"{beside}/{token}", query="")))


@router.post("/consignment/{id}/links/{link}/revoke")
def revoke(
    request: Request, consignment_id: InConsignment, within: InContext, link: Annotated[int, Path(ge=1, le=2**62)]
) -> Response:
    """Ends a link."""
    with within.conn.transaction():
        customer_links.revoke(within.conn, consignment_id, link, within.actor)
    return back(request, f"/consignment/{consignment_id}/links", "link-revoked")


def _links(request: Request, within: Context, consignment_id: int, made: str = "") -> Any:
    links = customer_links.listed(within.conn, consignment_id)
    return page(
        request,
        "links.html",
        consignment_id=consignment_id,
        links=links,
        most=customer_links.MOST_LISTED,
        made=made,
        once=secrets.token_urlsafe(ONCE_BYTES),
        said=SAID["link-made"] if made else SAID.get(request.query_params.get("said", ""), ""),
        days=within.networks.plan.customer_view_d,
        shown=len(documents.shown_to_customers(within.conn, consignment_id)),
    )
