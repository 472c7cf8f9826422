"""What every client of a network needs about HTTP: whether a request has left us, bounded answers, masked texts."""

import html
import io
import json
import math
import re
import time
from collections import deque
from collections.abc import Iterator
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from urllib.parse import quote

import requests
import urllib3

MASK = "***"
PART = 1 << 18
# So much of a text of the network's is looked through for a secret.
TEXT_SEARCHED = 65_536
# Tokens in use and some that an answer on its way may still speak of.
TOKENS_KEPT = 8


class Body(io.BytesIO):
    """A request's body that knows whether it was asked for. Before that nothing was sent that could be carried out."""

    has_left = False

    def read(self, size: int | None = -1, /) -> bytes:
        """As every file's."""
        self.has_left = True
        return super().read(size)


class Session(requests.Session):
    """A session for calls with allow_redirects=False. Its Location stays a text: one that is no address is no error."""

    def get_redirect_target(self, resp: requests.Response) -> str | None:
        """Nowhere: requests works the target out even when it is not to follow it."""
        return None


def content(answer: requests.Response, most_bytes: int, within_s: float = math.inf) -> bytes | None:
    """The body of a streamed answer; None when it is larger than allowed. Raises RequestException.

    `within_s`: for all of it, so that an answer that comes drop by drop ends as one that does not come.
    """
    deadline = time.monotonic() + within_s
    parts: list[bytes] = []
    size = 0
    while True:
        try:
            part = answer.raw.read1(PART, decode_content=True)
        except urllib3.exceptions.HTTPError as error:
            raise requests.exceptions.ConnectionError(error) from error
        if not part:
            return b"".join(parts)
        parts.append(part)
        size += len(part)
        if size > most_bytes:
            return None
        if time.monotonic() > deadline:
            raise requests.exceptions.ReadTimeout(f"the answer did not end within {within_s:g} s")


def retry_after(header: str | None, now: datetime) -> float | None:
    """The seconds a Retry-After asks for, given as seconds or as HTTP date; None when it is absent or unreadable."""
    try:
        seconds = float(header or "")
    except ValueError:
        try:
            moment = parsedate_to_datetime(header or "")
        except ValueError:
            return None
        # HTTP dates are GMT, with or without a zone that says so.
        seconds = ((moment if moment.tzinfo else moment.replace(tzinfo=UTC)) - now).total_seconds()
    return None if math.isnan(seconds) else max(seconds, 0.0)


def reason(error: requests.exceptions.RequestException) -> str:
    """What happened, without the wrappings of requests and urllib3."""
    inner = error.args[0] if error.args else error
    return str(getattr(inner, "reason", inner))


def shown(text: str, secret: re.Pattern[str], most: int) -> str:
    """A text of the network's for an error message: the secret masked, on one line, at most so long."""
    # Masked before it is cut to size: a secret cut in half would no longer be known as one.
    return " ".join(secret.sub(MASK, text[:TEXT_SEARCHED]).split())[:most]


class Secrets:
    """What no text of ours may show: a password, and the tokens it was changed for."""

    def __init__(self, password: str) -> None:
        self._password = in_any_form(password)
        self._tokens: deque[str] = deque(maxlen=TOKENS_KEPT)

    def add(self, token: str) -> None:
        """A token that was given now."""
        self._tokens.append(token)

    def shown(self, text: str, most: int) -> str:
        """As shown(), for all of them."""
        text = text[:TEXT_SEARCHED]
        for token in self._tokens:
            for form in {token, quote(token, safe=""), json.dumps(token)[1:-1], html.escape(token)}:
                text = text.replace(form, MASK)
        return shown(text, self._password, most)


def in_any_form(secret: str) -> re.Pattern[str]:
    """Matches a secret as networks echo it: as it is, or escaped for a URL, JSON or HTML, even twice."""
    return re.compile("".join(f"(?:{'|'.join(_forms(letter))})" for letter in secret))


def _forms(letter: str) -> Iterator[str]:
    code = ord(letter)
    yield rf"\\*{re.escape(letter)}"
    yield rf"(?i:\\+u{code:04x})"
    yield rf"(?i:%(?:25)*{code:02x})"
    yield rf"(?i:&(?:amp;)*(?:#0*{code}|#x0*{code:x});)"
    yield re.escape(html.escape(letter))
    if letter == " ":
        yield r"\+"
