"""Checks the parts of an Airflow connection: its Host, its Password and the settings in its Extra.

A reader makes a setting's value from what the form or a hand put into Extra, numbers and switches as text among it. It
raises ValueError or TypeError, and what it says then is shown to whoever keeps the connection.
"""

import json
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any
from urllib.parse import urlsplit

from palletflow.network_errors import Misconfigured

Reader = Callable[[Any], Any]


def wrong(connection: str, detail: str) -> Misconfigured:
    """The error for a connection that cannot be used as it is."""
    return Misconfigured(connection, "Settings", detail)


def as_object(connection: str, extra: str | None) -> dict[str, Any]:
    """A connection's Extra, which Airflow keeps as text. Raises Misconfigured for what is no JSON object.

    Airflow's own reading would give {} for that, and the defaults would go unnoticed.
    """
    try:
        found = json.loads(extra or "{}")
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise wrong(connection, "Extra is not a JSON object")
    return found


def read_extra(
    connection: str, given: Mapping[str, Any], readers: Mapping[str, Reader], may_be_empty: Iterable[str] = ()
) -> dict[str, Any]:
    """The settings that Extra gives, read. An empty form field means the default, but for those that `may_be_empty`.

    Raises Misconfigured for a setting there is not, so that a typing slip does not go unnoticed, and for a bad value.
    """
    unknown = sorted(set(given) - set(readers))
    if unknown:
        known = ", ".join(sorted(readers))
        raise wrong(connection, f"Extra has unknown settings {', '.join(unknown)}; known: {known}")
    values: dict[str, Any] = {}
    for name, value in given.items():
        if value is None or (value == "" and name not in may_be_empty):
            continue
        try:
            values[name] = readers[name](value)
        except (ValueError, TypeError, re.error) as error:
            raise wrong(connection, f"Extra '{name}' is not usable: {error}") from error
    return values


def base_url(connection: str, host: str | None, *, allow_http: bool, called: str, example: str) -> str:
    """The Host made complete, without a slash at its end. `called`: what the Password is.

    What is wrong is said without showing it, as it may hold a secret. Raises Misconfigured.
    """
    text = (host or "").strip()
    scheme, _, rest = text.partition("://") if "://" in text else ("https", "", text)
    rest = rest.rstrip("/")
    url = f"{scheme.lower()}://{rest}"
    if not rest:
        raise wrong(connection, f"the Host is empty; give the complete address, e.g. {example}")
    if "@" in rest:
        raise wrong(connection, f"the Host holds a user name or password; the {called} goes into Password")
    if not is_address(url):
        raise wrong(connection, f"the Host is not a web address such as {example}")
    if url.startswith("http://") and not allow_http:
        raise wrong(connection, f"the Host begins with http:// and would send the {called} unprotected; use https://")
    return url


def is_address(url: str) -> bool:
    """Whether it is an http or https address without query and fragment."""
    try:
        parts = urlsplit(url)
        _ = parts.port  # raises for a port that is none
        host = (parts.hostname or "").encode("idna")  # raises for empty and overlong labels
    except ValueError:
        return False
    return bool(host) and parts.scheme in ("https", "http") and url.isprintable() and not set(url) & set(" ?#")


def header_secret(connection: str, password: str | None, called: str) -> str:
    """A Password that goes into an HTTP header. Raises Misconfigured when it is empty or cannot."""
    key = (password or "").strip()
    if not key:
        raise wrong(connection, f"the Password ({called}) is empty")
    if not (key.isascii() and key.isprintable()):
        raise wrong(connection, f"the Password ({called}) has a character that no HTTP header can carry")
    return key


# Readers


def switch(value: Any) -> bool:
    """True or false, also as text."""
    if isinstance(value, bool):
        return value
    text = str(value).strip().casefold()
    if text not in ("true", "false"):
        raise ValueError(f"'{value}' is neither true nor false")
    return text == "true"


def number(least: float, most: float) -> Reader:
    """A number from least to most."""

    def read(value: Any) -> float:
        if isinstance(value, bool) or not isinstance(value, str | int | float):
            raise TypeError(f"{value} is no number")
        found = float(value)
        if not least <= found <= most:
            raise ValueError(f"{value} is not between {least:g} and {most:g}")
        return found

    return read


def whole(least: int, most: int) -> Reader:
    """A whole number from least to most."""
    any_number = number(least, most)

    def read(value: Any) -> int:
        found: float = any_number(value)
        if not found.is_integer():
            raise ValueError(f"{value} is no whole number")
        return int(found)

    return read


def choice(allowed: tuple[str, ...]) -> Reader:
    """One of the allowed words."""

    def read(value: Any) -> str:
        if value not in allowed:
            raise ValueError(f"'{value}' is not one of {', '.join(allowed)}")
        return str(value)

    return read


def texts(allowed: str) -> Reader:
    """At least one text of the form `allowed`, a regular expression; a list, or words with commas between them."""

    def read(value: Any) -> tuple[str, ...]:
        if not isinstance(value, str | list):
            raise TypeError("give a list, or words with commas between them")
        found = tuple(filter(None, re.split(r"[,\s]+", value)) if isinstance(value, str) else map(str, value))
        if not found:
            raise ValueError("give at least one")
        for text in found:
            if not re.fullmatch(allowed, text):
                raise ValueError(f"'{text}' is not allowed there")
        return found

    return read


def matching(allowed: str, means: str) -> Reader:
    """A text of the form `allowed`, a regular expression that `means` says in words."""

    def read(value: Any) -> str:
        if not isinstance(value, str) or not re.fullmatch(allowed, value):
            raise ValueError(f"{value!r} is not {means}")
        return value

    return read


def delays(value: Any) -> tuple[float, ...]:
    """Seconds after a sending, each later than the one before."""
    seconds = number(1, 86_400)
    listed = re.split(r"[,\s]+", value.strip()) if isinstance(value, str) else value
    if not isinstance(listed, list):
        raise TypeError("give a list of seconds")
    found = tuple(map(seconds, listed))
    if not found or list(found) != sorted(set(found)):
        raise ValueError("give seconds after the sending, each later than the one before")
    return found


def mapping(value: Any) -> dict[str, Any]:
    """A JSON object."""
    if not isinstance(value, dict):
        raise TypeError("give a JSON object")
    return value


def header_name(value: Any) -> str:
    """The name of an HTTP header, or "" for none."""
    if not isinstance(value, str) or not re.fullmatch(r"[\w!#$%&'*+.^`|~-]*", value, re.ASCII):
        raise ValueError(f"{value!r} is no header name")
    return value
