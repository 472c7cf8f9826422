"""What a Palletforce connection says, checked (contract 1.1 and the settings named through sections 2 and 3)."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any
from urllib.parse import urlsplit
from zoneinfo import ZoneInfoNotFoundError

from palletflow.network_errors import Misconfigured
from palletflow.networks.palletforce.wire import LocalTime

OPERATIONS = {"FetchManifest": "DownloadManifest"}
LOOKUPS = ("trackingNumber", "uniqueTransactionNumber", "window")
OUTCOME_CLASSES = ("AUTH", "THROTTLED", "CONFIG", "REJECTED", "UNKNOWN")
SECONDS, MINUTES, HOURS = "seconds", "minutes", "hours"


@dataclass(frozen=True)
class Settings:
    """One connection. The field names below `access_key` are the keys of the connection's extra JSON.

    Times are in the unit their name ends with. `operations` renames an operation, `status_classes` gives an HTTP
    status another outcome class, `response_aliases` comes from the import template.
    """

    connection: str
    base_url: str
    access_key: str = field(repr=False)
    allow_http: bool = False
    client_id_header: str = "x-ibm-client-id"
    connect_timeout_s: float = 5
    read_timeout_s: float = 20
    max_in_flight: int = 2
    datetime_format: str = "%Y-%m-%dT%H:%M:%S"
    time_zone: str = "Europe/London"
    operations: Mapping[str, str] = field(default_factory=dict)
    status_classes: Mapping[str, str] = field(default_factory=dict)
    auth_error_pattern: str = "access key|unauthori[sz]ed"
    depot_codes: tuple[str, ...] = ()
    page_size: int = 100
    pull_window_h: float = 24
    pull_overlap_min: float = 15
    import_unaccepted: bool = False
    lookup_by: tuple[str, ...] = LOOKUPS

    @property
    def local_time(self) -> LocalTime:
        """How this connection writes and reads the network's times."""
        return LocalTime(self.time_zone, self.datetime_format)

    def operation(self, name: str) -> str:
        """The name an operation has on the wire."""
        return self.operations.get(name) or OPERATIONS.get(name, name)


def parse(connection: str, host: str | None, password: str | None, extra: Mapping[str, Any]) -> Settings:
    """Checks the parts of an Airflow connection. Raises Misconfigured, naming the field and what is wrong with it."""
    known = {spec.name for spec in fields(Settings)} - {"connection", "base_url", "access_key"}
    unknown = sorted(set(extra) - known)
    if unknown:
        raise _wrong(connection, f"Extra has unknown settings {', '.join(unknown)}; known: {', '.join(sorted(known))}")
    values: dict[str, Any] = {}
    for name, value in extra.items():
        if value is None or (value == "" and name != "client_id_header"):
            continue  # an empty form field means the default
        try:
            values[name] = READERS[name](value)
        except (ValueError, TypeError, re.error, ZoneInfoNotFoundError) as error:
            raise _wrong(connection, f"Extra '{name}' is not usable: {error}") from error
    if not password:
        raise _wrong(connection, "the Password (access key) is empty")
    return Settings(
        connection=connection,
        base_url=_base_url(connection, host, values.get("allow_http", False)),
        access_key=password,
        **values,
    )


def _base_url(connection: str, host: str | None, allow_http: bool) -> str:
    url = (host or "").strip().rstrip("/")
    if not url:
        raise _wrong(
            connection,
            "the Host is empty; give the complete address, e.g. https://apiuat.palletforce.net/api/ExternalScanning",
        )
    if "://" not in url:
        url = f"https://{url}"
    parts = urlsplit(url)
    if parts.scheme not in ("https", "http") or not parts.hostname:
        raise _wrong(connection, f"the Host '{url}' is not a web address")
    if parts.scheme == "http" and not allow_http:
        raise _wrong(connection, "the Host begins with http:// and would send the access key unprotected; use https://")
    return url


def _wrong(connection: str, detail: str) -> Misconfigured:
    return Misconfigured(connection, "Settings", detail)


def _switch(value: Any) -> bool:
    if isinstance(value, bool):
        return value
    text = str(value).strip().casefold()
    if text not in ("true", "false"):
        raise ValueError(f"'{value}' is neither true nor false")
    return text == "true"


def _number(least: float, most: float) -> Any:
    def read(value: Any) -> float:
        number = float(value)
        if not least <= number <= most:
            raise ValueError(f"{value} is not between {least:g} and {most:g}")
        return number

    return read


def _whole(least: int, most: int) -> Any:
    return lambda value: int(_number(least, most)(value))


def _texts(allowed: str) -> Any:
    def read(value: Any) -> tuple[str, ...]:
        texts = tuple(re.split(r"[,\s]+", value.strip()) if isinstance(value, str) else map(str, value))
        for text in texts:
            if not re.fullmatch(allowed, text):
                raise ValueError(f"'{text}' is not allowed there")
        return texts

    return read


def _names(value: Any, allowed: tuple[str, ...] | None = None) -> dict[str, str]:
    if not isinstance(value, dict):
        raise TypeError("give a JSON object")
    for text in value.values():
        if not isinstance(text, str) or (allowed and text not in allowed):
            raise ValueError(f"'{text}' is not one of {', '.join(allowed or ('text',))}")
    return {str(key): text for key, text in value.items()}


def _pattern(value: Any) -> str:
    re.compile(value)
    return str(value)


def _zone(value: Any) -> str:
    LocalTime(value, "")
    return str(value)


READERS: Mapping[str, Any] = {
    "allow_http": _switch,
    "client_id_header": str,
    "connect_timeout_s": _number(0.1, 120),
    "read_timeout_s": _number(0.1, 600),
    "max_in_flight": _whole(1, 16),
    "datetime_format": str,
    "time_zone": _zone,
    "operations": _names,
    "status_classes": lambda value: _names(value, OUTCOME_CLASSES),
    "auth_error_pattern": _pattern,
    "depot_codes": _texts(r"\d{3}"),
    "page_size": _whole(1, 1000),
    "pull_window_h": _number(0.25, 168),
    "pull_overlap_min": _number(0, 1440),
    "import_unaccepted": _switch,
    "lookup_by": _texts("|".join(LOOKUPS)),
}
