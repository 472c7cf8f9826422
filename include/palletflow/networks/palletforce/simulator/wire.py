"""The network's side of the wire: what every operation has in common, and the two operations that read.

Rules are those of sections 1.1, 1.2 and 2.3 to 2.5 of the wire contract; refusal texts follow section 2.1.
"""

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Any

from . import progress
from .answers import Answer, gateway
from .faults import Fault, after, before
from .masking import MASK, masked
from .members import DEPOT_OF_KEY
from .simulation import Simulation
from .state import Consignment, Status, to_json
from .times import wire_time
from .traffic import Change

LONGEST_WINDOW = timedelta(days=7)
DEFAULT_PAGE_SIZE = 100


class Refused(Exception):
    """The network refuses the whole request, for these reasons."""

    def __init__(self, *reasons: str) -> None:
        super().__init__(*reasons)
        self.reasons = list(reasons)


@dataclass
class Request:
    """A request whose access key is good: scalars are texts, ``depot`` is the key's depot."""

    simulation: Simulation
    body: dict[str, Any]
    depot: str
    fault: Fault | None
    created: list[str] = field(default_factory=list)  # tracking numbers this request registered

    def text(self, name: str) -> str:
        """A top-level scalar, trimmed; absent = ``""``."""
        return scalar(self.body, name)

    def struck_by(self, fault: str) -> bool:
        return self.fault is not None and self.fault.name == fault

    def answer(self, facts: dict[str, Any], *, success: bool = True, reasons: Iterable[str] = ()) -> Answer:
        """An answer in the network's present manner of writing ``success``."""
        switches = self.simulation.switches
        return Answer(
            200 if success else int(switches["failure_http"]),
            to_json({"success": success_value(self.simulation, success), **facts}),
            "OK" if success else "REFUSED",
            list(reasons),
        )


Operation = Callable[[Request], Answer]


def serve(
    simulation: Simulation, operations: Mapping[str, Operation], *, path: str, raw: bytes, client_id: str | None
) -> Answer:
    """Answer one wire request. ``path`` ends in the operation's name; ``client_id`` is the gateway header's value."""
    network, switches = simulation.network, simulation.switches
    network.catch_up()
    operation = path.rpartition("/")[2]
    try:
        body = json.loads(raw)
    except (ValueError, RecursionError):
        body = None
    shown = body if body is not None else f"{len(raw)} bytes that are not JSON"
    entry = simulation.journal.open(
        time=simulation.clock.now().isoformat(),
        operation=operation,
        path=f"/{path}",
        body=masked(shown),
        outcome="NO_ANSWER",
        reasons=[],
    )
    fault = simulation.faults.take(operation, body) if isinstance(body, dict) else None
    answer = None
    if operation not in operations:
        answer = gateway(404, "NOT_FOUND", "Not Found", "No resources match requested URI.")
    elif fault is not None:
        entry["fault"] = fault.name
        answer = before(fault)
    if answer is None and switches["header_auth"] == "required" and client_id not in DEPOT_OF_KEY:
        answer = _unauthorised()
    if answer is None:
        answer = _operate(simulation, operations[operation], body, fault)
        if fault is not None:
            answer = after(fault, answer)
    entry["status"] = answer.status or None
    entry["outcome"] = answer.outcome
    entry["reasons"] = [_without_keys(reason) for reason in answer.reasons]
    return answer


def _operate(simulation: Simulation, operation: Operation, body: Any, fault: Fault | None) -> Answer:
    if not isinstance(body, dict):
        return refusal(simulation, ["Request body must be a JSON object"])
    key = body.get("accessKey")
    depot = DEPOT_OF_KEY.get(key) if isinstance(key, str) else None
    if depot is None:
        if simulation.switches["bad_key"] == "401":
            return _unauthorised()
        return refusal(
            simulation,
            ["Access key is not recognised"],
            status=int(simulation.switches["bad_key"]),
            outcome="UNAUTHORISED",
        )
    if simulation.switches.is_on("strict_strings"):
        wrong = list(_not_strings(body, "request"))
        if wrong:
            return refusal(simulation, [f"{name}: must be a string" for name in wrong], body=body)
    request = Request(simulation, _as_texts(body), depot, fault)
    rerouting = fault if request.struck_by("barcode_changed") else None
    try:
        if rerouting and request.text("trackingNumber"):
            _change_barcodes(simulation, rerouting, [request.text("trackingNumber")])
        answer = operation(request)
        if rerouting and request.created:
            _change_barcodes(simulation, rerouting, request.created)
    except Refused as refused:
        return refusal(simulation, refused.reasons)
    return answer


def _unauthorised() -> Answer:
    return gateway(401, "UNAUTHORISED", "Unauthorized", "Invalid client id or secret.")


