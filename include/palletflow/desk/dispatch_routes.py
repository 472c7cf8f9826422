"""Addresses of the dispatch task: a trip with a network's resource, completing, looking up, sending again."""

from collections.abc import Iterator
from contextlib import contextmanager

from fastapi import APIRouter

from palletflow.desk import shown
from palletflow.desk.context import Context, InContext, OrderId
from palletflow.desk.given import Trip
from palletflow.desk.order_routes import shown_order
from palletflow.desk.refusals import Fault, conflict, documented, of_content
from palletflow.store import dispatch, order_reading
from palletflow.store.dispatch import DispatchRefused

router = APIRouter(tags=["dispatch"], prefix="/orders/{order}")


@router.put("/trip", responses=documented(400, 404, 409, 413))
def assign(order_id: OrderId, trip: Trip, within: InContext) -> shown.Order:
    """Puts the order on a trip with a network's resource. That makes its dispatch task, which completes itself when
    `auto_complete` or the deployment file says so. The same again changes nothing."""
    resources = within.networks.plan.resources
    resource = resources.get(trip.resource)
    if resource is None:
        known = ", ".join(resources) or "none"
        raise of_content(
            [Fault("resource", "unknown", f"the deployment file has no '{trip.resource}' (it has: {known})")]
        )
    auto_complete = trip.auto_complete
    with _task(within):
        if auto_complete is None:
            held = order_reading.whole(within.conn, order_id)
            auto_complete = held is not None and all(
                resource.completes_itself(held["customer"], one["service"]) for one in held["consignments"]
            )
        dispatch.assign(
            within.conn,
            order_id,
            trip=trip.trip,
            resource=resource.code,
            network=resource.network,
            depot=resource.depot,
            auto_complete=auto_complete,
            actor=within.actor,
            adopts=within.networks.entry(resource.network).ADOPTS,
        )
    return shown_order(within, order_id)


@router.post("/dispatch/complete", responses=documented(404, 409))
def complete(order_id: OrderId, within: InContext) -> shown.Order:
    """Completes the dispatch task: the order's consignment is sent within seconds. The same again changes nothing."""
    with _task(within):
        dispatch.complete(within.conn, order_id, within.actor)
    return shown_order(within, order_id)


@router.post("/dispatch/look-up", responses=documented(404, 409))
def look_up(order_id: OrderId, within: InContext) -> shown.Order:
    """Asks the network now whether it has a consignment whose outcome is unknown."""
    with _task(within):
        dispatch.look_up_now(within.conn, order_id, within.actor)
    return shown_order(within, order_id)


@router.post("/dispatch/send-again", responses=documented(404, 409))
def send_again(order_id: OrderId, within: InContext) -> shown.Order:
    """Sends once more what is unknown or was refused. It is looked up first, so nothing is created twice."""
    with _task(within):
        dispatch.send_again(within.conn, order_id, within.actor)
    return shown_order(within, order_id)


@contextmanager
def _task(within: Context) -> Iterator[None]:
    """One transaction; what the task's state does not allow is a conflict."""
    try:
        with within.conn.transaction():
            yield
    except DispatchRefused as refused:
        raise conflict(refused.rule, refused.reason, "dispatch_state") from refused
