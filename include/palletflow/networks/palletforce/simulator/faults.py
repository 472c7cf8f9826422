"""Faults to order (section 9): which requests they strike and what they make of the answer."""

from dataclasses import dataclass, replace
from typing import Any

from .answers import CUT, SILENT, Answer, gateway, html
from .freight import SERVICE_LEAD_DAYS
from .gazetteer import DEPOTS

OPERATIONS = ("UploadManifest", "DownloadLabel", "DownloadTracking", "DownloadManifest", "UploadTracking")
_READS = ("DownloadTracking", "DownloadManifest")

# Fault: operations it may be ordered for, its options with their defaults.
FAULTS: dict[str, tuple[tuple[str, ...], dict[str, Any]]] = {
    "slow": (OPERATIONS, {"seconds": 5}),
    "timeout_before_accept": (OPERATIONS, {}),
    "timeout_after_accept": (OPERATIONS, {}),
    "reset": (OPERATIONS, {"accept": False}),
    "truncated_json": (OPERATIONS, {}),
    "empty_body": (OPERATIONS, {"accept": False}),
    "html_500": (OPERATIONS, {"accept": False}),
    "http_502": (OPERATIONS, {"accept": False}),
    "http_401": (OPERATIONS, {}),
    "http_429": (OPERATIONS, {"retry_after": 2}),
    "http_503": (OPERATIONS, {"retry_after": None}),
    "duplicate_tracking": (("UploadManifest",), {}),
    "unknown_depot": (("UploadManifest",), {}),
    "notifications_off": (("UploadManifest",), {}),
    "partial_success": (("UploadManifest",), {}),
    "success_without_code": (("UploadManifest",), {}),
    "label_missing": (("DownloadLabel",), {"empty": False}),
    "label_not_jpeg": (("DownloadLabel",), {}),
    "label_bad_base64": (("DownloadLabel",), {}),
    "events_reversed": (("DownloadTracking",), {}),
    "events_duplicated": (("DownloadTracking",), {}),
    "events_late": (("DownloadTracking",), {"withhold": False}),
    "event_no_barcode": (("DownloadTracking",), {}),
    "event_no_time": (("DownloadTracking",), {}),
    "event_unknown_code": (("DownloadTracking",), {"code": "ZZZZ"}),
    "barcode_changed": (("UploadManifest", *_READS), {"deliveryDepot": None, "serviceName": None}),
    "page_shift": (("DownloadManifest",), {}),
    "page_fails": (("DownloadManifest",), {"page": 2}),
    "tracking_upload_partial": (("UploadTracking",), {}),
    "tracking_upload_refused": (("UploadTracking",), {}),
}


@dataclass
class Fault:
    """A fault in waiting: strikes the next ``count`` matching requests. ``operation`` ``*`` is any it may be for."""

    operation: str
    name: str
    count: int
    tracking_number: str | None
    options: dict[str, Any]

    def strikes(self, operation: str, body: dict[str, Any]) -> bool:
        if operation not in FAULTS[self.name][0] or self.operation not in ("*", operation):
            return False
        if self.name == "page_shift":
            return _page(body) > 1
        if self.name == "page_fails" and _page(body) != self.options["page"]:
            return False
        # For barcode_changed the number says what is changed, not which request does it.
        return self.tracking_number is None or self.name == "barcode_changed" or self.tracking_number in _numbers(body)

    def shown(self) -> dict[str, Any]:
        return {
            "operation": self.operation,
            "fault": self.name,
            "count": self.count,
            "trackingNumber": self.tracking_number,
            "options": self.options,
        }


