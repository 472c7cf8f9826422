"""One request and its answer: within the budget, in bounded time and size, with a line in the log (contract 1)."""

import logging
import time
from collections.abc import Callable
from datetime import datetime
from http.cookiejar import DefaultCookiePolicy
from typing import Self

import requests
import urllib3

from palletflow.http_calls import Body, Secrets, Session, content, reason
from palletflow.network_errors import NetworkError, NotSent
from palletflow.networks.nexus import answers, error_bodies
from palletflow.networks.nexus.answers import Answer, Request
from palletflow.networks.nexus.error_bodies import ErrorBody
from palletflow.networks.nexus.errors import NexusRateLimited, NexusServerError, NexusUnknownOutcome
from palletflow.networks.nexus.settings import OptimizeSettings, Settings
from palletflow.work.budget import Budget, NoBudget

MOST_IN_FLIGHT = 4
# All of an answer may take so many times the longest silence in it.
WHOLE_ANSWER = 5
REASON_KEPT = 500

log = logging.getLogger(__name__)


class Exchange:
    """Sends requests through one connection. Threads may share it."""

    def __init__(
        self,
        settings: Settings | OptimizeSettings,
        secret: str,
        budget: Budget | None,
        clock: Callable[[], datetime],
    ) -> None:
        """`secret`: the connection's. `budget`: what all processes together may send, None for no limit."""
        self.connection, self.secrets = settings.connection, Secrets(secret)
        self._budget, self._cap_s, self._clock = budget or NoBudget(), settings.retry_after_cap_s, clock
        self._timeout = (settings.connect_timeout_s, settings.read_timeout_s)
        self._session = Session()
        # No cookie is kept, so none goes anywhere (contract 1.7).
        self._session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
        adapter = requests.adapters.HTTPAdapter(pool_maxsize=MOST_IN_FLIGHT)
        self._session.mount("https://", adapter)
        self._session.mount("http://", adapter)

    def close(self) -> None:
        """Closes the connections held open."""
        self._session.close()

    def __call__(self, request: Request, bearer: str = "", *, foreign: bool = False) -> Answer:
        """The answer, whatever its status; redirects are not followed. `foreign`: it goes to another host than Nexus's.

        Raises NotSent; NexusServerError when there is none to what is repeatable, else NexusUnknownOutcome.
        """
        body = None if request.body is None else Body(request.body)
        failure: NetworkError | None = None
        with self._budget.call():
            started = time.monotonic()
            try:
                with self._session.request(
                    request.method,
                    request.url,
                    headers=request.headers,
                    data=body,
                    auth=_Bearer(bearer),
                    timeout=self._timeout,
                    allow_redirects=False,
                    stream=True,
                ) as got:
                    received = content(got, request.most_bytes, WHOLE_ANSWER * self._timeout[1])
            except requests.exceptions.RequestException as error:
                failure = self._failure(request, body, error)
        # Raised here and not above: the error of requests, which holds the request, shall not hang on ours.
        if failure:
            self._log(request, type(failure).__name__, started)
            raise failure
        refusal = error_bodies.read(received or b"") if got.status_code >= 400 else ErrorBody("")
        self._log(request, str(got.status_code), started, refusal.fields)
        return Answer(got.status_code, got.headers, received, refusal, bool(bearer), foreign)

    def must_be_good(self, request: Request, answer: Answer) -> None:
        """Raises what an answer of no success stands for. A pause that Nexus asks for is everyone's."""
        failure = answers.failure(self.connection, request, answer, self.secrets, self._cap_s, self._clock())
        if isinstance(failure, NexusRateLimited) and not failure.backs_off and not answer.foreign:
            self._budget.pause(failure.retry_after)
        if failure:
            raise failure

    def _failure(
        self, request: Request, body: Body | None, error: requests.exceptions.RequestException
    ) -> NetworkError:
        kind: type[NetworkError] = NexusServerError if request.repeatable else NexusUnknownOutcome
        if _never_connected(error) if body is None else not body.has_left:
            kind = NotSent
        return kind(self.connection, request.operation, self.secrets.shown(reason(error), REASON_KEPT))

    def _log(self, request: Request, outcome: str, started: float, fields: tuple[str, ...] = ()) -> None:
        seconds = time.monotonic() - started
        consignment = f", consignment {request.number}" if request.number else ""
        named = f", fields {' '.join(fields)}" if fields else ""
        log.info("%s: %s %s in %.2f s%s%s", self.connection, request.operation, outcome, seconds, consignment, named)


class Client:
    """What calls through an exchange, until the end of a with block."""

    _exchange: Exchange

    def close(self) -> None:
        """Closes the connections held open."""
        self._exchange.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class _Bearer(requests.auth.AuthBase):
    """Puts the bearer on a request. Also without one: else requests would look for a login in the user's netrc."""

    def __init__(self, bearer: str) -> None:
        self._bearer = bearer

    def __call__(self, prepared: requests.PreparedRequest) -> requests.PreparedRequest:
        if self._bearer:
            prepared.headers["Authorization"] = f"Bearer {self._bearer}"
        return prepared


def _never_connected(error: requests.exceptions.RequestException) -> bool:
    if isinstance(error, requests.exceptions.ConnectTimeout | requests.exceptions.SSLError):
        return True
    inner = error.args[0] if error.args else None
    return isinstance(getattr(inner, "reason", None), urllib3.exceptions.NewConnectionError)
