"""Calls with the bearer (contract 1.4, 1.5, 1.7): a refused bearer is renewed once, redirects are followed by hand."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, TypeVar
from urllib.parse import urlencode

from palletflow.networks.nexus import addresses, answers, wire
from palletflow.networks.nexus.answers import ANSWER_MOST_BYTES, Answer, Request
from palletflow.networks.nexus.error_bodies import TEXT_KEPT
from palletflow.networks.nexus.errors import (
    AddressRefused,
    FileTooLarge,
    NexusAuthError,
    NexusProtocolError,
    NexusServerError,
)
from palletflow.networks.nexus.exchange import Exchange
from palletflow.networks.nexus.login import JSON, Login
from palletflow.networks.nexus.retries import NOT_REPEATABLE, REPEATABLE, Retries
from palletflow.networks.nexus.settings import Settings
from palletflow.networks.nexus.wire import Wire

T = TypeVar("T")
MOST_REDIRECTS = 3
REDIRECTS = (301, 302, 303, 307, 308)
ACCEPT_JSON = {"Accept": "application/json"}
ACCEPT_FILE = {"Accept": "*/*"}
# Their paths are guesses: a 404 may mean that there is no such call (contract 2).
ASSUMED_WRITES = ("upload", "post_status")

Query = Sequence[tuple[str, str]]


class Calls:
    """What the operations of one connection are made of."""

    def __init__(self, settings: Settings, wire: Wire, exchange: Exchange, retries: Retries, login: Login) -> None:
        self._settings, self._wire = settings, wire
        self._exchange, self._retries, self._login = exchange, retries, login

    def get(self, operation: str, consignment_id: int | None, read: Callable[[Any], T], query: Query = ()) -> T:
        """The answer's JSON as `read` makes of it, which raises Unreadable for another shape: then asked again."""
        path = self._wire.path(operation, consignment_id)
        url = self._url(path) + (f"?{urlencode(query)}" if query else "")
        request = Request("GET", url, path, repeatable=True, headers=ACCEPT_JSON)
        return self._retries.run(lambda: self._read(request, self._good(request), read), REPEATABLE)

    def file_of(self, operation: str, consignment_id: int) -> bytes:
        """The answer's bytes as they are."""
        path = self._wire.path(operation, consignment_id)
        return self._file(Request("GET", self._url(path), path, True, ACCEPT_FILE, most_bytes=self._most_bytes()))

    def file_at(self, url: str) -> bytes:
        """The bytes at an address that Nexus gave; the bearer goes there only when it is Nexus's own [NX-1-30].

        Raises AddressRefused and FileTooLarge.
        """
        try:
            address = addresses.followed(url, f"{self._settings.base_url}/")
        except addresses.NotAllowed as error:
            raise AddressRefused(self._settings.connection, "GET a file", str(error)) from None
        shown = f"a file at {addresses.host_of(address)}"
        return self._file(Request("GET", address, shown, True, ACCEPT_FILE, most_bytes=self._most_bytes()))

    def post(
        self, operation: str, consignment_id: int | None, body: bytes, media_type: str = "", number: str = ""
    ) -> dict[str, Any]:
        """The answer's JSON object; {} when its body is empty. It is sent once, unless nothing has left us."""
        path = self._wire.path(operation, consignment_id)
        request = Request(
            "POST",
            self._url(path),
            path,
            repeatable=False,
            headers={**JSON, "Content-Type": media_type or JSON["Content-Type"]},
            body=body,
            assumed_write=operation in ASSUMED_WRITES,
            number=number,
        )
        answer = self._retries.run(lambda: self._good(request), NOT_REPEATABLE)
        return {} if answer.body is not None and not answer.body.strip() else self._read(request, answer, as_object)

    def delete(self, operation: str, consignment_id: int) -> None:
        """Whatever the answer holds, its status is what counts."""
        path = self._wire.path(operation, consignment_id)
        request = Request("DELETE", self._url(path), path, repeatable=True, headers=ACCEPT_JSON)
        self._retries.run(lambda: self._good(request), REPEATABLE)

    def _file(self, request: Request) -> bytes:
        def attempt() -> bytes:
            body = self._good(request).body
            if body is None:
                most = f"larger than {self._settings.max_download_mb:g} MB"
                raise FileTooLarge(self._settings.connection, request.operation, most)
            return body

        return self._retries.run(attempt, REPEATABLE)

    def _read(self, request: Request, answer: Answer, read: Callable[[Any], T]) -> T:
        if answer.body is None:
            wrong = f"larger than {ANSWER_MOST_BYTES >> 20} MB"
        else:
            try:
                return read(wire.parse(answer.body))
            except wire.Unreadable as error:
                wrong = self._exchange.secrets.shown(str(error), TEXT_KEPT)
        raise NexusProtocolError(self._settings.connection, request.operation, f"HTTP {answer.status}: {wrong}")

    def _good(self, request: Request) -> Answer:
        """The answer of success. A refused bearer is dropped, a new one got, the call made once more [NX-1-14]."""
        own = addresses.is_own(request.url, self._settings.base_url)
        bearer = self._login.bearer() if own else ""
        answer = self._redirected(request, bearer)
        if answer.status == 401 and answer.with_bearer:
            self._login.drop(bearer)
            bearer = self._login.bearer()
            answer = self._redirected(request, bearer)
            if answer.status == 401 and answer.with_bearer:
                self._login.close(bearer)
                said = answers.said(answer, self._exchange.secrets)
                raise NexusAuthError(self._settings.connection, request.operation, f"a new bearer is refused: {said}")
        self._exchange.must_be_good(request, answer)
        return answer

    def _redirected(self, request: Request, bearer: str) -> Answer:
        """The answer at the end of redirects. Once they have left Nexus, the bearer is not sent again."""
        for _ in range(MOST_REDIRECTS + 1):
            foreign = not addresses.is_own(request.url, self._settings.base_url)
            if foreign:
                bearer = ""
                self._must_be_allowed(request)
            answer = self._exchange(request, bearer, foreign=foreign)
            location = answer.headers.get("Location")
            if request.method != "GET" or answer.status not in REDIRECTS or not location:
                return answer
            request = self._at(request, location)
        raise NexusServerError(
            self._settings.connection, request.operation, f"redirected more than {MOST_REDIRECTS} times"
        )

    def _at(self, request: Request, location: str) -> Request:
        try:
            url = addresses.followed(location, request.url)
        except addresses.NotAllowed as error:
            raise AddressRefused(self._settings.connection, request.operation, f"redirected: {error}") from None
        return replace(request, url=url)

    def _must_be_allowed(self, request: Request) -> None:
        try:
            addresses.must_be_allowed(request.url, self._settings.attachment_hosts)
        except addresses.NotAllowed as error:
            raise AddressRefused(self._settings.connection, request.operation, str(error)) from None

    def _url(self, path: str) -> str:
        return f"{self._settings.base_url}/{path}"

    def _most_bytes(self) -> int:
        return int(self._settings.max_download_mb * 1024 * 1024)


def as_object(content: Any) -> dict[str, Any]:
    """Raises Unreadable for anything but a JSON object."""
    if not isinstance(content, dict):
        raise wire.Unreadable("JSON, but no object")
    return content


def as_json(content: Mapping[str, Any]) -> bytes:
    """A body to send."""
    return json.dumps(content, ensure_ascii=False).encode()
