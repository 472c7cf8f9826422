"""What connections of the types 'nexus' and 'optimize' say, checked.

A key is the one the contract (docs/contracts/nexus.md) names as `extra.x`; what each is for: README.md beside this
module.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from palletflow import connection_settings
from palletflow.connection_settings import (
    choice,
    delays,
    header_name,
    header_secret,
    matching,
    number,
    switch,
    texts,
    whole,
    wrong,
)

EXAMPLE = "https://rest-api-nexus.example.com/v1/"
OPTIMIZE_EXAMPLE = "https://optimize.example.com/api"
RENEWALS = ("login", "refresh")
ARRAY_STYLES = ("repeat", "comma", "brackets")
CUSTOMER_ID_FORMS = ("string", "integer")
HISTORIES = ("auto", "on", "off")
IMPORTED = ("adopt", "refuse")


@dataclass(frozen=True)
class Settings:
    """A connection to Nexus. The field names below `password` are the keys of the connection's extra JSON.

    Times are in the unit their name ends with.
    """

    connection: str
    base_url: str
    login: str
    password: str = field(repr=False)
    allow_http: bool = False
    connect_timeout_s: float = 10
    read_timeout_s: float = 60
    rate_per_second: float = 2
    token_ttl_s: float = 3600
    auth_renew: str = "login"
    auth_cooldown_s: float = 60
    retry_after_cap_s: float = 300
    attachment_hosts: tuple[str, ...] = ()
    max_download_mb: float = 25
    array_style: str = "repeat"
    page_size: int = 100
    page_overlap: int = 5
    window_chunk_days: int = 31
    overlap_days: int = 2
    lookup_ttl_h: float = 24
    customer_id_as: str = "string"
    allow_cross_network: bool = False
    dispatch_imported: str = "adopt"
    reconcile_delays: tuple[float, ...] = (5, 30, 120)
    label_retry_h: float = 24
    status_history: str = "auto"
    status_export: bool = False
    status_export_max_age_h: float = 48
    pod_chase_days: float = 14

    @property
    def origin(self) -> tuple[str, str, int | None]:
        """Scheme, host and port: where the bearer may go (contract 1.7)."""
        return origin(self.base_url)


@dataclass(frozen=True)
class OptimizeSettings:
    """The connection to Optimize (contract 10)."""

    connection: str
    base_url: str
    api_key: str = field(repr=False)
    allow_http: bool = False
    connect_timeout_s: float = 10
    read_timeout_s: float = 60
    retry_after_cap_s: float = 300
    path: str = "etas"
    key_header: str = "X-Api-Key"
    window_minutes: float = 60
    threshold_minutes: float = 15
    require_in_progress: bool = False


def parse(
    connection: str, host: str | None, login: str | None, password: str | None, extra: Mapping[str, Any]
) -> Settings:
    """Checks the parts of an Airflow connection. Raises Misconfigured, naming the field and what is wrong with it."""
    values = connection_settings.read_extra(connection, extra, READERS)
    return Settings(
        connection=connection,
        base_url=connection_settings.base_url(
            connection, host, allow_http=values.get("allow_http", False), called="password", example=EXAMPLE
        ),
        login=_filled(connection, login, "Login (user name)").strip(),
        password=_filled(connection, password, "Password"),
        **values,
    )


def parse_optimize(
    connection: str, host: str | None, password: str | None, extra: Mapping[str, Any]
) -> OptimizeSettings:
    """As parse, for the connection to Optimize."""
    values = connection_settings.read_extra(connection, extra, OPTIMIZE_READERS)
    return OptimizeSettings(
        connection=connection,
        base_url=connection_settings.base_url(
            connection, host, allow_http=values.get("allow_http", False), called="API key", example=OPTIMIZE_EXAMPLE
        ),
        api_key=header_secret(connection, password, "API key"),
        **values,
    )


def origin(url: str) -> tuple[str, str, int | None]:
    """Scheme, host and port of an address, the scheme's own port named. Raises ValueError for a port that is none."""
    parts = urlsplit(url)
    port = parts.port or {"https": 443, "http": 80}.get(parts.scheme)
    return parts.scheme, (parts.hostname or "").rstrip("."), port


def _filled(connection: str, value: str | None, called: str) -> str:
    if not (value or "").strip():
        raise wrong(connection, f"the {called} is empty")
    return value or ""


def _header(value: Any) -> str:
    if not header_name(value):
        raise ValueError("an empty header carries no key")
    return str(value)


READERS: Mapping[str, connection_settings.Reader] = {
    "allow_http": switch,
    "connect_timeout_s": number(0.1, 120),
    "read_timeout_s": number(0.1, 600),
    "rate_per_second": number(0.01, 1000),
    "token_ttl_s": number(1, 604_800),
    "auth_renew": choice(RENEWALS),
    "auth_cooldown_s": number(0, 86_400),
    "retry_after_cap_s": number(1, 3600),
    "attachment_hosts": texts(r"(?i:[a-z0-9]([a-z0-9.-]*[a-z0-9])?|\[[0-9a-f:.]+\])(:[0-9]{1,5})?"),
    "max_download_mb": number(0.01, 500),
    "array_style": choice(ARRAY_STYLES),
    "page_size": whole(1, 1000),
    "page_overlap": whole(0, 999),
    "window_chunk_days": whole(1, 31),
    "overlap_days": whole(0, 31),
    "lookup_ttl_h": number(0, 720),
    "customer_id_as": choice(CUSTOMER_ID_FORMS),
    "allow_cross_network": switch,
    "dispatch_imported": choice(IMPORTED),
    "reconcile_delays": delays,
    "label_retry_h": number(0, 720),
    "status_history": choice(HISTORIES),
    "status_export": switch,
    "status_export_max_age_h": number(0, 720),
    "pod_chase_days": number(0, 365),
}
OPTIMIZE_READERS: Mapping[str, connection_settings.Reader] = {
    "allow_http": switch,
    "connect_timeout_s": number(0.1, 120),
    "read_timeout_s": number(0.1, 600),
    "retry_after_cap_s": number(1, 3600),
    "path": matching(r"/?[A-Za-z0-9._~%-]+(/[A-Za-z0-9._~%-]+)*/?", "a path such as etas"),
    "key_header": _header,
    "window_minutes": number(1, 1440),
    "threshold_minutes": number(0, 1440),
    "require_in_progress": switch,
}
