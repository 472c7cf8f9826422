"""Calls by method: within the budget, host after host, redirects by hand, and what an answer's status means (1.3)."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime
from http import HTTPStatus
from typing import TypeVar
from urllib.parse import urljoin

from palletflow.http_calls import retry_after
from palletflow.network_errors import NetworkError
from palletflow.networks.palletways import answers, methods, wire
from palletflow.networks.palletways.answers import Envelope, File, Sentence
from palletflow.networks.palletways.closed_methods import REFUSED, UNAVAILABLE, Closed, ClosedMethods
from palletflow.networks.palletways.errors import (
    AnswerRefused,
    AnswerTooLarge,
    Busy,
    KeyMissing,
    KeyRefused,
    MethodRefused,
    MethodUnavailable,
    ServerTrouble,
    SubmissionUnclear,
    UnreadableAnswer,
)
from palletflow.networks.palletways.exchange import Answer, Exchange
from palletflow.networks.palletways.methods import Way
from palletflow.networks.palletways.retries import Retries
from palletflow.networks.palletways.settings import Settings
from palletflow.networks.palletways.wire import Request
from palletflow.work.budget import Budget

T = TypeVar("T")
KEYTEST = "keytest"
GOOD = (HTTPStatus.OK, HTTPStatus.CREATED)
REDIRECTS = (301, 302, 303, 307, 308)
MOST_REDIRECTS = 3
# When the network does not say how long to wait, and the longest that is believed.
RETRY_AFTER_S, RETRY_AFTER_MOST_S = 60.0, 3600.0

log = logging.getLogger(__name__)


class _Shut(Exception):
    """The network has closed the way that was tried; `said` is its own word for it."""

    def __init__(self, why: str, said: str) -> None:
        super().__init__(why, said)
        self.why, self.said = why, said


class Calls:
    """What the operations of one connection are made of."""

    def __init__(
        self,
        settings: Settings,
        exchange: Exchange,
        budget: Budget,
        retries: Retries,
        closed: ClosedMethods,
        clock: Callable[[], datetime],
    ) -> None:
        self._settings, self._exchange, self._budget = settings, exchange, budget
        self._retries, self._closed, self._clock = retries, closed, clock

    def read(self, method: str, *arguments: str) -> Envelope:
        """The envelope that a read call is answered with: OK, or empty. Raises AnswerRefused, and as _by()."""
        return self._by(methods.ways(method), lambda way: self._read_call(way, arguments), self._enveloped)

    def file(self, method: str, *arguments: str) -> File | None:
        """The file that a read call is answered with; None when the network has none. Raises as read()."""
        return self._by(methods.ways(method), lambda way: self._read_call(way, arguments), self._file)

    def change(self, method: str, *arguments: str) -> Envelope:
        """As read(), for what changes something there and so is sent once. Raises SubmissionUnclear too."""
        return self._by(
            methods.ways(method), lambda way: self._read_call(way, arguments, repeatable=False), self._enveloped
        )

    def submit(self, method: str, data: str, *, commit: bool) -> Envelope:
        """The envelope that XML is answered with, whatever its code. Raises SubmissionUnclear, and as _by()."""
        return self._by(
            methods.ways(method),
            lambda way: wire.submission(self._settings, way, data, commit=commit),
            self._any_envelope,
        )

    # Which way

    def _by(
        self,
        ways: Sequence[Way],
        make: Callable[[Way], Request],
        take: Callable[[Request, File | Envelope | Sentence], T],
    ) -> T:
        """What `take` makes of the answer by the first way that is open [PW-1.1-3].

        Raises MethodUnavailable, MethodRefused, KeyRefused, KeyMissing, Busy, NotSent, AnswerTooLarge,
        UnreadableAnswer, NoAnswer, ServerTrouble.
        """
        closed: Closed | None = None
        for way in ways:
            closed = self._closed.get(way)
            if closed is None:
                try:
                    return self._tried(make(way), take)
                except _Shut as shut:
                    closed = self._close(way, shut)
            if closed.why == REFUSED:  # another host has the same keys
                break
        assert closed, "every method has a way"
        kind = MethodRefused if closed.why == REFUSED else MethodUnavailable
        tried = ", ".join(f"{name} at {host}" for name, host in ways)
        raise kind(self._settings.connection, tried, closed.said)

    def _tried(self, request: Request, take: Callable[[Request, File | Envelope | Sentence], T]) -> T:
        return self._retries.run(lambda: take(request, self._answer(request)), repeatable=request.repeatable)

    def _close(self, way: Way, shut: _Shut) -> Closed:
        """Remembers that a way is closed. What is refused may also be the key's own fault: raises KeyRefused then."""
        if shut.why == REFUSED:
            if way[0] == KEYTEST:
                raise KeyRefused(self._settings.connection, KEYTEST, shut.said) from None
            try:
                self.read(KEYTEST)
            except MethodUnavailable:
                log.warning("%s: there is no keytest to tell a bad key by", self._settings.connection)
        return self._closed.close(way, shut.why, shut.said)

    def _read_call(self, way: Way, arguments: Sequence[str], *, repeatable: bool = True) -> Request:
        try:
            return wire.read_call(self._settings, way, arguments, repeatable=repeatable)
        except ValueError as error:
            raise AnswerRefused(self._settings.connection, way[0], str(error)) from None

    # What comes back

    def _answer(self, request: Request) -> File | Envelope | Sentence:
        """What an answer of success is. Raises _Shut, and for anything else the error it stands for."""
        answer = self._redirected(request)
        if answer.status not in GOOD:
            raise self._failure(request, answer)
        body = answer.body
        if body is None or (len(body) > wire.TEXT_MOST_BYTES and answers.is_text(body)):
            raise self._too_large(request, body)
        try:
            found = answers.read(self._exchange.masked(body) if answers.is_text(body) else body)
        except answers.Unreadable as error:
            raise self._unreadable(request, error.said) from None
        if found is Sentence.NO_KEY:
            raise KeyMissing(self._settings.connection, request.operation, "the network says that no API key came")
        if found is Sentence.NOT_AUTHORISED:
            raise _Shut(REFUSED, "the API key is not authorised to use it")
        if found is Sentence.NOT_AVAILABLE:
            raise _Shut(UNAVAILABLE, "the network says that it is not available")
        if isinstance(found, Envelope) and found.repaired:
            log.warning("%s: %s: not UTF-8, read as cp1252", self._settings.connection, request.operation)
        return found

    def _redirected(self, request: Request) -> Answer:
        """The answer at the end of redirects within the host; every step is a call. Raises AnswerRefused."""
        asked = request
        for _ in range(MOST_REDIRECTS + 1):
            with self._budget.call():
                answer = self._exchange(asked)
            location = answer.headers.get("Location")
            if asked.verb != "GET" or answer.status not in REDIRECTS or not location:
                return answer
            asked = self._followed(asked, location)
        raise ServerTrouble(
            self._settings.connection, request.operation, f"redirected more than {MOST_REDIRECTS} times"
        )

    def _followed(self, request: Request, location: str) -> Request:
        """The request to where it was redirected; to another host the key would leak [PW-1.1-9]."""
        try:
            url = urljoin(request.url, location)
            is_own = wire.origin(url) == wire.origin(request.url)
        except ValueError:
            is_own = False
        if not is_own:
            raise AnswerRefused(self._settings.connection, request.operation, "redirected to another host")
        return replace(request, url=url)

    def _failure(self, request: Request, answer: Answer) -> Exception:
        """What an HTTP status of no success stands for [PW-1.3-1]. A pause that is asked for is everyone's."""
        status = answer.status
        said = self._exchange.shown(f"HTTP {status}: {answers.plain(answer.body or b'') or 'empty body'}")
        about = (self._settings.connection, request.operation, said)
        if status in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN):
            return _Shut(REFUSED, said)
        if status == HTTPStatus.NOT_FOUND:
            return _Shut(UNAVAILABLE, said)
        if status in (HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE):
            asked = retry_after(answer.headers.get("Retry-After"), self._clock())
            wait_s = min(RETRY_AFTER_S if asked is None else asked, RETRY_AFTER_MOST_S)
            self._budget.pause(wait_s)
            if status == HTTPStatus.TOO_MANY_REQUESTS or request.repeatable:
                return Busy(*about, wait_s)
        if status < HTTPStatus.BAD_REQUEST:
            return UnreadableAnswer(*about) if request.repeatable else SubmissionUnclear(*about)
        if status >= HTTPStatus.INTERNAL_SERVER_ERROR or status == HTTPStatus.REQUEST_TIMEOUT:
            return ServerTrouble(*about) if request.repeatable else SubmissionUnclear(*about)
        return AnswerRefused(*about)

    def _too_large(self, request: Request, body: bytes | None) -> NetworkError:
        most = request.most_bytes if body is None else wire.TEXT_MOST_BYTES
        about = (self._settings.connection, request.operation, f"larger than {most / wire.MIB:g} MiB")
        return AnswerTooLarge(*about) if request.repeatable else SubmissionUnclear(*about)

    def _unreadable(self, request: Request, said: str) -> NetworkError:
        about = (self._settings.connection, request.operation, f"unreadable_answer: {self._exchange.shown(said)}")
        return UnreadableAnswer(*about) if request.repeatable else SubmissionUnclear(*about)

    def _any_envelope(self, request: Request, answer: File | Envelope | Sentence) -> Envelope:
        if isinstance(answer, Envelope):
            return answer
        if isinstance(answer, File):
            raise self._unreadable(request, "a file")
        return Envelope(answers.NO_RESULTS, answer.value, {})

    def _enveloped(self, request: Request, answer: File | Envelope | Sentence) -> Envelope:
        envelope = self._any_envelope(request, answer)
        if envelope.code in (answers.OK, answers.NO_RESULTS):
            return envelope
        raise self.refused(request.operation, envelope)

    def _file(self, request: Request, answer: File | Envelope | Sentence) -> File | None:
        if isinstance(answer, File):
            return answer
        self._enveloped(request, answer)
        return None

    def refused(self, operation: str, envelope: Envelope) -> AnswerRefused:
        """The error for an envelope of another code, kept and shown [PW-1.3-12]."""
        said = self._exchange.shown(": ".join(filter(None, (envelope.code, envelope.description))))
        return AnswerRefused(self._settings.connection, operation, said)
