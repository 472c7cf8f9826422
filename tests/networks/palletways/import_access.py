"""A depot's way to a simulated Palletways for tests of imports and the processes that they kill: imports little."""

from collections.abc import Mapping
from typing import Any

from palletflow.deployment import Deployment
from palletflow.networks.palletways import settings
from palletflow.networks.palletways.client import PalletwaysClient
from palletflow.networks.palletways.mapper import Mapper
from palletflow.networks.palletways.work import Access
from palletflow.work.minute_budget import MinuteBudget

# Of connections that import; tests do not wait long for what does not answer.
EXTRA: Mapping[str, Any] = {
    "capabilities": ["import"],
    "import_cons_entered": True,
    "allow_http": True,
    "connect_timeout_s": 5,
    "first_byte_timeout_s": 1,
    "answer_timeout_s": 4,
}


def access(
    plan: Deployment, root: str, depot: str, key: str, extra: Mapping[str, Any], budget: MinuteBudget | None = None
) -> Access:
    """As handlers have it; `extra` is laid over EXTRA."""
    bases = {"api2_base": f"{root}/", "portal_base": f"{root}/api/"}
    checked = settings.parse(f"palletways_{depot}", depot, key, {**EXTRA, **bases, **extra})
    client = PalletwaysClient(checked, budget=budget, patient=False, sleep=lambda _: None)
    return Access(client, Mapper(plan, checked.tracking_id_pattern))
