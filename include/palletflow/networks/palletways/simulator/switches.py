"""The network's habits and faults that a test may switch (section 8), with their defaults.

Three sorts:

- a choice: one of some values, default first; where the values are off and on, true and false do too;
- a quantity or a list; ``off``, ``never`` or null turn a quantity off (``switches[name]`` is None then);
- a strike, which may be aimed at methods (at commands for ``ftp_reply``) and run out. It is given as a value for
  everything, or as ``{"getNotes": value, ...}``; a value may be ``{"value": v, "times": n, "after": k}``: lets k calls
  pass, then strikes n of them (absent: for ever); with ``http_code`` also ``"retry_after": seconds``. ``off`` or null
  clears it. Whoever is to be struck asks ``strike(name, target)`` once for each call or transfer.
"""

import math
import threading
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

# Switch: allowed values, default first.
_CHOICES: dict[str, tuple[str, ...]] = {
    "default_format": ("json", "xml"),
    "wrapper": ("auto", "on", "off"),
    "single_as": ("array", "object"),  # how JSON gives a single one of what may be many
    "status_shape": ("dyn", "legacy", "glossary"),
    "wrong_content_type": ("off", "on"),
    "reencode": ("off", "lossless", "jpeg60", "half"),
    "page_order": ("oldest", "newest"),
    "duplicate_page": ("off", "on"),
    "lookalike_scans": ("off", "on"),
    "pdf_fault": (
        "none", "error_page", "label_page", "malformed", "encrypted", "huge", "many_pages", "bomb", "blank",
    ),
    "photo_answer": ("pdf", "sentence", "html", "xml", "json", "empty", "jpeg", "zip"),
    "podimages_name": ("podimages", "rpodimages"),  # the one spelling of the method that is there
    "podimages_open": ("yes", "not_available", "not_authorised"),
    "rate_limit": ("on", "off"),
    "ban_style": ("hang", "refuse", "reset"),  # refuse: closed without a byte, as the address stays open for control
    "ban_extend": ("off", "on"),
    "delta_boundary": ("inclusive", "exclusive"),
    "note_replay": ("off", "on"),  # getNotes/delta gives all notes again, whatever it is asked
    "status_regress": ("off", "on"),  # what has reached 900 is shown with 700
    "label_error": ("xml", "pdf"),  # how it is told that there is no label
    "ftp_no_size": ("off", "on"),
    "rename": ("ok", "refused", "overwrite", "lost_reply"),
    "host_key": ("right", "wrong", "changed"),
    "tls_cert": ("good", "expired", "wrong_name"),
    "strict_names": ("on", "off"),
    "publish_reencode": ("off", "jpeg75"),
}  # fmt: skip
# Switch: default; None = off. Seconds, bytes, or the status code that every consignment is shown with. truncate_stored
# is how many bytes are lost at the end.
_QUANTITIES: dict[str, float | None] = {
    "tracking_delay_s": 0,
    "unknown_code": None,
    "size_cap": None,
    "truncate_stored": None,
    "publish_delay_s": 60,
    "consume_after_s": None,
}
_HTTP_CODES = (200, 401, 403, 404, 429, 500, 503)


def _amount(value: Any) -> bool:
    return type(value) in (int, float) and math.isfinite(value) and 0 <= value <= 10**10


# Strike: what its value may be.
_STRIKES: dict[str, Callable[[Any], bool]] = {
    "hang": lambda value: value is True,
    "slow": _amount,
    "drop_mid_body": _amount,
    "http_code": lambda value: value in _HTTP_CODES,
    "key_fault": lambda value: value in ("missing", "wrong", "customer_only"),
    "commit_then_drop": lambda value: value is True,
    "ftp_drop_at": _amount,
    "ftp_reply": lambda value: type(value) is int and 400 <= value <= 599,
    "disk_full_at": _amount,
}


@dataclass
class Strike:
    """What strikes: its value, and how often it still does, after letting how many pass."""

    value: Any
    times: int | None = None
    after: int = 0
    retry_after: int | None = None


