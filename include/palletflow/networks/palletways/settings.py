"""What a connection of the type 'palletways' (the web services) says, checked.

A key is the one the contract (docs/contracts/palletways.md) names as extra `x`; what each is for: README.md beside this
module. The connections that photos are uploaded through have settings of their own.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from palletflow import connection_settings
from palletflow.connection_settings import choice, number, switch, texts, whole, wrong

PHOTOS_IN, PHOTOS_OUT, DISPATCH, IMPORT, NOTES_OUT = "photos_in", "photos_out", "dispatch", "import", "notes_out"
CAPABILITIES = (PHOTOS_IN, PHOTOS_OUT, DISPATCH, IMPORT, NOTES_OUT)
API2, PORTAL = "api2", "portal"
KEY_KINDS = (DEPOT_KEY, CUSTOMER_KEY) = ("depot", "customer")
OUTPUT_FORMATS = ("xml", "json")
SUBMIT_STYLES = (FORM, QUERY, MULTIPART) = ("form", "query", "multipart")
PHOTO_MATCHES = ("near", "exact")
LATE_SCOPES = ("missing", "all")
MANIFEST_DEPOT_NODES = ("none", "Number", "Code")
STATUS_METHODS = ("getDynConStatus@portal", "getDynConStatusByConNo@api2", "conStatusByTrackingId@api2")
PHOTO_METHODS = ("podimages@portal", "getPodByTrackingId@api2")
# A network bans at 100 calls a minute; nobody may set more than this (contract 1.4).
MOST_CALLS_PER_MINUTE = 90
# Of the calls a minute what background work may use: 40 of 60.
BACKGROUND_SHARE = 2 / 3


@dataclass(frozen=True)
class Settings:
    """A connection to the web services. The fields below `key` are the keys of the connection's extra JSON.

    Times are in the unit their name ends with. `depot` is the connection's Login, the depot it is for.
    """

    connection: str
    depot: str
    key: str = field(repr=False)
    allow_http: bool = False
    api2_base: str = "https://api.palletways.com"
    portal_base: str = "https://portal.palletways.com/api"
    key_kind: str = DEPOT_KEY
    capabilities: tuple[str, ...] = (PHOTOS_IN, PHOTOS_OUT)
    own_depots: tuple[str, ...] = ()
    output_format: str = "xml"
    submit_style: str = FORM
    timezone: str = "Europe/London"
    tracking_id_pattern: str = r"\d{6,14}"
    rate_group: str = "palletways-egress"
    calls_per_minute: int = 60
    connect_timeout_s: float = 10
    first_byte_timeout_s: float = 30
    pdf_first_byte_timeout_s: float = 60
    answer_timeout_s: float = 120
    status_methods: tuple[str, ...] = STATUS_METHODS
    completed_codes: tuple[int, ...] = (900,)
    sweep_near_minutes: float = 15
    sweep_far_minutes: float = 240
    photo_methods: tuple[str, ...] = PHOTO_METHODS
    photos_enabled_at: datetime | None = None
    photo_schedule_minutes: tuple[float, ...] = (0, 1, 2, 4, 7, 10, 15)
    photos_customer_visible: bool = False
    photo_match: str = "near"
    min_photo_px: int = 200
    max_pdf_mib: float = 25
    max_pdf_pages: int = 60
    max_image_mpx: float = 50
    max_decode_s: float = 60
    label_words: tuple[str, ...] = ()
    skip_download_when_delivering: bool = False
    late_catch_up: bool = False
    late_schedule: tuple[float, ...] = (1, 3, 8, 24, 72, 168)
    late_scope: str = "missing"
    preflight: bool = True
    manifest_depot_node: str = "none"
    import_cons_entered: bool = False

    def can(self, capability: str) -> bool:
        """Whether the connection is to be used for it; what is not listed is neither done nor asked for."""
        return capability in self.capabilities

    @property
    def zone(self) -> ZoneInfo:
        """That of all times of the network, which names none (contract 1.2)."""
        return ZoneInfo(self.timezone)

    @property
    def background_calls_per_minute(self) -> int:
        """How many of the calls a minute sweeps, late catch-up and backfills may use (contract 1.4)."""
        return max(1, int(self.calls_per_minute * BACKGROUND_SHARE))

    def base(self, host: str) -> str:
        """The base address of `api2` or `portal`, without a slash at its end."""
        return self.api2_base if host == API2 else self.portal_base


def parse(connection: str, login: str | None, password: str | None, extra: Mapping[str, Any]) -> Settings:
    """Checks the parts of an Airflow connection. Raises Misconfigured, naming the field and what is wrong with it."""
    values = connection_settings.read_extra(connection, extra, READERS)
    depot = (login or "").strip()
    if not re.fullmatch(r"\d{3}", depot, re.ASCII):
        raise wrong(connection, "the Login is no depot number of 3 digits")
    key = (password or "").strip()
    if not key:
        raise wrong(connection, "the Password (API key) is empty")
    if not key.isprintable():
        raise wrong(connection, "the Password (API key) has a character that no key has")
    checked = Settings(connection=connection, depot=depot, key=key, **{"own_depots": (depot,), **values})
    if not checked.allow_http:
        for name in ("api2_base", "portal_base"):
            if getattr(checked, name).startswith("http://"):
                raise wrong(connection, f"Extra '{name}' would send the API key unprotected; use https://")
    return checked


# Readers


def _base(value: Any) -> str:
    """A base address. What is wrong is said without showing it, as it may hold a secret."""
    address = str(value).strip().rstrip("/")
    if "@" in address:
        raise ValueError("it holds a user name or password; the API key goes into Password")
    if not connection_settings.is_address(address):
        raise ValueError("it is no web address such as https://api.palletways.com/")
    return address


def _listed(value: Any, separators: str = r"[,\s]+") -> list[Any]:
    listed = [part for part in re.split(separators, value) if part] if isinstance(value, str) else value
    if not isinstance(listed, list):
        raise TypeError("give a list, or values with commas between them")
    return listed


def _capabilities(value: Any) -> tuple[str, ...]:
    """Also none at all: a connection that is kept and does nothing."""
    return tuple(dict.fromkeys(choice(CAPABILITIES)(one) for one in _listed(value)))


def _phrases(value: Any) -> tuple[str, ...]:
    """Words that may have spaces in them, so only commas part them."""
    found = tuple(str(one).strip() for one in _listed(value, ","))
    if not all(found):
        raise ValueError("one of them is empty")
    return found


def _codes(value: Any) -> tuple[int, ...]:
    found = tuple(dict.fromkeys(whole(1, 99_999)(one) for one in _listed(value)))
    if not found:
        raise ValueError("give at least one")
    return found


def _rising(least: float, most: float) -> connection_settings.Reader:
    """Numbers, each greater than the one before."""
    read_one = number(least, most)

    def read(value: Any) -> tuple[float, ...]:
        found = tuple(map(read_one, _listed(value)))
        if not found or list(found) != sorted(set(found)):
            raise ValueError("give at least one, each greater than the one before")
        return found

    return read


def _moment(value: Any) -> datetime:
    moment = datetime.fromisoformat(str(value).strip())
    if moment.tzinfo is None:
        raise ValueError(f"'{value}' needs an offset, e.g. {value}Z")
    return moment


def _zone(value: Any) -> str:
    try:
        ZoneInfo(str(value))
    except (ValueError, OSError, ZoneInfoNotFoundError):
        raise ValueError(f"'{value}' is no time zone such as Europe/London") from None
    return str(value)


def _pattern(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{value} is no pattern")
    re.compile(value)
    return value.removeprefix("^").removesuffix("$")


def _methods(known: tuple[str, ...]) -> connection_settings.Reader:
    names = {method.partition("@")[0] for method in known}
    return texts(f"(?:{'|'.join(sorted(names))})@(?:{API2}|{PORTAL})")


READERS: Mapping[str, connection_settings.Reader] = {
    "allow_http": switch,
    "api2_base": _base,
    "portal_base": _base,
    "key_kind": choice(KEY_KINDS),
    "capabilities": _capabilities,
    "own_depots": texts(r"\d{3}"),
    "output_format": choice(OUTPUT_FORMATS),
    "submit_style": choice(SUBMIT_STYLES),
    "timezone": _zone,
    "tracking_id_pattern": _pattern,
    "rate_group": connection_settings.matching(r"[\w.-]{1,100}", "a name of letters, digits, '.', '-' and '_'"),
    "calls_per_minute": whole(1, MOST_CALLS_PER_MINUTE),
    "connect_timeout_s": number(0.1, 120),
    "first_byte_timeout_s": number(0.1, 600),
    "pdf_first_byte_timeout_s": number(0.1, 600),
    "answer_timeout_s": number(0.1, 600),
    "status_methods": _methods(STATUS_METHODS),
    "completed_codes": _codes,
    "sweep_near_minutes": number(1, 1440),
    "sweep_far_minutes": number(1, 10_080),
    "photo_methods": _methods(PHOTO_METHODS),
    "photos_enabled_at": _moment,
    "photo_schedule_minutes": _rising(0, 1440),
    "photos_customer_visible": switch,
    "photo_match": choice(PHOTO_MATCHES),
    "min_photo_px": whole(1, 10_000),
    "max_pdf_mib": number(0.01, 500),
    "max_pdf_pages": whole(1, 10_000),
    "max_image_mpx": number(0.01, 1000),
    "max_decode_s": number(0.1, 600),
    "label_words": _phrases,
    "skip_download_when_delivering": switch,
    "late_catch_up": switch,
    "late_schedule": _rising(0.25, 8760),
    "late_scope": choice(LATE_SCOPES),
    "preflight": switch,
    "manifest_depot_node": choice(MANIFEST_DEPOT_NODES),
    "import_cons_entered": switch,
}
