"""Access keys do not go into the record of requests."""

from typing import Any

from .members import DEPOT_OF_KEY

MASK = "***"


def masked(value: Any) -> Any:
    """A request's body with its access keys masked, wherever they stand."""
    if isinstance(value, dict):
        return {
            name: MASK if name.strip().casefold() == "accesskey" else masked(inner) for name, inner in value.items()
        }
    if isinstance(value, list):
        return [masked(inner) for inner in value]
    return MASK if isinstance(value, str) and value in DEPOT_OF_KEY else value
