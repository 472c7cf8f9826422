"""The application: the REST tree under ``/v1/``, Optimize, the second listener and the control paths (section 11)."""

from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

from fastapi import FastAPI
from fastapi import Request as HttpRequest
from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.types import Scope

from palletflow.simulation.application import Application, add_control
from palletflow.simulation.clock import aware

from . import changing, creating, files, reading, wire
from .control import PATHS
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


def create_app(*, seed: int = 1, now: datetime | None = None, traffic: bool = True) -> FastAPI:
    """Return a simulated network of its own, to be served by uvicorn.

    ``seed`` decides all sample data. ``now`` (with an offset) freezes the clock at that instant, to be moved by
    ``POST /_sim/clock``; None lets it run with real time. ``traffic`` off starts with no consignments at all, and none
    moves by itself. Equal seed, clock and requests give equal answers. Served on two sockets, the one that the option
    ``foreign_url`` names is the foreign file host. Raises ValueError when ``now`` has no offset.
    """
    simulation = Simulation(seed=seed, now=None if now is None else aware(now), traffic=traffic)
    operate = wire.rest(OPERATIONS)
    app = Application("Nexus simulator")
    add_control(app, simulation, PATHS)

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