def refusal(
    simulation: Simulation,
    reasons: list[str],
    *,
    status: int | None = None,
    outcome: str = "REFUSED",
    body: Mapping[str, Any] = MappingProxyType({}),
) -> Answer:
    """The answer to a request that is refused as a whole: ``success`` false and the failure texts.

    When ``body`` holds consignments, each of them is named with the texts (section 2.1).
    """
    listed = body.get("consignments")
    consignments = [one for one in listed if isinstance(one, dict)] if isinstance(listed, list) else []
    facts = (
        {
            "successfulTrackingCodes": [],
            "failedConsignments": [failed_consignment(simulation, one, reasons) for one in consignments],
        }
        if consignments
        else failure_texts(simulation, reasons)
    )
    answer = {"success": success_value(simulation, False), **facts}
    return Answer(status or int(simulation.switches["failure_http"]), to_json(answer), outcome, reasons)


def failed_consignment(simulation: Simulation, consignment: Mapping[str, Any], reasons: list[str]) -> dict[str, Any]:
    """An element of ``failedConsignments[]``."""
    named = {name: scalar(consignment, name) for name in ("consignmentNumber", "trackingNumber")}
    return {**named, **failure_texts(simulation, reasons)}


def success_value(simulation: Simulation, success: bool) -> bool | str:
    """``success`` as boolean or text, by switch."""
    return success if simulation.switches["success_type"] == "boolean" else str(success).lower()


def failure_texts(simulation: Simulation, reasons: list[str]) -> dict[str, Any]:
    """The failure texts under their key: with its trailing space or without, as list or as one text, by switch."""
    name = "failureReasons " if simulation.switches["failure_key"] == "trailing space" else "failureReasons"
    return {name: reasons if simulation.switches["failure_reasons_type"] == "list" else "; ".join(reasons)}


def scalar(record: Mapping[str, Any], name: str) -> str:
    """A text of a request, trimmed; absent, or not a text at all = ``""``."""
    value = record.get(name, "")
    return value.strip() if isinstance(value, str) else ""


def records(record: Mapping[str, Any], name: str) -> list[dict[str, Any]]:
    """A list of objects of a request; absent = empty. Raises Refused for anything else."""
    value = record.get(name) or []
    if not isinstance(value, list) or not all(isinstance(element, dict) for element in value):
        raise Refused(f"{name}: must be a list of objects")
    return value


def _not_strings(value: Any, name: str) -> Iterable[str]:
    if isinstance(value, dict):
        for inner_name, inner in value.items():
            yield from _not_strings(inner, inner_name)
    elif isinstance(value, list):
        for inner in value:
            yield from _not_strings(inner, name)
    elif not isinstance(value, str):
        yield name


