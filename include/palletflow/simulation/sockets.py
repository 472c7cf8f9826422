"""The ways an answer can fail to arrive: late, never, cut off before or in the middle.

HTTP cannot say these things. They need uvicorn's own connection object, which the application puts into the ASGI
scope (``CONNECTION``); no other module knows about it.
"""

import asyncio
import socket
import struct
from typing import Any

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

CONNECTION = "palletflow.connection"

# How often a silent answer looks whether the server wants to stop.
_STOP_CHECK_S = 0.1


def connection_of(send: Send) -> Any:
    """uvicorn's object for the request in hand, which owns ``send``: it has ``transport`` and ``keep_alive``."""
    return getattr(send, "__self__", None)


class Late(Response):
    """Answers after a while, unless the client or the server goes away first."""

    delay_s = 0.0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if not await _gone(scope, receive, within_s=self.delay_s):
            await super().__call__(scope, receive, send)


class Silence(Response):
    """Never answers. Ends when the client goes away or the server stops."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await _gone(scope, receive)


class Cut(Response):
    """Closes the socket with a reset instead of an answer."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        transport = scope[CONNECTION].transport
        connected = transport.get_extra_info("socket")
        # Lingering for zero seconds makes the operating system send a reset rather than an orderly end.
        connected.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        transport.abort()
        await _disconnected(receive)


class Half(Response):
    """Announces the whole body, sends half of it and closes the connection."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        half = self.body[: len(self.body) // 2]
        await send({"type": "http.response.body", "body": half, "more_body": True})
        # An orderly close, after what is buffered has left.
        scope[CONNECTION].transport.close()
        await _disconnected(receive)


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


async def _disconnected(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
