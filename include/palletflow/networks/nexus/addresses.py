"""Where a call may go, and whether the bearer goes with it (contract 1.7). Pure functions."""

from collections.abc import Collection
from urllib.parse import quote, urljoin, urlsplit, urlunsplit

from palletflow.networks.nexus.settings import origin

# What a URL has already escaped or needs as it is.
KEPT = "/:;=@!$&'()*+,?%~-._[]"


class NotAllowed(ValueError):
    """An address that is not followed; the text says why and shows its host at most."""


def followed(url: str, base: str) -> str:
    """The address that a link or redirect found at `base` leads to, written so that nobody can read it two ways.

    Raises NotAllowed for what is no web address or holds a login.
    """
    if "\\" in url or not url.strip().isprintable():
        raise NotAllowed("it holds a character that no address has")
    try:
        parts = urlsplit(urljoin(base, url.strip()))
        scheme, host, port = origin(parts.geturl())
    except ValueError:
        raise NotAllowed("it is no web address") from None
    if scheme not in ("https", "http") or not host:
        raise NotAllowed("it is no web address")
    if "@" in parts.netloc:
        raise NotAllowed(f"it holds a login to {host}")
    place = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    return urlunsplit((scheme, place, quote(parts.path, safe=KEPT), quote(parts.query, safe=KEPT), ""))


def is_own(url: str, base: str) -> bool:
    """Whether scheme, host and port are those of the connection: only there goes the bearer."""
    return origin(url) == origin(base)


def must_be_allowed(url: str, hosts: Collection[str]) -> None:
    """Another origin is asked only over https; or, when `hosts` are given, only they. Raises NotAllowed."""
    scheme, host, port = origin(url)
    if hosts:
        place = f"[{host}]" if ":" in host else host
        if not {place, f"{place}:{port}"} & {listed.casefold() for listed in hosts}:
            raise NotAllowed(f"{host} is not one of the attachment_hosts")
    elif scheme != "https":
        raise NotAllowed(f"the file at {host} would come unprotected over http")


def host_of(url: str) -> str:
    """The host of an address, for logs: the rest of a file's address may open it."""
    return origin(url)[1]
