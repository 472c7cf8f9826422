"""A depot's way to a simulated Palletways, for tests and for the processes that they kill: imports little."""

from collections.abc import Callable
from datetime import datetime
from typing import Any

from palletflow.deployment import Deployment
from palletflow.networks.palletways import settings
from palletflow.networks.palletways.client import PalletwaysClient
from palletflow.networks.palletways.mapper import preview
from palletflow.networks.palletways.simulator import KEYS
from palletflow.networks.palletways.work import NETWORK, Access

HOST = "127.0.0.1"
DEPOT_KEYS = {key.depot: text for text, key in KEYS.items() if not key.is_customer}


def access(plan: Deployment, root: str, depot: str, key: str, clock: Callable[[], datetime], **extra: Any) -> Access:
    """A client that waits for nothing, and the mapper."""
    given = {"allow_http": True, "api2_base": f"{root}/", "portal_base": f"{root}/api/", "first_byte_timeout_s": 5}
    parsed = settings.parse(plan.network(NETWORK).depots[depot], depot, key, {**given, **extra})
    return Access(PalletwaysClient(parsed, patient=False, sleep=lambda _: None, clock=clock), preview(plan))
