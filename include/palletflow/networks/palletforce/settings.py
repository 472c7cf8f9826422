"""What a Palletforce connection says, checked (contract 1.1 and the settings named through sections 2 and 3)."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit
from zoneinfo import ZoneInfoNotFoundError

from palletflow.network_errors import Misconfigured
from palletflow.networks.palletforce.wire import LocalTime

# Operation: its name on the wire unless `operations` gives another (contract 1.1).
OPERATIONS = {
    "UploadManifest": "UploadManifest",
    "DownloadLabel": "DownloadLabel",
    "DownloadTracking": "DownloadTracking",
    "DownloadManifest": "DownloadManifest",
    "FetchManifest": "DownloadManifest",
    "UploadTracking": "UploadTracking",
}
TRACKING_MODES = ("number", "depot")
ALL_BARCODES_RULES = ("same_effect", "same_code")
LOOKUPS = ("trackingNumber", "uniqueTransactionNumber", "window")
RESENDS = ("once", "never")
DUPLICATE_PRECHECKS = ("block", "network")
PRECREATED_MODES = ("upload", "fetch")
ACCEPTED_STATUSES = ("Y", "N")
OUTCOME_CLASSES = ("AUTH", "THROTTLED", "CONFIG", "REJECTED", "UNKNOWN")
EXAMPLE = "https://apiuat.palletforce.net/api/ExternalScanning"


@dataclass(frozen=True)
class Settings:
    """One connection. The field names below `access_key` are the keys of the connection's extra JSON.

    Times are in the unit their name ends with. What each one is for: README.md beside this module.
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
    lookup_delays_s: tuple[float, ...] = (60, 120, 300)
    resend_after_unknown: str = "once"
    duplicate_error_pattern: str = "already registered|already been used"
    duplicate_precheck: str = "block"
    notification_error_pattern: str = "notification"
    notification_retry: bool = True
    precreated_mode: str = "upload"
    accepted_status: str = ""
    transaction_prefix: str = "AF"
    system_id: str = ""
    tracking_mode: str = "number"
    tracking_keep_days: int = 14
    tracking_max_days: int = 60
    upload_batch: int = 100
    all_barcodes_rule: str = "same_effect"
    echo_window_s: float = 60
    derive_delv: bool = True

    @property
    def local_time(self) -> LocalTime:
        """How this connection writes and reads the network's times."""
        return LocalTime(self.time_zone, self.datetime_format)

    def operation(self, name: str) -> str:
        """The name an operation has on the wire."""
        return self.operations.get(name) or OPERATIONS[name]


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
        except (ValueError, TypeError, re.error) as error:
            raise _wrong(connection, f"Extra '{name}' is not usable: {error}") from error
    return Settings(
        connection=connection,
        base_url=_base_url(connection, host, values.get("allow_http", False)),
        access_key=_access_key(connection, password),
        **values,
    )


def _access_key(connection: str, password: str | None) -> str:
    key = (password or "").strip()
    if not key:
        raise _wrong(connection, "the Password (access key) is empty")
    if not (key.isascii() and key.isprintable()):
        raise _wrong(connection, "the Password (access key) has a character that no HTTP header can carry")
    return key


def _base_url(connection: str, host: str | None, allow_http: bool) -> str:
    """The Host made complete. What is wrong is said without showing it, as it may hold a secret."""
    text = (host or "").strip()
    scheme, _, rest = text.partition("://") if "://" in text else ("https", "", text)
    rest = rest.rstrip("/")
    url = f"{scheme.lower()}://{rest}"
    if not rest:
        raise _wrong(connection, f"the Host is empty; give the complete address, e.g. {EXAMPLE}")
    if "@" in rest:
        raise _wrong(connection, "the Host holds a user name or password; the access key goes into Password")
    if not _is_address(url):
        raise _wrong(connection, f"the Host is not a web address such as {EXAMPLE}")
    if url.startswith("http://") and not allow_http:
        raise _wrong(connection, "the Host begins with http:// and would send the access key unprotected; use https://")
    return url


def _is_address(url: str) -> bool:
    try:
        parts = urlsplit(url)
        _ = parts.port  # raises for a port that is none
        host = (parts.hostname or "").encode("idna")  # raises for empty and overlong labels
    except ValueError:
        return False
    return bool(host) and parts.scheme in ("https", "http") and url.isprintable() and not set(url) & set(" ?#")


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
        if isinstance(value, bool) or not isinstance(value, str | int | float):
            raise TypeError(f"{value} is no number")
        number = float(value)
        if not least <= number <= most:
            raise ValueError(f"{value} is not between {least:g} and {most:g}")
        return number

    return read


def _whole(least: int, most: int) -> Any:
    number = _number(least, most)

    def read(value: Any) -> int:
        found: float = number(value)
        if not found.is_integer():
            raise ValueError(f"{value} is no whole number")
        return int(found)

    return read


