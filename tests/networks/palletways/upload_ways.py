"""Uploads of a haulier's depots as the operator makes them, for tests and for the processes that they kill: imports
little."""

from collections.abc import Callable
from contextlib import ExitStack
from datetime import datetime
from types import SimpleNamespace
from typing import Any

from tests.networks.palletways.ways import DEPOT_KEYS

from palletflow.deployment import Deployment
from palletflow.documents.storage import Storage
from palletflow.networks.palletways import settings
from palletflow.networks.palletways.photo_upload import PhotoUpload
from palletflow.networks.palletways.upload_settings import UploadSettings
from palletflow.networks.palletways.upload_target import Target, sessions
from palletflow.networks.palletways.work import NETWORK, Access
from palletflow.store.connection import Connection
from palletflow.work.flagged import require_unflagged


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
        checked = connection(depot)
        if depot not in targets:
            targets[depot] = Target(checked, stack.enter_context(sessions(checked)))
        require_unflagged(conn, f"palletways_upload_{depot}", targets[depot].sessions.check, every_s=0)
        return targets[depot]

    return PhotoUpload(plan, lambda _, depot: api_access(plan, depot, **api), uploads, storage, clock)