def _as_texts(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _as_texts(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [_as_texts(inner) for inner in value]
    if isinstance(value, bool):
        return str(value).lower()
    return "" if value is None else str(value)


def _without_keys(text: str) -> str:
    for key in DEPOT_OF_KEY:
        text = text.replace(key, MASK)
    return text


# Section 2.4 and 2.5


def download_manifest(request: Request) -> Answer:
    """Consignments of the key's depot by window of ``lastUpdated``, or one by number. Never a barcode."""
    filters = [name for name in ("trackingNumber", "uniqueTransactionNumber") if request.text(name)]
    by_window = any(request.text(name) for name in ("depot", "fromDateTime", "toDateTime"))
    if len(filters) + by_window != 1:
        raise Refused("trackingNumber: exactly one of trackingNumber, uniqueTransactionNumber or depot must be sent")
    network = request.simulation.network
    if filters:
        found = _found(request, filters[0])
        return _manifest_page(request, len(found), lambda part: [one.served() for one in found[part]])
    positions = network.window(request.depot, *_window(request))
    return _manifest_page(request, len(positions), lambda part: network.elements(request.depot, positions[part]))


def _found(request: Request, by: str) -> list[Consignment]:
    network, wanted = request.simulation.network, request.text(by)
    numbers = [wanted] if by == "trackingNumber" else list(network.by_transaction.get(wanted, ()))
    found = [network.visible(request.depot, number) for number in numbers]
    # A number taken over by a later upload belongs to that upload's transaction alone.
    return [one for one in found if one is not None and (by == "trackingNumber" or one.document[by] == wanted)]


def _manifest_page(request: Request, total: int, texts: Callable[[slice], list[bytes]]) -> Answer:
    """One page of ``total`` consignments; only those on the page are turned into text."""
    size_max = request.simulation.switches["page_size_max"]
    number = _whole(request, "pageNumber", 1, 999_999_999)
    size = _whole(request, "pageSize", min(DEFAULT_PAGE_SIZE, size_max), size_max)
    page = texts(slice((number - 1) * size, number * size))
    announced = total + request.struck_by("page_shift")
    head = {
        "success": success_value(request.simulation, True),
        "pageNumber": str(number),
        "totalPages": str(-(-announced // size)),
        "totalRecords": str(announced),
    }
    return Answer(200, to_json(head)[:-1] + b',"manifests":[' + b",".join(page) + b"]}")


def _whole(request: Request, name: str, default: int, most: int) -> int:
    text = request.text(name)
    if not text:
        return default
    if not (text.isascii() and text.isdigit() and len(text) < 10 and 1 <= int(text) <= most):
        raise Refused(f"{name}: must be a whole number from 1 to {most}")
    return int(text)


def _window(request: Request) -> tuple[str, str]:
    """Depot and window of section 2.4, as texts that sort like ``lastUpdated``. Raises Refused with every reason."""
    reasons = []
    depot = request.text("depot")
    if depot != request.depot:
        reasons.append(f"Depot {depot} is not recognised")
    bounds: list[datetime] = []
    for name in ("fromDateTime", "toDateTime"):
        try:
            # Only the form counts here: windows are compared as local time, which has no offset on the wire.
            bounds.append(datetime.strptime(request.text(name), "%Y-%m-%dT%H:%M:%S"))  # noqa: DTZ007
        except ValueError:
            reasons.append(f"{name}: must be YYYY-MM-DDTHH:MM:SS")
    if len(bounds) == 2:
        if bounds[0] >= bounds[1]:
            reasons.append("toDateTime: must be after fromDateTime")
        elif bounds[1] - bounds[0] > LONGEST_WINDOW:
            reasons.append("toDateTime: must not be more than 7 days after fromDateTime")
    if reasons:
        raise Refused(*reasons)
    return bounds[0].isoformat(timespec="seconds"), bounds[1].isoformat(timespec="seconds")


# Section 2.3


def download_tracking(request: Request) -> Answer:
    """Statuses of one consignment, or of all of the key's depot in a window; oldest first."""
    number = request.text("trackingNumber")
    by_window = any(request.text(name) for name in ("depot", "fromDateTime", "toDateTime"))
    if bool(number) == by_window:
        raise Refused("trackingNumber: exactly one of trackingNumber or depot must be sent")
    network = request.simulation.network
    if number:
        found = network.visible(request.depot, number)
        elements = [status.element for status in reported(request.simulation, found)] if found else []
    else:
        start, end = _window(request)
        everything = [status for one in network.of_depot(request.depot) for status in reported(request.simulation, one)]
        within = [status for status in everything if start <= wire_time(status.at) < end]
        elements = [status.element for status in in_order(within)]
    facts = {"trackingData": _struck(request.fault, elements)}
    if request.simulation.switches["tracking_success_field"] == "absent":
        return Answer(200, to_json(facts))
    return request.answer(facts)


def reported(simulation: Simulation, consignment: Consignment) -> list[Status]:
    """All statuses of a consignment up to now: the network's own, uploaded ones and injected ones; oldest first."""
    now, switches = simulation.clock.now(), simulation.switches
    own: list[Status] = []
    if switches.is_on("progress"):
        own = progress.statuses(
            consignment,
            seed=simulation.seed,
            now=now,
            client_depots=switches["client_depots"],
            unclean_share=switches["unclean_share"],
        )
    return in_order(own + consignment.statuses)


def in_order(statuses: list[Status]) -> list[Status]:
    """By time, then by the rank of section 5; what is equal stays as it came."""

    def key(status: Status) -> tuple[datetime, int]:
        code = status.element.get("eventCode") if isinstance(status.element, dict) else None
        return status.at, progress.RANK.get(str(code), len(progress.RANK))

    return sorted(statuses, key=key)


def _struck(fault: Fault | None, elements: list[Any]) -> list[Any]:
    """The statuses as a fault shows them."""
    older, newer = elements[: len(elements) // 2], elements[len(elements) // 2 :]
    match fault.name if fault else "":
        case "events_reversed":
            return elements[::-1]
        case "events_duplicated":
            return [twice for element in elements for twice in (element, element)]
        case "events_late":
            return newer if fault and fault.options["withhold"] else newer + older
        case "event_no_barcode":
            return [_without(element, "barcode") for element in elements]
        case "event_no_time":
            return [_without(element, "eventDateTime") for element in elements]
        case "event_unknown_code":
            code = fault.options["code"] if fault else ""
            return [*elements, *({**element, "eventCode": code} for element in elements[-1:])]
    return elements


def _without(element: Any, name: str) -> Any:
    return {key: value for key, value in element.items() if key != name} if isinstance(element, dict) else element


def _change_barcodes(simulation: Simulation, fault: Fault, numbers: Iterable[str]) -> None:
    """The fault barcode_changed: the network gives consignments another delivery depot or service, as of now."""
    for number in [fault.tracking_number] if fault.tracking_number else numbers:
        consignment = simulation.network.consignments.get(number)
        if consignment is not None:
            depot, service = fault.options["deliveryDepot"], fault.options["serviceName"]
            if depot is None and service is None:
                service = "B" if consignment.history[-1].service == "A" else "A"
            simulation.network.change(consignment, Change(simulation.clock.now(), depot, service))
