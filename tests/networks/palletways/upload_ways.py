"""Uploads as the operator makes them, for tests and for the processes that they kill: imports little."""

from collections.abc import Callable
from contextlib import ExitStack
from datetime import datetime
from types import SimpleNamespace
from typing import Any

from tests.networks.palletways.ways import DEPOT_KEYS, HOST

from palletflow.deployment import Deployment
from palletflow.documents.storage import Storage
from palletflow.networks.palletways import settings, upload_settings
from palletflow.networks.palletways.photo_upload import PhotoUpload
from palletflow.networks.palletways.simulator import UPLOAD_PASSWORD
from palletflow.networks.palletways.upload_settings import UploadSettings
from palletflow.networks.palletways.upload_target import Target, sessions
from palletflow.networks.palletways.work import NETWORK, Access
from palletflow.store.connection import Connection
from palletflow.work.flagged import require_unflagged


def upload_connection(protocol: str, port: int, depot: str = "123", **given: Any) -> UploadSettings:
    """A checked connection to a file server of this machine. `given`: its Extra, and login and password if others."""
    login, password = given.pop("login", f"pw{depot}"), given.pop("password", UPLOAD_PASSWORD)
    return upload_settings.parse(
        f"palletways_upload_{depot}", f"palletways_{protocol}", HOST, port, login, password, given
    )


def api_access(plan: Deployment, depot: str, **extra: Any) -> Access:
    """A depot's way to Palletways, of which uploads need the settings only."""
    parsed = settings.parse(plan.network(NETWORK).depots[depot], depot, DEPOT_KEYS[depot], extra)
    return Access(SimpleNamespace(settings=parsed), None)  # type: ignore[arg-type]


def uploader(
    plan: Deployment,
    storage: Storage,
    connection: Callable[[str], UploadSettings],
    clock: Callable[[], datetime],
    stack: ExitStack,
    **api: Any,
) -> PhotoUpload:
    """The handler of one run; connections that are wrong are found when they are used."""
    targets: dict[str, Target] = {}

    def uploads(conn: Connection, depot: str) -> Target:
        if depot not in targets:
            checked = connection(depot)
            targets[depot] = Target(checked, stack.enter_context(sessions(checked)))
        require_unflagged(conn, f"palletways_upload_{depot}", targets[depot].sessions.check, every_s=0)
        return targets[depot]

    return PhotoUpload(plan, lambda _, depot: api_access(plan, depot, **api), uploads, storage, clock)
