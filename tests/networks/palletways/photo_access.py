"""A depot's way to a simulated Palletways for tests of photos, without anything of the simulator: fast to import."""

from collections.abc import Callable, Mapping
from typing import Any

from palletflow.deployment import Deployment
from palletflow.networks.palletways import settings
from palletflow.networks.palletways.client import PalletwaysClient
from palletflow.networks.palletways.mapper import Mapper
from palletflow.networks.palletways.work import NETWORK, Access
from palletflow.work.minute_budget import MinuteBudget


def access(
    plan: Deployment,
    root: str,
    depot: str,
    key: str,
    extra: Mapping[str, Any],
    sleep: Callable[[float], None],
    budget: MinuteBudget | None = None,
) -> Access:
    """As the queue's handlers have it. `root`: the simulator's address; None in `extra` takes a setting out."""
    given = {
        "allow_http": True,
        "api2_base": f"{root}/",
        "portal_base": f"{root}/api/",
        "photos_enabled_at": "2026-01-01T00:00:00Z",
        "first_byte_timeout_s": 1,
        "pdf_first_byte_timeout_s": 1,
        **extra,
    }
    parsed = settings.parse(
        plan.network(NETWORK).depots[depot], depot, key, {name: one for name, one in given.items() if one is not None}
    )
    return Access(PalletwaysClient(parsed, budget=budget, patient=False, sleep=sleep), Mapper(plan))
