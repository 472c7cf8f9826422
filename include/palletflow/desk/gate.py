"""Stands before every address of the order API: who may enter, how much he may bring, how many at once.

In this order, so that a stranger costs next to nothing: the login and the permission are checked, then the body is
read whole within its bounds, and only then is one of the places taken that have a thread and a connection. It stands
before the application and not in its routes, so a route cannot be forgotten, and there is no open address.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from palletflow.desk.pool import SIZE
from palletflow.desk.refusals import Fault, answer
from palletflow.documents.storage import MOST_BYTES

READING = ("GET", "HEAD", "OPTIONS")
MOST_JSON_BYTES = 8 * 1024 * 1024
BODY_SECONDS = 120

# Gives the name of the caller, who wants to write or only to read. Raises HTTPException with 401 or 403.
Admit = Callable[[Request, bool], Awaitable[str]]


class Gate:
    """Lets a request through to `app` with the caller's name in `request.state.actor`."""

    def __init__(self, app: ASGIApp, admit: Admit) -> None:
        self.application, self._admit = app, admit
        # Airflow's own requests share the process's threads; ours never take more of them than this.
        self._places = asyncio.Semaphore(SIZE)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.application(scope, receive, send)
            return
        request = Request(scope, receive)
        try:
            request.state.actor = await self._admit(request, request.method not in READING)
            body = await _whole_body(request)
        except HTTPException as error:
            fault = Fault("", f"http_{error.status_code}", str(error.detail))
            refusal: Any = answer(error.status_code, str(error.detail), [fault], error.headers)
            await refusal(scope, receive, send)
            return
        async with self._places:
            await self.application(scope, _replayed(body, receive), send)


async def _whole_body(request: Request) -> bytes:
    most = MOST_BYTES if request.url.path.endswith("/documents") else MOST_JSON_BYTES
    too_large = HTTPException(413, f"The body may have at most {most:,} bytes")
    length = request.headers.get("content-length", "0")
    if length.isdecimal() and int(length) > most:
        raise too_large
    body = bytearray()
    try:
        async with asyncio.timeout(BODY_SECONDS):
            async for chunk in request.stream():
                body += chunk
                if len(body) > most:
                    raise too_large
    except TimeoutError:
        raise HTTPException(408, f"The body did not come within {BODY_SECONDS} s") from None
    return bytes(body)


def _replayed(body: bytes, receive: Receive) -> Receive:
    """What the application receives: the body at once, then whatever else the client says."""
    messages: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def replay() -> Message:
        return messages.pop() if messages else await receive()

    return replay
