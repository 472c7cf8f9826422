"""The application: the REST tree under ``/v1/``, Optimize, the second listener and the control paths (section 11)."""

import json
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

from fastapi import FastAPI
from fastapi import Request as HttpRequest
from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, Response
from starlette.types import Receive, Scope, Send

from palletflow.simulation.clock import aware
from palletflow.simulation.sockets import CONNECTION, connection_of

from . import changing, creating, files, reading, wire
from .control import look, steer
from .optimize import optimize
from .simulation import Simulation

OPERATIONS: dict[str, wire.Operation] = {
    "login": wire.login,
    "refresh": wire.refresh,
    "list": reading.listing,
    "get": reading.get,
    "create": creating.create,
    "cancel": changing.cancel,
    "labels": files.labels,
    "attachments": files.attachments,
    "upload": files.upload,
    "history": reading.history,
    "post_status": changing.post_status,
    "file": files.file,
    "lookups": reading.lookups,
}
_METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE"]
_VERSION = "v1/"


class _Application(FastAPI):
    """Remembers uvicorn's own connection object in the scope, before FastAPI wraps ``send`` out of reach."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        scope[CONNECTION] = connection_of(send)
        await super().__call__(scope, receive, send)


def create_app(*, seed: int = 1, now: datetime | None = None, traffic: bool = True) -> FastAPI:
    """Return a simulated network of its own, to be served by uvicorn.

    ``seed`` decides all sample data. ``now`` (with an offset) freezes the clock at that instant, to be moved by
    ``POST /_sim/clock``; None lets it run with real time. ``traffic`` off starts with no consignments at all, and none
    moves by itself. Equal seed, clock and requests give equal answers. Served on two sockets, the one that the option
    ``foreign_url`` names is the foreign file host. Raises ValueError when ``now`` has no offset.
    """
    simulation = Simulation(seed=seed, now=None if now is None else aware(now), traffic=traffic)
    operate = wire.rest(OPERATIONS)
    app = _Application(title="Nexus simulator", docs_url=None, redoc_url=None, openapi_url=None)

    @app.api_route("/_sim/{path:path}", methods=["GET", "POST"])
    async def control(path: str, http: HttpRequest) -> Response:
        try:
            if http.method == "GET":
                return JSONResponse(look(simulation, path, dict(http.query_params)))
            return JSONResponse(steer(simulation, path, json.loads(await http.body() or b"{}")))
        except LookupError as missing:
            return _error(404, str(missing.args[0]))
        except (ValueError, RecursionError) as problem:
            return _error(422, str(problem))

    @app.api_route("/{path:path}", methods=_METHODS)
    async def wired(path: str, http: HttpRequest) -> Response:
        plain = path.strip("/").lower()
        request = wire.Request(
            simulation=simulation,
            method=http.method,
            path=plain.removeprefix(_VERSION),
            query=[(name.lower(), value) for name, value in http.query_params.multi_items()],
            headers=http.headers,
            body=await http.body(),
            form=await _form(http),
            base=f"{http.url.scheme}://{http.url.netloc}",
        )
        if _is_foreign(simulation, http.scope):
            return wire.serve(request, files.foreign_file).response()
        if not plain.startswith(_VERSION):
            return wire.serve(request, optimize).response()
        wire.route(request)
        reply = wire.serve(request, operate)
        if request.operation == "create":
            creating.settled(request, reply)
        return reply.response()

    return app


async def _form(http: HttpRequest) -> dict[str, Any]:
    """The parts of a multipart body: a text, or name and bytes of a file; empty for anything else."""
    if not http.headers.get("content-type", "").lower().startswith("multipart/form-data"):
        return {}
    try:
        async with http.form() as form:
            return {
                name: (part.filename or "", await part.read()) if isinstance(part, UploadFile) else part
                for name, part in form.items()
            }
    except HTTPException:
        return {}


def _is_foreign(simulation: Simulation, scope: Scope) -> bool:
    url = simulation.options["foreign_url"]
    return bool(url) and urlsplit(url).port == scope["server"][1]


def _error(status: int, sentence: str) -> Response:
    return JSONResponse({"error": sentence}, status)
