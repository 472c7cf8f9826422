"""The network's habits that a test may change (section 9), with their defaults."""

import math
from collections.abc import Mapping
from typing import Any

from .gazetteer import DEPOTS
from .members import OUR_DEPOTS

# Switch: allowed values, default first.
_CHOICES: dict[str, tuple[str, ...]] = {
    "success_type": ("boolean", "string"),
    "failure_http": ("400", "200", "500"),  # status of a body with success false
    "failure_key": ("trailing space", "plain"),
    "failure_reasons_type": ("list", "string"),
    "strict_strings": ("on", "off"),  # refuse scalars that are no strings
    "header_auth": ("off", "required"),  # a missing or wrong x-ibm-client-id is answered 401
    "bad_key": ("401", "200", "400"),  # by the gateway, or with that status and success false
    "tracking_success_field": ("present", "absent"),
    "transaction_replay": ("on", "off"),  # off: a repeated transaction number is refused, equal body or not
    "progress": ("on", "off"),  # off: consignments do not move by themselves
}
_DEFAULTS: dict[str, Any] = {
    **{name: values[0] for name, values in _CHOICES.items()},
    "page_size_max": 100,
    "unclean_share": 0.05,  # share of deliveries that do not end in a clean POD at once
    "client_depots": list(OUR_DEPOTS),  # depots whose legs are reported by the client, not by the network itself
}


class Switches:
    """The switches' present values."""

    def __init__(self) -> None:
        self._values = dict(_DEFAULTS)

    def __getitem__(self, name: str) -> Any:
        return self._values[name]

    def is_on(self, name: str) -> bool:
        return bool(self._values[name] == "on")

    def all(self) -> dict[str, Any]:
        return dict(self._values)

    def set(self, wanted: Mapping[str, Any]) -> None:
        """Set all switches named in ``wanted``, or none: raises ValueError with a sentence for the first bad one."""
        checked = {name: _checked(name, value) for name, value in wanted.items()}
        self._values.update(checked)


def _checked(name: str, value: Any) -> Any:
    if name in _CHOICES:
        if isinstance(value, bool) or str(value) not in _CHOICES[name]:
            raise ValueError(f"{name} must be one of: {', '.join(_CHOICES[name])}")
        return str(value)
    if name == "page_size_max":
        if type(value) is not int or not 1 <= value <= 10_000:
            raise ValueError("page_size_max must be a whole number from 1 to 10000")
        return value
    if name == "unclean_share":
        if type(value) not in (int, float) or not (math.isfinite(value) and 0 <= value <= 1):
            raise ValueError("unclean_share must be a number from 0 to 1")
        return float(value)
    if name == "client_depots":
        if not isinstance(value, list) or not all(isinstance(code, str) and code in DEPOTS for code in value):
            raise ValueError("client_depots must be a list of depot codes of this network")
        return list(value)
    raise ValueError(f"There is no switch {name!r}; the switches are: {', '.join(_DEFAULTS)}")
