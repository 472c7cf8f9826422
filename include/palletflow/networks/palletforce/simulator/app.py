"""The application: the wire on any base path, and the control paths under ``/_sim/``."""

import json
from datetime import datetime
from typing import Any

from fastapi import FastAPI, Request
from starlette.responses import JSONResponse, Response
from starlette.types import Receive, Scope, Send

from palletflow.simulation.clock import aware
from palletflow.simulation.sockets import CONNECTION, connection_of

from .control import GETS, POSTS
from .label import download_label
from .simulation import Simulation
from .upload import upload_manifest, upload_tracking
from .wire import Operation, download_manifest, download_tracking, serve

OPERATIONS: dict[str, Operation] = {
    "UploadManifest": upload_manifest,
    "DownloadLabel": download_label,
    "DownloadTracking": download_tracking,
    "DownloadManifest": download_manifest,
    "UploadTracking": upload_tracking,
}


class _Application(FastAPI):
    """Remembers uvicorn's own connection object in the scope, before FastAPI wraps ``send`` out of reach."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        scope[CONNECTION] = connection_of(send)
        await super().__call__(scope, receive, send)


def create_app(*, seed: int = 1, now: datetime | None = None, traffic: bool = True) -> FastAPI:
    """Return a simulated network of its own, to be served by uvicorn.

    ``seed`` decides all sample data. ``now`` (with an offset) freezes the clock at that instant, to be moved by
    ``POST /_sim/clock``; None lets it run with real time. ``traffic`` off starts with no consignments at all.
    Equal seed, clock and requests give equal answers. Raises ValueError when ``now`` has no offset.
    """
    simulation = Simulation(seed=seed, now=None if now is None else aware(now), traffic=traffic)
    app = _Application(title="Palletforce simulator", docs_url=None, redoc_url=None, openapi_url=None)

    @app.get("/_sim/{name}")
    async def look(name: str, request: Request) -> Response:
        if name not in GETS:
            return _error(404, f"There is no control path GET /_sim/{name}; there are: {', '.join(GETS)}")
        try:
            return JSONResponse(GETS[name](simulation, dict(request.query_params)))
        except ValueError as problem:
            return _error(422, str(problem))

    @app.post("/_sim/{name}")
    async def control(name: str, request: Request) -> Response:
        if name not in POSTS:
            return _error(404, f"There is no control path POST /_sim/{name}; there are: {', '.join(POSTS)}")
        try:
            body = json.loads(await request.body() or b"{}")
        except (ValueError, RecursionError):
            return _error(422, "The request body is not JSON")
        if not isinstance(body, dict):
            return _error(422, "The request body must be a JSON object")
        try:
            return JSONResponse(POSTS[name](simulation, body))
        except ValueError as problem:
            return _error(422, str(problem))

    @app.post("/{path:path}")
    async def wire(path: str, request: Request) -> Response:
        raw = await request.body()
        client_id = request.headers.get("x-ibm-client-id")
        return serve(simulation, OPERATIONS, path=path, raw=raw, client_id=client_id).response()

    return app


def _error(status: int, sentence: str) -> Response:
    content: dict[str, Any] = {"error": sentence}
    return JSONResponse(content, status)
