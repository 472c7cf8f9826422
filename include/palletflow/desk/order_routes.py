"""Addresses of orders: made, changed, read, found, cancelled, copied; and the feed of changes."""

from typing import Annotated, Any

from fastapi import APIRouter, Body, Query, Response

from palletflow.desk import shown
from palletflow.desk.context import Context, InContext, OrderId, OrderName
from palletflow.desk.entering import Entered
from palletflow.desk.given import ManyOrders, NewKey, NewOrder, OrderContent, Reason
from palletflow.desk.refusals import Fault, documented, of_content
from palletflow.store import order_reading
from palletflow.store.order_reading import BEGINNING, CRITERIA, Cursor

MOST_CHANGES = 1000
CURSOR = r"^[0-9]{1,19}-[0-9]{1,18}$"

router = APIRouter(tags=["orders"])


@router.post("/orders", status_code=201, responses={200: {"model": shown.Outcome}, **documented(400, 409, 413)})
def create(order: NewOrder, within: InContext, response: Response) -> shown.Outcome:
    """Makes an order. 201: made; 200: there already with the same content; 409: there with other content, which the
    errors name. Saying it twice is safe."""
    entered = within.clerk.create(order)
    response.status_code = 201 if entered.outcome == "created" else 200
    return _outcome(entered)


@router.post("/bulk/orders", responses=documented(400, 413))
def create_many(many: ManyOrders, within: InContext) -> shown.Outcomes:
    """Makes up to 1,000 orders in one call. Each is judged by itself; what is rejected says why and stops no other."""
    outcomes = within.clerk.create_many(many.orders, many.update)
    counts = dict.fromkeys(("created", "updated", "unchanged", "rejected"), 0)
    for entered in outcomes:
        counts[entered.outcome] += 1
    return shown.Outcomes(**counts, orders=[_outcome(entered) for entered in outcomes])


@router.get("/orders", responses=documented())
def find(
    within: InContext,
    key: Annotated[str | None, Query(max_length=200, description="Key of any source.")] = None,
    reference: Annotated[str | None, Query(max_length=200)] = None,
    tracking_number: Annotated[str | None, Query(max_length=200)] = None,
    consignment_number: Annotated[str | None, Query(max_length=200)] = None,
    barcode: Annotated[str | None, Query(max_length=200, description="Of a pallet; replaced ones count too.")] = None,
    trip: Annotated[str | None, Query(max_length=200)] = None,
) -> shown.FoundOrders:
    """Finds orders by what is in hand; of several criteria all must be met."""
    given = {
        "key": key, "reference": reference, "tracking_number": tracking_number,
        "consignment_number": consignment_number, "barcode": barcode, "trip": trip,
    }  # fmt: skip
    criteria = {name: value.strip() for name, value in given.items() if value and value.strip() and "\0" not in value}
    if not criteria:
        raise of_content([Fault("", "required", f"give at least one of {', '.join(CRITERIA)}")])
    return shown.FoundOrders(orders=[shown.Found(**found) for found in order_reading.find(within.conn, criteria)])


@router.get("/changes", responses=documented())
def changes(
    within: InContext,
    after: Annotated[
        str | None, Query(pattern=CURSOR, description="`next` of the last page; none: from the beginning.")
    ] = None,
    limit: Annotated[int, Query(ge=1, le=MOST_CHANGES)] = 500,
) -> shown.Changes:
    """What changed since a place in the feed, oldest first. Whoever goes on from `next` misses nothing, whatever is
    being written at the same time: an entry appears once no older transaction can still add one before it."""
    place = Cursor(*map(int, after.split("-"))) if after else BEGINNING
    if place.xact >= 2**63:
        raise of_content([Fault("after", "range", "is no cursor of this feed")])
    found = order_reading.changes(within.conn, place, limit + 1)
    page = found[:limit]
    return shown.Changes(
        changes=[
            shown.Change(
                cursor=_cursor(one.cursor),
                order=shown.ChangedOrder(id=one.order_id, source=one.order_source, key=one.order_key),
                **{name: getattr(one, name) for name in shown.Change.model_fields if name not in ("cursor", "order")},
            )
            for one in page
        ],
        next=_cursor(page[-1].cursor if page else place),
        more=len(found) > limit,
    )


