"""Answers of the network and how they arrive, and the ways in which it says no (section 1.3)."""

from dataclasses import dataclass, field
from typing import Any, Literal

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from palletflow.simulation.sockets import CONNECTION, Cut, Late, Silence

Manner = Literal["answered", "silent", "cut", "closed", "part"]
Tree = dict[str, Any]

NOT_AVAILABLE = "The requested API is not available."
NO_KEY = "API Key not specified."
NOT_AUTHORISED = "The API key provided is not authorised to use the requested API."
NO_POD = "ERROR: POD not found for this ID."


@dataclass
class Reply:
    """HTTP status, body, and how it arrives; status 0 = no answer at all.

    ``part``: only ``length`` bytes of the announced body; ``closed``: an orderly end without a byte.
    """

    status: int
    body: bytes = b""
    media_type: str = "text/html"
    headers: dict[str, str] = field(default_factory=dict)
    manner: Manner = "answered"
    delay_s: float = 0.0
    length: int = 0

    def response(self) -> Response:
        match self.manner:
            case "silent":
                return Silence()
            case "cut":
                return Cut()
            case "closed":
                return _Closed()
            case "part":
                part = _Part(self.body, self.status, self.headers, self.media_type)
                part.length = self.length
                return part
        if not self.delay_s:
            return Response(self.body, self.status, self.headers, self.media_type)
        late = Late(self.body, self.status, self.headers, self.media_type)
        late.delay_s = self.delay_s
        return late


SILENT = Reply(0, manner="silent")
CUT = Reply(0, manner="cut")
CLOSED = Reply(0, manner="closed")


class Said(Exception):
    """The network answers with a sentence instead of an envelope."""

    def __init__(self, sentence: str) -> None:
        super().__init__(sentence)
        self.sentence = sentence


class Problem(Exception):
    """The network answers with an envelope of this ``Status.Code``; ``more`` are further nodes beside ``Status``."""

    def __init__(self, code: str, description: str, more: Tree | None = None) -> None:
        super().__init__(code, description)
        self.code = code
        self.description = description
        self.more = more or {}


def sentence(text: str) -> Reply:
    return Reply(200, f"{text}\n".encode(), "text/html; charset=utf-8")


def page(status: int, title: str) -> Reply:
    """A page, as a web server or proxy in between would send it."""
    return Reply(status, f"<html><head><title>{title}</title></head><body>{title}</body></html>".encode())


class _Closed(Response):
    """Closes the connection without an answer."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        scope[CONNECTION].transport.close()
        await _disconnected(receive)


class _Part(Response):
    """Announces the whole body, sends its beginning and closes the connection."""

    length = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        await send({"type": "http.response.body", "body": bytes(self.body[: self.length]), "more_body": True})
        scope[CONNECTION].transport.close()
        await _disconnected(receive)


async def _disconnected(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
