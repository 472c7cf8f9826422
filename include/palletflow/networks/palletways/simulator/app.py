"""The application: API2 at ``/``, the portal at ``/api/``, the control paths, and the file servers beside it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime
from urllib.parse import parse_qsl, unquote

from fastapi import FastAPI
from fastapi import Request as HttpRequest
from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from palletflow.simulation.application import Application, add_control
from palletflow.simulation.clock import aware

from . import wire
from .control import PATHS
from .files import FileServers
from .methods import METHODS
from .redaction import redacted
from .simulation import Simulation

_PORTAL = "api"
_FORM, _MULTIPART = "application/x-www-form-urlencoded", "multipart/form-data"


class _Application(Application):
    """Has its own copy of what uvicorn writes its access log from, which loses the API key."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        own = {**scope}
        if scope["type"] == "http":
            scope["query_string"] = redacted(scope["query_string"].decode("latin-1")).encode("latin-1")
        await super().__call__(own, receive, send)


def create_app(
    *,
    seed: int = 1,
    now: datetime | None = None,
    traffic: bool = True,
    ftp: int | None = None,
    ftps: int | None = None,
    sftp: int | None = None,
    bind: str = "127.0.0.1",
) -> FastAPI:
    """Return a simulated network of its own, to be served by uvicorn.

    ``seed`` decides all sample data. ``now`` (with an offset) freezes the clock at that instant, to be moved by
    ``POST /_sim/clock``; None lets it run with real time. ``traffic`` off starts with no consignments at all, and none
    moves by itself. ``ftp``, ``ftps`` and ``sftp`` are the ports of the file servers, which listen at ``bind`` as long
    as the application runs; 0 = any free one, told by ``GET /_sim/files/servers``, None = it is not served. Equal seed,
    clock and requests give equal answers. Raises ValueError when ``now`` has no offset.
    """
    simulation = Simulation(seed=seed, now=None if now is None else aware(now), traffic=traffic)
    simulation.file_servers = servers = FileServers(simulation.received, bind=bind, ftp=ftp, ftps=ftps, sftp=sftp)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        await servers.start()
        try:
            yield
        finally:
            await servers.stop()

    app = _Application("Palletways simulator", lifespan=lifespan)
    add_control(app, simulation, PATHS)

    @app.api_route("/{path:path}", methods=["GET", "POST"])
    async def wired(http: HttpRequest) -> Response:
        # An argument may hold an encoded slash, which the decoded path no longer tells from a separator.
        first, *rest = [unquote(part) for part in http.scope["raw_path"].decode("latin-1").strip("/").split("/")]
        portal = first.lower() == _PORTAL
        method, *arguments = (rest or [""]) if portal else [first, *rest]
        params = dict(parse_qsl(http.scope["query_string"].decode("latin-1"), keep_blank_values=True))
        request = wire.Request(
            simulation=simulation,
            verb=http.method,
            host=wire.PORTAL if portal else wire.API2,
            method=method,
            arguments=arguments,
            params={**params, **await _form(http)},
            address=http.client.host if http.client else "",
        )
        return wire.serve(request, METHODS).response()

    return app


async def _form(http: HttpRequest) -> dict[str, str]:
    """The parameters of a body, urlencoded or multipart; a body of another kind is not read."""
    kind = http.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind == _FORM:
        return dict(parse_qsl((await http.body()).decode("utf-8", "replace"), keep_blank_values=True))
    if kind != _MULTIPART:
        return {}
    try:
        async with http.form() as form:
            return {
                name: (await part.read()).decode("utf-8", "replace") if isinstance(part, UploadFile) else part
                for name, part in form.items()
            }
    except HTTPException:
        return {}
