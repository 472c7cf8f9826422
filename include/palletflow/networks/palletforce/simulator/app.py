"""The application: the wire on any base path, and the control paths under ``/_sim/``."""

from datetime import datetime

from fastapi import FastAPI, Request
from starlette.responses import Response

from palletflow.simulation.application import Application, add_control
from palletflow.simulation.clock import aware

from .control import PATHS
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


def create_app(*, seed: int = 1, now: datetime | None = None, traffic: bool = True) -> FastAPI:
    """Return a simulated network of its own, to be served by uvicorn.

    ``seed`` decides all sample data. ``now`` (with an offset) freezes the clock at that instant, to be moved by
    ``POST /_sim/clock``; None lets it run with real time. ``traffic`` off starts with no consignments at all.
    Equal seed, clock and requests give equal answers. Raises ValueError when ``now`` has no offset.
    """
    simulation = Simulation(seed=seed, now=None if now is None else aware(now), traffic=traffic)
    app = Application("Palletforce simulator")
    add_control(app, simulation, PATHS)

    @app.post("/{path:path}")
    async def wire(path: str, request: Request) -> Response:
        raw = await request.body()
        client_id = request.headers.get("x-ibm-client-id")
        return serve(simulation, OPERATIONS, path=path, raw=raw, client_id=client_id).response()

    return app