class Switches:
    """The switches' present values. Threads may share them."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.reset()

    def reset(self) -> None:
        """Back to the defaults."""
        with self._lock:
            self._values: dict[str, Any] = {
                **{name: values[0] for name, values in _CHOICES.items()},
                **_QUANTITIES,
                "pages": [],
                "name_taken": [],
            }
            self._aimed: dict[str, dict[str, Strike]] = {name: {} for name in _STRIKES}

    def __getitem__(self, name: str) -> Any:
        """A choice, a quantity (None = off) or a list."""
        return self._values[name]

    def is_on(self, name: str) -> bool:
        return bool(self._values[name] == "on")

    def strike(self, name: str, target: str = "") -> Strike | None:
        """What strikes this call of a method (or this command), counted down; None = nothing does."""
        with self._lock:
            aimed = self._aimed[name]
            for key in (target.lower(), "*"):
                found = aimed.get(key)
                if found is None:
                    continue
                if found.after:
                    found.after -= 1
                    continue
                if found.times is not None:
                    found.times -= 1
                    if not found.times:
                        del aimed[key]
                return found
            return None

    def all(self) -> dict[str, Any]:
        """Every switch; strikes as they stand now, by target (``*`` = everything)."""
        with self._lock:
            aimed = {
                name: {target: asdict(one) for target, one in targets.items()} for name, targets in self._aimed.items()
            }
            return {**self._values, **aimed}

    def set(self, wanted: Mapping[str, Any]) -> None:
        """Set all switches named in ``wanted``, or none: raises ValueError with a sentence for the first bad one."""
        values = {name: _checked(name, value) for name, value in wanted.items() if name not in _STRIKES}
        aimed = {name: _aim(name, value) for name, value in wanted.items() if name in _STRIKES}
        with self._lock:
            self._values.update(values)
            self._aimed.update(aimed)


def _checked(name: str, value: Any) -> Any:
    if name in _CHOICES:
        allowed = _CHOICES[name]
        word = {True: "on", False: "off"}.get(value) if isinstance(value, bool) and "on" in allowed else value
        if word not in allowed:
            raise ValueError(f"{name} must be one of: {', '.join(allowed)}")
        return word
    if name in _QUANTITIES:
        if _is_off(value):
            value = None if _QUANTITIES[name] is None else 0
        if value is not None and not _amount(value):
            raise ValueError(f"{name} must be a number from 0, or off")
        return value
    if name == "name_taken":
        if not isinstance(value, list) or not all(isinstance(entry, str) for entry in value):
            raise ValueError("name_taken must be a list of file names")
        return list(value)
    if name == "pages":
        if not isinstance(value, list) or not all(_is_page(entry) for entry in value):
            raise ValueError("pages must be a list of [image, seconds after T0]; an image is any text")
        return [list(entry) for entry in value]
    raise ValueError(f"There is no switch {name!r}; the switches are: {', '.join(Switches().all())}")


def _is_off(value: Any) -> bool:
    return value is None or value is False or value in ("off", "never", "none")


def _is_page(entry: Any) -> bool:
    return isinstance(entry, list) and len(entry) == 2 and isinstance(entry[0], str) and _amount(entry[1])


def _aim(name: str, wanted: Any) -> dict[str, Strike]:
    if isinstance(wanted, dict) and "value" not in wanted:
        return {target.lower(): one for target, value in wanted.items() if (one := _one(name, value)) is not None}
    one = _one(name, wanted)
    return {} if one is None else {"*": one}


def _one(name: str, wanted: Any) -> Strike | None:
    given = dict(wanted) if isinstance(wanted, dict) else {"value": wanted}
    value = given.get("value")
    if value == "on":
        given["value"] = value = True
    if _is_off(value):
        return None
    if not _STRIKES[name](value) or set(given) - {"value", "times", "after", "retry_after"}:
        raise ValueError(f"{name} cannot be {wanted!r}")
    for count, least in (("times", 1), ("after", 0), ("retry_after", 0)):
        number = given.get(count, least)
        if number is not None and (type(number) is not int or number < least):
            raise ValueError(f"{count} must be a whole number from {least}")
    return Strike(**given)