def _choice(allowed: tuple[str, ...]) -> Any:
    def read(value: Any) -> str:
        if value not in allowed:
            raise ValueError(f"'{value}' is not one of {', '.join(allowed)}")
        return str(value)

    return read


def _texts(allowed: str) -> Any:
    def read(value: Any) -> tuple[str, ...]:
        if not isinstance(value, str | list):
            raise TypeError("give a list, or words with commas between them")
        texts = tuple(filter(None, re.split(r"[,\s]+", value)) if isinstance(value, str) else map(str, value))
        if not texts:
            raise ValueError("give at least one")
        for text in texts:
            if not re.fullmatch(allowed, text):
                raise ValueError(f"'{text}' is not allowed there")
        return texts

    return read


def _text(allowed: str, means: str) -> Any:
    def read(value: Any) -> str:
        if not isinstance(value, str) or not re.fullmatch(allowed, value):
            raise ValueError(f"{value!r} is not {means}")
        return value

    return read


def _delays(value: Any) -> tuple[float, ...]:
    """Seconds after a sending, each later than the one before."""
    number = _number(1, 86_400)
    listed = re.split(r"[,\s]+", value.strip()) if isinstance(value, str) else value
    if not isinstance(listed, list):
        raise TypeError("give a list of seconds")
    delays = tuple(map(number, listed))
    if not delays or list(delays) != sorted(set(delays)):
        raise ValueError("give seconds after the sending, each later than the one before")
    return delays


def _operations(value: Any) -> dict[str, str]:
    names = _object(value)
    for name, text in names.items():
        if name not in OPERATIONS:
            raise ValueError(f"'{name}' is not one of {', '.join(OPERATIONS)}")
        if not isinstance(text, str):
            raise TypeError(f"'{text}' is not a name")
    return names


def _status_classes(value: Any) -> dict[str, str]:
    classes = _object(value)
    for status, outcome in classes.items():
        if not re.fullmatch(r"[1-5]\d\d", status):
            raise ValueError(f"'{status}' is not an HTTP status")
        if outcome not in OUTCOME_CLASSES:
            raise ValueError(f"'{outcome}' is not one of {', '.join(OUTCOME_CLASSES)}")
    return classes


def _object(value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise TypeError("give a JSON object")
    return value


def _header(value: Any) -> str:
    if not isinstance(value, str) or not re.fullmatch(r"[\w!#$%&'*+.^`|~-]*", value, re.ASCII):
        raise ValueError(f"{value!r} is no header name")
    return value


def _pattern(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{value} is no pattern")
    re.compile(value)
    return value


def _datetime_format(value: Any) -> str:
    moment = datetime(2026, 11, 22, 13, 45, 59)  # noqa: DTZ001 - wall-clock time, as on the wire
    form = str(value)
    try:
        whole = datetime.strptime(moment.strftime(form), form) == moment  # noqa: DTZ007
    except ValueError:
        whole = False
    if not whole:
        raise ValueError(f"'{form}' does not write date and time to the second; see Python's strftime")
    return form


def _zone(value: Any) -> str:
    try:
        LocalTime(str(value), "")
    except (ValueError, OSError, ZoneInfoNotFoundError):
        raise ValueError(f"'{value}' is no time zone such as Europe/London") from None
    return str(value)


READERS: Mapping[str, Any] = {
    "allow_http": _switch,
    "client_id_header": _header,
    "connect_timeout_s": _number(0.1, 120),
    "read_timeout_s": _number(0.1, 600),
    "max_in_flight": _whole(1, 16),
    "datetime_format": _datetime_format,
    "time_zone": _zone,
    "operations": _operations,
    "status_classes": _status_classes,
    "auth_error_pattern": _pattern,
    "depot_codes": _texts(r"\d{3}"),
    "page_size": _whole(1, 1000),
    "pull_window_h": _number(0.25, 167),  # 7 days on the clock, even in the week when clocks go forward
    "pull_overlap_min": _number(0, 1440),
    "import_unaccepted": _switch,
    "lookup_by": _texts("|".join(LOOKUPS)),
    "lookup_delays_s": _delays,
    "resend_after_unknown": _choice(RESENDS),
    "duplicate_error_pattern": _pattern,
    "duplicate_precheck": _choice(DUPLICATE_PRECHECKS),
    "notification_error_pattern": _pattern,
    "notification_retry": _switch,
    "precreated_mode": _choice(PRECREATED_MODES),
    "accepted_status": _choice(ACCEPTED_STATUSES),
    "transaction_prefix": _text("[A-Za-z0-9]{1,10}", "1 to 10 letters and digits"),
    "system_id": _text(r"[0-9]{3}", "3 digits"),
    "tracking_mode": _choice(TRACKING_MODES),
    "tracking_keep_days": _whole(0, 365),
    "tracking_max_days": _whole(1, 365),
    "upload_batch": _whole(1, 100),
    "all_barcodes_rule": _choice(ALL_BARCODES_RULES),
    "echo_window_s": _number(0, 3600),
    "derive_delv": _switch,
}
