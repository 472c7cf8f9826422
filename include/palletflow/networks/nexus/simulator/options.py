"""The network's habits that a test may change (sections 0 and 11), with their defaults."""

import math
from collections.abc import Mapping
from typing import Any

from .members import OUR_DEPOTS

# Operation keys of section 2 with their methods and paths; the nine lookups share the last one.
OPERATIONS: dict[str, tuple[str, str]] = {
    "login": ("POST", "account/login"),
    "refresh": ("POST", "account/refresh"),
    "list": ("GET", "consignments"),
    "get": ("GET", "consignments/{id}"),
    "create": ("POST", "consignments"),
    "cancel": ("DELETE", "consignments/{id}"),
    "labels": ("GET", "consignments/{id}/labels"),
    "attachments": ("GET", "consignments/{id}/attachments"),
    "upload": ("POST", "consignments/{id}/attachments"),
    "history": ("GET", "consignments/{id}/statuses"),
    "post_status": ("POST", "consignments/{id}/statuses"),
    "file": ("GET", "files/{id}"),
    "lookups": ("GET", "{lookup}"),
}

# Option: allowed values, default first.
_CHOICES: dict[str, tuple[str, ...]] = {
    "error_form": ("problem", "text", "errors", "meta", "empty"),
    "list_envelope": ("bare", "wrapped", "two_arrays"),
    "list_order": ("newest", "shifting"),  # shifting: every page is cut from an order of its own, up to 5 rows off
    "array_style": ("repeat", "comma", "brackets"),  # how statusID is understood; other ways are not
    "customer_id_as": ("string", "integer"),
    "datetimes": ("offset", "wall"),  # wall: Europe/London without an offset
    "cutoff": ("working", "calendar", "off"),
    "label_form": ("pdf", "zpl", "url", "base64"),
    "file_host": ("own", "foreign", "redirect", "redirect_own"),
    "optimize": ("on", "off"),
}
_DEFAULTS: dict[str, Any] = {
    **{name: values[0] for name, values in _CHOICES.items()},
    "rate_check": True,
    "shift_ids": 0,
    "token_ttl_s": 3600,
    "limit_max": 100,
    "label_delay_s": 0,
    "upload_mb": 10,
    "unclean_share": 0.06,  # share of deliveries by others that do not end with Delivered
    "notes_path": "general.notes",
    "optimize_path": "etas",
    "optimize_key_header": "X-Api-Key",
    "foreign_url": "",  # address of the second listener; it survives a reset
    "client_depots": list(OUR_DEPOTS),  # depots whose legs are reported by the client, not by the network itself
    "null_fields": [],
    "absent_fields": [],
    "renamed_fields": {},
    "endpoints": {},
    "not_offered": {},
    "limits": {"name": 50, "line": 50, "town": 35, "postcode": 10, "telephone": 20, "email": 100},
    "upload_parts": {"attachmentTypeID": "attachmentTypeID", "file": "file"},
}
_TEXT_MAPS = ("renamed_fields", "endpoints", "upload_parts")


class Options:
    """The options' present values."""

    def __init__(self, foreign_url: str = "") -> None:
        self._values = {**_DEFAULTS, "foreign_url": foreign_url}

    def __getitem__(self, name: str) -> Any:
        return self._values[name]

    def all(self) -> dict[str, Any]:
        return dict(self._values)

    def set(self, wanted: Mapping[str, Any]) -> None:
        """Set all options named in ``wanted``, or none: raises ValueError with a sentence for the first bad one."""
        checked = {name: _checked(name, value) for name, value in wanted.items()}
        self._values.update(checked)


def _checked(name: str, value: Any) -> Any:
    if name in _CHOICES:
        if value not in _CHOICES[name]:
            raise ValueError(f"{name} must be one of: {', '.join(_CHOICES[name])}")
        return value
    if name not in _DEFAULTS:
        raise ValueError(f"There is no option {name!r}; the options are: {', '.join(_DEFAULTS)}")
    default = _DEFAULTS[name]
    if isinstance(default, float) and type(value) is int:
        value = float(value)
    if type(value) is not type(default):
        raise ValueError(f"{name} must be a {type(default).__name__}")
    good = True
    if isinstance(value, (int, float)):
        good = math.isfinite(value) and 0 <= value <= 1_000_000
    elif isinstance(value, list):
        good = all(isinstance(entry, str) for entry in value)
    elif name in _TEXT_MAPS:
        good = all(isinstance(entry, str) for entry in value.values())
    elif name == "not_offered":
        good = all(entry in (404, 405) for entry in value.values())
    if good and name in ("endpoints", "not_offered"):
        good = set(value) <= set(OPERATIONS)
    if not good:
        raise ValueError(f"{name} cannot be {value!r}")
    # A test that gives one limit or one part keeps the others.
    return {**default, **value} if isinstance(value, dict) else value
