"""Reads networks' JSON leniently: keys in any case, scalars as text. Import templates read what this gives."""

from collections.abc import Mapping
from functools import lru_cache
from typing import Any


def fold(value: Any, aliases: Mapping[str, str]) -> Any:
    """Keys trimmed and lower-cased at every level, aliases resolved, scalars as trimmed text.

    Of two keys that become equal the first with a value wins. What lies too deep for Python to follow becomes "":
    nothing of the contract does, and one absurd field must not take the other records of its page with it.
    """
    try:
        if isinstance(value, str):
            return value.strip()
        if isinstance(value, dict):
            folded: dict[str, Any] = {}
            for key, inner in value.items():
                name = folded_key(key)
                name = aliases.get(name, name)
                if not folded.get(name):
                    # Most values are text: not calling fold() for them halves the time of a pull's translation.
                    folded[name] = inner.strip() if isinstance(inner, str) else fold(inner, aliases)
            return folded
        if isinstance(value, list):
            return [fold(element, aliases) for element in value]
        if value is None:
            return ""
        if isinstance(value, bool):
            return "true" if value else "false"
        return str(value)
    except RecursionError:
        return ""


@lru_cache(maxsize=4096)
def folded_key(key: str) -> str:
    """A key as fold() writes it."""
    return key.strip().casefold()
