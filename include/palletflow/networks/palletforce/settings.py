"""What a Palletforce connection says, checked (contract 1.1 and the settings named through sections 2 and 3)."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfoNotFoundError

from palletflow import connection_settings
from palletflow.connection_settings import (
    choice,
    delays,
    header_name,
    header_secret,
    mapping,
    matching,
    number,
    switch,
    texts,
    whole,
)
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
# What the Password is.
CALLED = "access key"
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
    values = connection_settings.read_extra(connection, extra, READERS, may_be_empty=("client_id_header",))
    return Settings(
        connection=connection,
        base_url=connection_settings.base_url(
            connection, host, allow_http=values.get("allow_http", False), called=CALLED, example=EXAMPLE
        ),
        access_key=header_secret(connection, password, CALLED),
        **values,
    )


def _operations(value: Any) -> dict[str, str]:
    names = mapping(value)
    for name, text in names.items():
        if name not in OPERATIONS:
            raise ValueError(f"'{name}' is not one of {', '.join(OPERATIONS)}")
        if not isinstance(text, str):
            raise TypeError(f"'{text}' is not a name")
    return names


def _status_classes(value: Any) -> dict[str, str]:
    classes = mapping(value)
    for status, outcome in classes.items():
        if not re.fullmatch(r"[1-5]\d\d", status):
            raise ValueError(f"'{status}' is not an HTTP status")
        if outcome not in OUTCOME_CLASSES:
            raise ValueError(f"'{outcome}' is not one of {', '.join(OUTCOME_CLASSES)}")
    return classes


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
    "allow_http": switch,
    "client_id_header": header_name,
    "connect_timeout_s": number(0.1, 120),
    "read_timeout_s": number(0.1, 600),
    "max_in_flight": whole(1, 16),
    "datetime_format": _datetime_format,
    "time_zone": _zone,
    "operations": _operations,
    "status_classes": _status_classes,
    "auth_error_pattern": _pattern,
    "depot_codes": texts(r"\d{3}"),
    "page_size": whole(1, 1000),
    "pull_window_h": number(0.25, 167),  # 7 days on the clock, even in the week when clocks go forward
    "pull_overlap_min": number(0, 1440),
    "import_unaccepted": switch,
    "lookup_by": texts("|".join(LOOKUPS)),
    "lookup_delays_s": delays,
    "resend_after_unknown": choice(RESENDS),
    "duplicate_error_pattern": _pattern,
    "duplicate_precheck": choice(DUPLICATE_PRECHECKS),
    "notification_error_pattern": _pattern,
    "notification_retry": switch,
    "precreated_mode": choice(PRECREATED_MODES),
    "accepted_status": choice(ACCEPTED_STATUSES),
    "transaction_prefix": matching("[A-Za-z0-9]{1,10}", "1 to 10 letters and digits"),
    "system_id": matching(r"[0-9]{3}", "3 digits"),
    "tracking_mode": choice(TRACKING_MODES),
    "tracking_keep_days": whole(0, 365),
    "tracking_max_days": whole(1, 365),
    "upload_batch": whole(1, 100),
    "all_barcodes_rule": choice(ALL_BARCODES_RULES),
    "echo_window_s": number(0, 3600),
    "derive_delv": switch,
}
