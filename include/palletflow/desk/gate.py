"""Stands before every address of the desk: who may enter, how much he may bring, how many at once.

In this order, so that a stranger costs next to nothing: the login and the permission are checked, then the body is
read whole within its bounds, and only then is one of the places taken that have a thread and a connection. It stands
before the application and not in its routes, so a route cannot be forgotten, and there is no open address. What child
processes draw, a few at a time, may take half of the places: the others wait here, where they hold nothing, and all
other pages are answered meanwhile.
"""

import asyncio
import contextlib
import re
from collections.abc import Awaitable, Callable
from typing import Any, NamedTuple

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from palletflow.desk.pool import SIZE
from palletflow.documents.storage import MOST_BYTES

READING = ("GET", "HEAD", "OPTIONS")
MOST_JSON_BYTES = 8 * 1024 * 1024
BODY_SECONDS = 120
# Pages of documents, and labels of one or many orders as one print job.
DRAWN = re.compile(r"(/documents/[^/]+/(thumbnail|preview|preview\.png)|/labels)$")
MOST_DRAWN = SIZE // 2


class Caller(NamedTuple):
    """Who calls. `by_cookie`: his browser says so by itself, whichever page made it call."""

    name: str
    may_write: bool
    by_cookie: bool


# Says who calls, and who he is to be for what he wants: to write, or only to read. Raises HTTPException, 401 or 403.
Admit = Callable[[Request, bool], Awaitable[Caller]]
# Whether a request that writes was meant by its caller, given its body. Raises HTTPException with 403.
Meant = Callable[[Request, Caller, bytes], None]
# What is answered to somebody who is not let in.
Refuse = Callable[[Request, HTTPException], Any]


class Gate:
    """Lets a request through to `app` with the Caller in `request.state.caller`."""

    def __init__(self, app: ASGIApp, admit: Admit, meant: Meant, refuse: Refuse) -> None:
        self.application, self._admit, self._meant, self._refuse = app, admit, meant, refuse
        # Airflow's own requests share the process's threads; ours never take more of them than this.
        self._places = asyncio.Semaphore(SIZE)
        self._drawing = asyncio.Semaphore(MOST_DRAWN)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.application(scope, receive, send)
            return
        request = Request(scope, receive)
        writes = request.method not in READING
        try:
            request.state.caller = caller = await self._admit(request, writes)
            body = await _whole_body(request)
            if writes:
                self._meant(request, caller, body)
        except HTTPException as error:
            refusal = self._refuse(request, error)
            await refusal(scope, receive, send)
            return
        is_drawn = DRAWN.search(request.url.path) is not None
        async with self._drawing if is_drawn else contextlib.nullcontext(), self._places:
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