@router.get("/orders/{order}", responses=documented(404))
def read(order_id: OrderId, within: InContext) -> shown.Order:
    """One order whole: where its pallets are, how its dispatch stands, and what it waits for."""
    return shown_order(within, order_id)


@router.put("/orders/{order}", responses={201: {"model": shown.Outcome}, **documented(400, 404, 409, 413)})
def put(order: OrderName, content: OrderContent, within: InContext, response: Response) -> shown.Outcome:
    """Makes the order what is given, whether it is there (200) or not (201). An answer of GET may be sent back.

    A consignment that is left out is removed, if it has no dispatch task. Once the network has a consignment, its
    number cannot be changed (409), and other changes flag the order: change it in the portal."""
    if order.startswith("~"):
        entered = within.clerk.replace(within.order_id(order), content)
    else:
        entered = within.clerk.put(order, content)
    response.status_code = 201 if entered.outcome == "created" else 200
    return _outcome(entered)


@router.patch(
    "/orders/{order}",
    responses=documented(400, 404, 409, 413),
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {"application/json": {"schema": {"$ref": "#/components/schemas/OrderChange"}}},
        }
    },
)
def patch(order_id: OrderId, change: Annotated[dict[str, Any], Body()], within: InContext) -> shown.Outcome:
    """Changes the fields that are given and no other, down to the parts of an address; null empties one. Consignments
    are matched by id, or else by their place. What holds for PUT holds here."""
    return _outcome(within.clerk.patch(order_id, change))


@router.post("/orders/{order}/cancel", responses=documented(400, 404, 409, 413))
def cancel(order_id: OrderId, reason: Reason, within: InContext) -> shown.Outcome:
    """Cancels an order. If the network has it or may have it, the order is flagged as well: change it in the portal."""
    return _outcome(within.clerk.cancel(order_id, reason.reason))


@router.post("/orders/{order}/restore", responses=documented(404, 409))
def restore(order_id: OrderId, within: InContext) -> shown.Outcome:
    """Takes a cancellation back."""
    return _outcome(within.clerk.restore(order_id))


@router.post("/orders/{order}/reviewed", responses=documented(404))
def reviewed(order_id: OrderId, within: InContext) -> shown.Outcome:
    """Takes the flag off (review_reason) after a person has seen to it."""
    return _outcome(within.clerk.end_review(order_id))


@router.post(
    "/orders/{order}/copy", status_code=201, responses={200: {"model": shown.Outcome}, **documented(400, 404, 409, 413)}
)
def copy(order_id: OrderId, new: NewKey, within: InContext, response: Response) -> shown.Outcome:
    """Copies an order with every field, an imported tracking number included; then both orders carry a warning, as the
    network accepts the number once. 200: this copy was there already."""
    entered = within.clerk.copy(order_id, new.key)
    response.status_code = 201 if entered.outcome == "created" else 200
    return _outcome(entered)


def shown_order(within: Context, order_id: int) -> shown.Order:
    """The whole order for an answer."""
    whole = order_reading.whole(within.conn, order_id, within.networks.connections)
    assert whole is not None, "the order has been identified"
    for consignment in whole["consignments"]:
        consignment["tracking_page"] = within.networks.tracking_page(consignment)
    return shown.Order(**whole)


def _outcome(entered: Entered) -> shown.Outcome:
    return shown.Outcome(
        key=entered.key,
        id=entered.id,
        outcome=entered.outcome,
        warnings=entered.warnings,
        errors=[shown.Fault(**fault._asdict()) for fault in entered.faults],
    )


def _cursor(cursor: Cursor) -> str:
    return f"{cursor.xact}-{cursor.id}"
