"""Optimize beside the network: takes in ETAs of a depot's deliveries (section 10)."""

import re
from typing import Any

from palletflow.simulation.clock import read_instant

from .members import OPTIMIZE_KEY
from .replies import Refused, Reply, answer
from .times import day_of, time_of
from .wire import Request


def optimize(request: Request) -> Reply:
    """``POST /optimize/etas``: every ETA is accepted or rejected by itself; the last ``calculatedAt`` wins."""
    simulation, options = request.simulation, request.simulation.options
    if request.path != f"optimize/{options['optimize_path']}".lower() or options["optimize"] == "off":
        raise Refused(404)
    if request.method != "POST":
        raise Refused(405)
    if request.headers.get(options["optimize_key_header"]) != OPTIMIZE_KEY:
        raise Refused(401)
    body = request.json()
    etas = body.get("etas")
    errors = {
        name: ["required"]
        for name in ("depotCode", "tripReference", "calculatedAt")
        if not isinstance(body.get(name), str) or not body[name]
    }
    if not isinstance(etas, list) or not etas or not all(isinstance(eta, dict) for eta in etas):
        errors["etas"] = ["at least one ETA"]
    try:
        calculated = read_instant(str(body.get("calculatedAt")))
    except ValueError:
        errors.setdefault("calculatedAt", ["must be an ISO 8601 date and time"])
    if errors or not isinstance(etas, list):
        raise Refused(400, errors)
    rejected, accepted = [], []
    for eta in etas:
        reason = _taken(request, body["depotCode"], eta, calculated)
        if reason:
            rejected.append({"consignmentNumber": eta.get("consignmentNumber"), "reason": reason})
        else:
            accepted.append(eta)
    taken = {**{name: body[name] for name in ("depotCode", "tripReference", "calculatedAt")}, "etas": accepted}
    simulation.etas.append({**taken, "rejected": rejected, "time": request.now.isoformat()})
    return answer({"accepted": len(accepted), "rejected": rejected})


def _taken(request: Request, depot: str, eta: dict[str, Any], calculated: Any) -> str:
    """Take in one ETA; the reason when it is rejected."""
    number, fault = eta.get("consignmentNumber"), request.fault
    if fault is not None and fault.effect == "reject_etas":
        wanted = fault.options["numbers"]
        if wanted is None or number in wanted:
            return str(fault.options["reason"])
    one = request.simulation.network.by_number.get(str(number))
    if one is None or one.delivery != depot or eta.get("consignmentID", one.consignment_id) != one.consignment_id:
        return "Not a consignment for this depot to deliver"
    if _plain(eta.get("postcode")) != _plain(one.receiver.postcode):
        return "Another postcode"
    try:
        start, end = read_instant(eta["etaStart"]), read_instant(eta["etaEnd"])
    except (KeyError, TypeError, ValueError):
        return "etaStart and etaEnd must be ISO 8601 dates and times"
    if one.status in ("Delivered", "Cancelled"):
        return f"Already {one.status.lower()}"
    if one.calculated_at is None or calculated >= one.calculated_at:
        one.calculated_at = calculated
        one.estimated_day, one.estimated_time = day_of(start), time_of(start)
        one.start_window, one.end_window = time_of(start), time_of(end)
        request.simulation.network.changed(one)
    return ""


def _plain(postcode: Any) -> str:
    return re.sub(r"\s", "", str(postcode or "")).upper()