class Faults:
    """The faults in waiting, in the order they were ordered. One request is struck by one fault at most."""

    def __init__(self) -> None:
        self._waiting: list[Fault] = []

    def order(self, body: dict[str, Any]) -> None:
        """Add a fault. Raises ValueError with a sentence for an order that makes no sense."""
        name = body.get("fault")
        if not isinstance(name, str) or name not in FAULTS:
            raise ValueError(f"There is no fault {name!r}; the faults are: {', '.join(FAULTS)}")
        operations, defaults = FAULTS[name]
        operation = body.get("operation")
        if operation != "*" and operation not in operations:
            raise ValueError(f"{name} can strike {', '.join(operations)} or *, not {operation!r}")
        count = body.get("count", 1)
        if type(count) is not int or count < 1:
            raise ValueError("count must be a whole number of at least 1")
        number = body.get("trackingNumber")
        if number is not None and not isinstance(number, str):
            raise ValueError("trackingNumber must be a text")
        given = body.get("options", {})
        if not isinstance(given, dict) or set(given) - set(defaults):
            raise ValueError(f"The options of {name} are: {', '.join(defaults) or 'none'}")
        options = defaults | given
        _check_options(options)
        self._waiting.append(Fault(operation, name, count, number, options))

    def clear(self) -> None:
        self._waiting.clear()

    def waiting(self) -> list[dict[str, Any]]:
        return [fault.shown() for fault in self._waiting]

    def take(self, operation: str, body: dict[str, Any]) -> Fault | None:
        """Return the first fault that strikes this request, counted down."""
        for fault in self._waiting:
            if fault.strikes(operation, body):
                fault.count -= 1
                if not fault.count:
                    self._waiting.remove(fault)
                return fault
        return None


def before(fault: Fault) -> Answer | None:
    """The answer of a fault that keeps the request from the network, or None when the network shall see it."""
    match fault.name:
        case "http_401":
            return gateway(401, "FAULT", "Unauthorized", "Invalid client id or secret.")
        case "http_429":
            return gateway(429, "FAULT", "Too Many Requests", "Rate limit exceeded.", _retry_after(fault))
        case "http_503":
            return gateway(503, "FAULT", "Service Unavailable", "Try again later.", _retry_after(fault))
        case "page_fails":
            return html(500, "500 Internal Server Error")
        case "timeout_before_accept":
            return SILENT
    if fault.options.get("accept") is False:
        return after(fault, SILENT)
    return None


def after(fault: Fault, answer: Answer) -> Answer:
    """What a fault makes of the network's answer on its way to the client."""
    match fault.name:
        case "slow":
            return replace(answer, delay_s=float(fault.options["seconds"]))
        case "timeout_after_accept":
            return SILENT
        case "reset":
            return CUT
        case "truncated_json":
            return replace(answer, status=200, body=answer.body[: len(answer.body) // 2], outcome="FAULT")
        case "empty_body":
            return Answer(200, b"", "FAULT")
        case "html_500":
            return html(500, "500 Internal Server Error")
        case "http_502":
            return html(502, "502 Bad Gateway")
    return answer


def _retry_after(fault: Fault) -> dict[str, str]:
    seconds = fault.options["retry_after"]
    return {} if seconds is None else {"Retry-After": str(seconds)}


def _check_options(options: dict[str, Any]) -> None:
    for name, value in options.items():
        match name:
            case "seconds":
                good, rule = type(value) in (int, float) and 0 < value <= 600, "a number of seconds up to 600"
            case "retry_after":
                good, rule = value is None or (type(value) is int and value >= 0), "whole seconds or null"
            case "page":
                good, rule = type(value) is int and value >= 1, "a page number"
            case "accept" | "withhold" | "empty":
                good, rule = isinstance(value, bool), "true or false"
            case "deliveryDepot":
                good, rule = value is None or value in list(DEPOTS), "a depot code of this network"
            case "serviceName":
                good, rule = value is None or value in list(SERVICE_LEAD_DAYS), "a service letter"
            case _:
                good, rule = isinstance(value, str) and value != "", "a text"
        if not good:
            raise ValueError(f"{name} must be {rule}")


def _page(body: dict[str, Any]) -> int:
    text = str(body.get("pageNumber") or "1")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else 0


def _numbers(body: dict[str, Any]) -> set[Any]:
    """The tracking numbers a request speaks of."""
    found = [body]
    for name in ("consignments", "trackingData"):
        listed = body.get(name)
        found += [element for element in listed if isinstance(element, dict)] if isinstance(listed, list) else []
    return {str(element["trackingNumber"]) for element in found if "trackingNumber" in element}
