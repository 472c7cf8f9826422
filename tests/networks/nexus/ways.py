"""A depot's way to a simulated Nexus, for tests and for the processes that they kill: imports little."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from palletflow.deployment import Deployment
from palletflow.networks.nexus import settings
from palletflow.networks.nexus.client import NexusClient
from palletflow.networks.nexus.lookups import Lookups
from palletflow.networks.nexus.mapper import preview
from palletflow.networks.nexus.optimize import OptimizeClient
from palletflow.networks.nexus.simulator import PASSWORD
from palletflow.networks.nexus.wire import read_wire
from palletflow.networks.nexus.work import NETWORK, Access

HERE = {"allow_http": True, "attachment_hosts": ["127.0.0.1"]}


def no_pause(_: float) -> None:
    """Waits for nothing."""


def now() -> datetime:
    return datetime.now(UTC)


def access(
    plan: Deployment,
    base_url: str,
    depot: str,
    *,
    patient: bool = False,
    sleep: Callable[[float], None] = no_pause,
    clock: Callable[[], datetime] = now,
    **extra: Any,
) -> Access:
    """As the queue's handlers have it; `patient`, as a poll has it. `extra`: of the connection."""
    mapper = preview(plan)
    sections = mapper.template.sections
    connection = plan.network(NETWORK).depots[depot]
    parsed = settings.parse(connection, base_url, f"sim_{depot.lower()}", PASSWORD, {**HERE, **extra})
    client = NexusClient(parsed, read_wire(sections), patient=patient, sleep=sleep, jitter=lambda: 1.0, clock=clock)
    return Access(client, Lookups(client, sections["ids"], clock), mapper)


def optimizing(root: str, key: str, *, sleep: Callable[[float], None] = no_pause, **extra: Any) -> OptimizeClient:
    """A simulated Optimize, as the queue's handlers have it."""
    parsed = settings.parse_optimize("nexus_optimize", f"{root}/optimize", key, {"allow_http": True, **extra})
    return OptimizeClient(parsed, patient=False, sleep=sleep, jitter=lambda: 1.0)
