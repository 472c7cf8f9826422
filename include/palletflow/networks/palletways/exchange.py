"""One request and its answer: in bounded time and size, with a line in the log, and no key in either (contract 1)."""

import logging
import ssl
import time
from collections.abc import Mapping
from http.cookiejar import DefaultCookiePolicy
from typing import NamedTuple
from urllib.parse import quote

import requests
import urllib3

from palletflow.http_calls import MASK, Body, Secrets, Session, content, reason
from palletflow.network_errors import NetworkError
from palletflow.networks.palletways.errors import (
    NoAnswer,
    NotConnected,
    ServerTrouble,
    SubmissionUnanswered,
    SubmissionUnclear,
    Unconnectable,
)
from palletflow.networks.palletways.settings import Settings
from palletflow.networks.palletways.wire import Request

MOST_IN_FLIGHT = 8
TEXT_KEPT = 500

log = logging.getLogger(__name__)


class Answer(NamedTuple):
    """`body` is None when it was larger than allowed."""

    status: int
    headers: Mapping[str, str]
    body: bytes | None


class Exchange:
    """Sends requests through one connection. Threads may share it. Its calls are counted by whoever makes them."""

    def __init__(self, settings: Settings) -> None:
        self.connection, self._secrets = settings.connection, Secrets(settings.key)
        self._key_forms = [settings.key.encode(), quote(settings.key, safe="").encode()]
        self._connect_timeout_s, self._whole_s = settings.connect_timeout_s, settings.answer_timeout_s
        self._session = Session()
        # No cookie is kept, so none goes anywhere [PW-1.1-9].
        self._session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
        adapter = requests.adapters.HTTPAdapter(pool_maxsize=MOST_IN_FLIGHT)
        self._session.mount("https://", adapter)
        self._session.mount("http://", adapter)

    def close(self) -> None:
        """Closes the connections held open."""
        self._session.close()

    def __call__(self, request: Request) -> Answer:
        """The answer, whatever its status; redirects are not followed.

        Raises NotConnected and Unconnectable when nothing was sent. Without a first byte, NoAnswer or
        SubmissionUnanswered; for an answer that breaks off ServerTrouble or SubmissionUnclear.
        """
        body = None if request.body is None else Body(request.body)
        headers = {"Content-Type": request.media_type} if request.media_type else {}
        failure: NetworkError | None = None
        has_begun, started = False, time.monotonic()
        try:
            with self._session.request(
                request.verb,
                request.url,
                headers=headers,
                data=body,
                auth=_no_login,
                timeout=(self._connect_timeout_s, request.first_byte_s),
                allow_redirects=False,
                stream=True,
            ) as got:
                has_begun = True
                received = content(got, request.most_bytes, self._whole_s)
        except requests.exceptions.RequestException as error:
            failure = self._failure(request, body, error, has_begun=has_begun)
        # Raised here and not above: the error of requests, which holds the address with the key, shall not hang on it.
        outcome = type(failure).__name__ if failure else str(got.status_code)
        log.info("%s: %s %s in %.2f s", self.connection, request.operation, outcome, time.monotonic() - started)
        if failure:
            raise failure
        return Answer(got.status_code, got.headers, received)

    def shown(self, text: str) -> str:
        """A text of the network's for an error, which ends it: the key masked in any form, then cut."""
        return self._secrets.shown(text, TEXT_KEPT).rstrip(".")

    def masked(self, body: bytes) -> bytes:
        """A body of text without the key, should the network repeat it."""
        for form in self._key_forms:
            body = body.replace(form, MASK.encode())
        return body

    def _failure(
        self, request: Request, body: Body | None, error: requests.exceptions.RequestException, *, has_begun: bool
    ) -> NetworkError:
        kind: type[NetworkError]
        if has_begun:
            kind = ServerTrouble if request.repeatable else SubmissionUnclear
        elif _has_no_part(error):
            kind = NotConnected
        elif _never_connected(error) or (body is not None and not body.has_left):
            kind = Unconnectable
        else:
            kind = NoAnswer if request.repeatable else SubmissionUnanswered
        return kind(self.connection, request.operation, self.shown(reason(error)))


def _no_login(prepared: requests.PreparedRequest) -> requests.PreparedRequest:
    """Nothing is added. Without it requests would look for a login in the user's netrc."""
    return prepared


def _has_no_part(error: requests.exceptions.RequestException) -> bool:
    """Whether it says nothing of how the network treats us: an address, a certificate or a proxy is wrong."""
    if isinstance(error, requests.exceptions.SSLError):
        cause = _cause(error)
        broke_off = isinstance(cause, Exception) and bool(cause.args) and isinstance(cause.args[0], ssl.SSLEOFError)
        return not broke_off
    if isinstance(error, requests.exceptions.ProxyError | requests.exceptions.InvalidURL):
        return True
    return isinstance(_cause(error), urllib3.exceptions.NameResolutionError)


def _never_connected(error: requests.exceptions.RequestException) -> bool:
    if isinstance(error, requests.exceptions.ConnectTimeout | requests.exceptions.SSLError):
        return True
    return isinstance(_cause(error), urllib3.exceptions.NewConnectionError)


def _cause(error: requests.exceptions.RequestException) -> object:
    return getattr(error.args[0] if error.args else None, "reason", None)


class _NoKeys(logging.Filter):
    """Keeps back what the HTTP library would say of an address with the key in it [PW-1.1-13]."""

    def filter(self, record: logging.LogRecord) -> bool:
        """See the class."""
        return "apikey" not in record.getMessage()


# One filter however often the module is loaded.
_library_log = logging.getLogger("urllib3.connectionpool")
if not any(type(one).__name__ == _NoKeys.__name__ for one in _library_log.filters):
    _library_log.addFilter(_NoKeys())
