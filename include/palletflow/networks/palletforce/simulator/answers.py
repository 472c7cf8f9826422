"""Answers of the network, and the ways an answer can fail to arrive.

Silence and a cut connection cannot be said in HTTP. They need uvicorn's own connection object, which the application
puts into the ASGI scope (``CONNECTION``); no other module knows about it.
"""

import asyncio
import json
import socket
import struct
from dataclasses import dataclass, field
from typing import Any, Literal

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

CONNECTION = "palletforce.connection"

# How often a silent answer looks whether the server wants to stop.
_STOP_CHECK_S = 0.1


@dataclass
class Answer:
    """What the network answers: HTTP status, body, and how it arrives.

    ``outcome`` is for the journal: OK, REFUSED (``success`` false), UNAUTHORISED, NOT_FOUND or FAULT.
    """

    status: int
    body: bytes
    outcome: str = "OK"
    reasons: list[str] = field(default_factory=list)
    headers: dict[str, str] = field(default_factory=dict)
    media_type: str = "application/json"
    manner: Literal["answered", "silent", "cut"] = "answered"
    delay_s: float = 0.0

    def response(self) -> Response:
        if self.manner == "silent":
            return _Silence()
        if self.manner == "cut":
            return _Cut()
        made = _Late if self.delay_s else Response
        response = made(self.body, self.status, self.headers, self.media_type)
        if isinstance(response, _Late):
            response.delay_s = self.delay_s
        return response


SILENT = Answer(0, b"", outcome="FAULT", manner="silent")
CUT = Answer(0, b"", outcome="FAULT", manner="cut")


def gateway(status: int, outcome: str, message: str, more: str, headers: dict[str, str] | None = None) -> Answer:
    """An answer of the API gateway in front of the network: JSON, but nothing of the network's own."""
    body = {"httpCode": str(status), "httpMessage": message, "moreInformation": more}
    return Answer(status, json.dumps(body).encode(), outcome, headers=headers or {})


def html(status: int, title: str) -> Answer:
    """An error page, as a web server or proxy in between would send it."""
    body = f"<html><head><title>{title}</title></head><body><h1>{title}</h1></body></html>"
    return Answer(status, body.encode(), "FAULT", media_type="text/html")


class _Late(Response):
    """Answers after a while, unless the client or the server goes away first."""

    delay_s = 0.0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if not await _gone(scope, receive, within_s=self.delay_s):
            await super().__call__(scope, receive, send)


class _Silence(Response):
    """Never answers. Ends when the client goes away or the server stops."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await _gone(scope, receive)


class _Cut(Response):
    """Closes the socket with a reset instead of an answer."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await _cut(scope, receive)


async def _gone(scope: Scope, receive: Receive, within_s: float | None = None) -> bool:
    """Wait until the connection is lost, at most ``within_s``; say whether it was. Drops it when the server stops.

    A stopping uvicorn waits for open connections and tells them only by turning off ``keep_alive`` of the running
    request. It is turned on here first, since a client may have asked for ``Connection: close``.
    """
    connection = scope[CONNECTION]
    asked_to_keep, connection.keep_alive = connection.keep_alive, True
    lost = asyncio.ensure_future(_disconnected(receive))
    loop = asyncio.get_running_loop()
    deadline = None if within_s is None else loop.time() + within_s
    try:
        while not lost.done():
            left = _STOP_CHECK_S if deadline is None else min(_STOP_CHECK_S, deadline - loop.time())
            if left <= 0:
                connection.keep_alive = asked_to_keep
                return False
            await asyncio.wait([lost], timeout=left)
            if not connection.keep_alive:
                connection.transport.abort()
        return True
    finally:
        lost.cancel()


async def _cut(scope: Scope, receive: Receive) -> None:
    transport = scope[CONNECTION].transport
    connected = transport.get_extra_info("socket")
    # Lingering for zero seconds makes the operating system send a reset rather than an orderly end.
    connected.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    transport.abort()
    await _disconnected(receive)


async def _disconnected(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


def connection_of(send: Send) -> Any:
    """uvicorn's object for the request in hand, which owns ``send``: it has ``transport`` and ``keep_alive``."""
    return getattr(send, "__self__", None)
