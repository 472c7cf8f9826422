"""Answers of the network, and the forms in which it says no (section 1.5)."""

from dataclasses import dataclass, field
from typing import Any, Literal

from starlette.responses import Response, StreamingResponse

from palletflow.simulation.sockets import Cut, Half, Late, Silence

from .writing import to_json

Manner = Literal["answered", "silent", "cut", "half", "unannounced"]

_TITLES = {
    400: "Validation failed", 401: "Unauthorized", 403: "Forbidden", 404: "Not found", 405: "Method not allowed",
    409: "Duplicate", 413: "Payload too large", 415: "Unsupported media type", 422: "Validation failed",
    429: "Too many requests",
}  # fmt: skip


@dataclass
class Reply:
    """HTTP status, body, and how it arrives; status 0 = no answer at all."""

    status: int
    body: bytes = b""
    media_type: str = "application/json"
    headers: dict[str, str] = field(default_factory=dict)
    manner: Manner = "answered"
    delay_s: float = 0.0

    def response(self) -> Response:
        match self.manner:
            case "silent":
                return Silence()
            case "cut":
                return Cut()
            case "half":
                return Half(self.body, self.status, self.headers, self.media_type)
            case "unannounced":
                return StreamingResponse(_pieces(self.body), self.status, self.headers, self.media_type)
        if not self.delay_s:
            return Response(self.body, self.status, self.headers, self.media_type)
        late = Late(self.body, self.status, self.headers, self.media_type)
        late.delay_s = self.delay_s
        return late


SILENT = Reply(0, manner="silent")
CUT = Reply(0, manner="cut")


class Refused(Exception):
    """The network says no: HTTP status, and the fields that are why, path: sentences."""

    def __init__(self, status: int, errors: dict[str, list[str]] | None = None, title: str = "") -> None:
        super().__init__(status, errors)
        self.status = status
        self.errors = errors or {}
        self.title = title or _TITLES.get(status, "Error")


def answer(value: Any, status: int = 200) -> Reply:
    """A JSON answer."""
    return Reply(status, to_json(value))


def refusal(refused: Refused, form: str, trace: str) -> Reply:
    """The answer of a refusal in one of the forms that ``error_form`` names, or as an HTML page."""
    sentences = [f"{path}: {text}" for path, texts in refused.errors.items() for text in texts] or [refused.title]
    match form:
        case "text":
            return Reply(refused.status, "; ".join(sentences).encode(), "text/plain")
        case "errors":
            return answer({"errors": "; ".join(sentences)}, refused.status)
        case "meta":
            return answer({"status": "error", "meta": list(refused.errors)}, refused.status)
        case "empty":
            return Reply(refused.status)
        case "html":
            return html(refused.status, refused.title)
    problem = {"title": refused.title, "status": refused.status, "traceId": trace, "errors": refused.errors}
    return Reply(refused.status, to_json(problem), "application/problem+json")


def html(status: int, title: str) -> Reply:
    """A page, as a web server or proxy in between would send it."""
    return Reply(status, f"<html><head><title>{title}</title></head><body>{title}</body></html>".encode(), "text/html")


def _pieces(body: bytes) -> Any:
    for start in range(0, len(body), 1 << 16):
        yield body[start : start + (1 << 16)]
