"""The bearer of one connection: got by logging in, kept in memory alone, renewed early (contract 1.4)."""

import json
import threading
from collections.abc import Callable
from concurrent.futures import Future
from datetime import datetime, timedelta
from typing import NamedTuple

from palletflow.network_errors import Misconfigured, NetworkError
from palletflow.networks.nexus import answers, wire
from palletflow.networks.nexus.answers import Answer, Request
from palletflow.networks.nexus.errors import NexusAuthError, NexusProtocolError
from palletflow.networks.nexus.exchange import Exchange
from palletflow.networks.nexus.retries import REPEATABLE, Retries
from palletflow.networks.nexus.settings import Settings
from palletflow.networks.nexus.wire import Wire

EARLY_S = 300.0
JSON = {"Accept": "application/json", "Content-Type": "application/json"}
# Answers to a login that mean user and password; they are not tried again, for accounts are locked for that.
REFUSALS = (400, 401, 403, 422)
# Answers that mean that there is no login at that address.
NO_LOGIN = (301, 302, 303, 307, 308, 404, 405)


class _Tokens(NamedTuple):
    bearer: str
    refresh: str

    def __repr__(self) -> str:
        return "_Tokens()"


class Login:
    """Gives the bearer to every thread of a client; one of them logs in, the others wait for what comes of it."""

    def __init__(
        self, settings: Settings, wire: Wire, exchange: Exchange, retries: Retries, clock: Callable[[], datetime]
    ) -> None:
        self._settings, self._wire, self._exchange = settings, wire, exchange
        self._retries, self._clock = retries, clock
        self._lock = threading.Lock()
        self._tokens: _Tokens | None = None
        self._renew_at = self._closed_until = datetime.min.replace(tzinfo=clock().tzinfo)
        self._under_way: Future[str] | None = None

    def bearer(self) -> str:
        """The bearer to use now. Raises NexusAuthError, Misconfigured, NotSent, Throttled and NexusServerError."""
        with self._lock:
            if self._tokens and self._clock() < self._renew_at:
                return self._tokens.bearer
            ours = self._under_way is None
            if self._under_way is None:
                self._must_not_be_closed()
                self._under_way = Future()
            under_way = self._under_way
        if ours:
            self._carry_out(under_way)
        return under_way.result()

    def drop(self, bearer: str) -> None:
        """Forgets a bearer that was refused, unless another thread has got a new one since."""
        with self._lock:
            if self._tokens and self._tokens.bearer == bearer:
                self._tokens = None

    def drop_any(self) -> None:
        """Forgets the bearer, so that the next call logs in."""
        with self._lock:
            self._tokens = None

    def close(self, bearer: str) -> None:
        """A bearer was refused that was got for just that call: no login is tried for a while [NX-1-15]."""
        self.drop(bearer)
        with self._lock:
            self._closed_until = self._clock() + timedelta(seconds=self._settings.auth_cooldown_s)

    def _must_not_be_closed(self) -> None:
        if self._clock() < self._closed_until:
            until = self._closed_until.isoformat(timespec="seconds")
            raise NexusAuthError(self._settings.connection, "login", f"refused just now; none is tried until {until}")

    def _carry_out(self, under_way: "Future[str]") -> None:
        try:
            tokens = self._refreshed() or self._logged_in()
        except BaseException as error:
            if isinstance(error, NexusAuthError):
                self.close("")
            with self._lock:
                self._under_way = None
            under_way.set_exception(error)
            return
        lives_s = self._settings.token_ttl_s
        with self._lock:
            self._tokens = tokens
            self._renew_at = self._clock() + timedelta(seconds=lives_s - min(EARLY_S, lives_s / 2))
            self._under_way = None
        under_way.set_result(tokens.bearer)

    def _refreshed(self) -> _Tokens | None:
        """By the refresh call, if the connection is to use it and it answers as it should; a failure only costs it."""
        tokens = self._tokens
        if self._settings.auth_renew != "refresh" or not tokens or not tokens.refresh:
            return None
        try:
            answer = self._exchange(self._request("refresh", {"refreshToken": tokens.refresh}))
            return self._read("refresh", answer, tokens.refresh) if answer.status == 200 else None
        except NetworkError:
            return None

    def _logged_in(self) -> _Tokens:
        request = self._request("login", {"username": self._settings.login, "password": self._settings.password})

        def attempt() -> _Tokens:
            answer = self._exchange(request)
            said = answers.said(answer, self._exchange.secrets)
            if answer.status in REFUSALS:
                raise NexusAuthError(self._settings.connection, request.operation, said)
            if answer.status in NO_LOGIN:
                detail = f"there is no login at the Host's address ({said})"
                raise Misconfigured(self._settings.connection, request.operation, detail)
            self._exchange.must_be_good(request, answer)
            return self._read("login", answer)

        return self._retries.run(attempt, REPEATABLE)

    def _read(self, operation: str, answer: Answer, refresh: str = "") -> _Tokens:
        try:
            content = wire.parse(answer.body or b"")
        except wire.Unreadable:
            content = None
        tokens = _Tokens(
            wire.text(wire.first_of(content, ["bearerToken"])),
            wire.text(wire.first_of(content, ["refreshToken"])) or refresh,
        )
        if not (tokens.bearer and tokens.bearer.isascii() and tokens.bearer.isprintable()):
            raise NexusProtocolError(self._settings.connection, operation, "the answer holds no bearerToken")
        for token in filter(None, tokens):
            self._exchange.secrets.add(token)
        return tokens

    def _request(self, operation: str, body: dict[str, str]) -> Request:
        path = self._wire.path(operation)
        url = f"{self._settings.base_url}/{path}"
        return Request("POST", url, path, repeatable=True, headers=JSON, body=json.dumps(body).encode())
