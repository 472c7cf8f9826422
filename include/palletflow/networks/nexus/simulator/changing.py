"""The calls that change consignments without a file: cancel and post status (sections 2.5 and 2.8)."""

from palletflow.simulation.clock import read_instant

from .lookups import BEFORE_COLLECTION
from .replies import Refused, Reply, answer
from .wire import Request


def cancel(request: Request) -> Reply:
    """Cancel until collected; a repeat finds nothing."""
    one = request.consignment()
    if one.status == "Cancelled":
        raise Refused(404)
    if one.originating != request.depot:
        raise Refused(403)
    if one.collected:
        raise Refused(409, {"status": ["already collected"]}, "Already collected")
    request.simulation.network.scan(one, "Cancelled", request.now, barcodes=[None], source=request.depot)
    return Reply(204)


def post_status(request: Request) -> Reply:
    """Take in a status of the caller's depot; the reply is the stored event."""
    simulation, one, body = request.simulation, request.consignment(), request.json()
    errors: dict[str, list[str]] = {}
    status = simulation.ids.named("consignmentStatuses", body.get("statusID"))
    if status is None or status in BEFORE_COLLECTION:
        errors["statusID"] = ["required" if body.get("statusID") is None else "not a status that a depot can give"]
    try:
        at = read_instant(body["dateTime"])
    except (KeyError, TypeError, ValueError):
        errors["dateTime"] = ["must be an ISO 8601 date and time"]
        at = request.now
    depot = body.get("depotCode")
    if not isinstance(depot, str) or depot.upper() != request.depot:
        errors["depotCode"] = ["must be your own depot"]
    barcode = body.get("barcode")
    if barcode is not None and barcode not in [pallet.barcode for pallet in one.pallets]:
        errors["barcode"] = ["not a pallet of this consignment"]
    texts = {name: body.get(name) for name in ("signatory", "notes")}
    errors |= {name: ["must be a text"] for name, text in texts.items() if not isinstance(text, (str, type(None)))}
    if errors or status is None:
        raise Refused(400, errors)
    if one.status == "Cancelled":
        raise Refused(409, {"status": ["cancelled"]}, "Cancelled")
    [event] = simulation.network.scan(
        one, status, at, barcodes=[barcode], depot=request.depot, source=request.depot, **texts
    )
    return answer(simulation.writer.event(event), 201)
