"""Calls Palletforce (contract 1 and 2): sends, sorts the answer into an outcome class, retries. Gives no meaning."""

import json
import random
import re
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import Any, NamedTuple

import requests

from palletflow.network_errors import (
    AuthFailed,
    Misconfigured,
    NetworkError,
    NotSent,
    Rejected,
    Throttled,
    UnknownOutcome,
    Unstable,
)
from palletflow.networks.palletforce import wire
from palletflow.networks.palletforce.settings import Settings

RESULT_KEYS = (
    "success", "successfulTrackingCodes", "failedConsignments", "labelImages", "trackingData", "manifests",
    "failedTracking",
)  # fmt: skip
BACKOFF_S = (2.0, 4.0, 8.0)
RETRY_AFTER_S, RETRY_AFTER_MOST_S = 30.0, 300.0
PAGE_RESTARTS = 3
# Thirteen digits that no depot can have minted: asking for it shows whether key and address work.
NO_SUCH_NUMBER = "0" * 13
TEXT_KEPT = 500
MASK = "***"


class Page(NamedTuple):
    """One page of DownloadManifest. `manifests` is as the network sent it."""

    number: int
    total_pages: int
    total_records: int
    manifests: list[Any]


class PalletforceClient:
    """One connection to Palletforce. Not for sharing between processes; threads are its own business."""

    def __init__(
        self,
        settings: Settings,
        aliases: Mapping[str, str],
        *,
        sleep: Callable[[float], None] = time.sleep,
        jitter: Callable[[], float] = lambda: random.uniform(0.75, 1.25),
    ) -> None:
        """`aliases`: other names of response fields, from the import template (contract 1.2 item 2)."""
        self.settings = settings
        self._aliases = aliases
        self._sleep, self._jitter = sleep, jitter
        self._session = requests.Session()
        adapter = requests.adapters.HTTPAdapter(pool_maxsize=settings.max_in_flight)
        self._session.mount("https://", adapter)
        self._session.mount("http://", adapter)
        self._session.headers["Content-Type"] = "application/json"
        if settings.client_id_header:
            self._session.headers[settings.client_id_header] = settings.access_key

    def close(self) -> None:
        """Closes the connections held open."""
        self._session.close()

    def __enter__(self) -> "PalletforceClient":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # What is asked

    def check(self) -> None:
        """Asks for a number that cannot exist: proves address and key without any effect. Raises NetworkError."""
        self.fetch_by("trackingNumber", NO_SUCH_NUMBER)

    def pull(self, depot: str, start: datetime, end: datetime) -> Iterator[list[Page]]:
        """Every page of a depot's consignments changed in [start, end), at most max_in_flight calls at a time (2.4).

        Yields the pages as they arrive, in order and in lists; an empty list means that the network changed the
        result meanwhile, all given so far is void and the window starts anew. Raises Unstable after three restarts.
        """
        for restart in range(PAGE_RESTARTS + 1):
            if restart:
                yield []
            try:
                yield from self._pages(depot, start, end)
            except _ResultMoved:
                continue
            return
        raise Unstable(
            self.settings.connection,
            self.settings.operation("DownloadManifest"),
            f"totalRecords changed during each of {PAGE_RESTARTS + 1} readings of depot {depot}, {start} to {end}",
        )

    def fetch_by(self, field: str, value: str) -> list[Any]:
        """Manifests of the consignment with this `trackingNumber` or `uniqueTransactionNumber`; [] if none (2.5)."""
        return self._page("FetchManifest", {field: value}).manifests

    def find(
        self,
        *,
        depot: str,
        tracking_number: str = "",
        transaction_number: str = "",
        consignment_number: str = "",
        reference: str = "",
        around: datetime | None = None,
    ) -> list[Any]:
        """Looks one consignment up in the ways of `extra.lookup_by`, in turn; [] if none finds it (2.5).

        The way "window" pulls the depot from an hour before to an hour after `around` and matches on consignment
        number and reference together.
        """
        for way in self.settings.lookup_by:
            found: list[Any] = []
            if way == "window":
                if around and consignment_number:
                    found = self._match(depot, around, consignment_number, reference)
            else:
                value = tracking_number if way == "trackingNumber" else transaction_number
                found = self.fetch_by(way, value) if value else []
            if found:
                return found
        return []

    def _match(self, depot: str, around: datetime, consignment_number: str, reference: str) -> list[Any]:
        found: list[Any] = []
        for pages in self.pull(depot, around - timedelta(hours=1), around + timedelta(hours=1)):
            if not pages:
                found.clear()
            for manifest in (manifest for page in pages for manifest in page.manifests):
                for consignment in wire.fold(manifest, self._aliases).get("consignments") or [{}]:
                    if (
                        consignment.get("consignmentnumber") == consignment_number
                        and consignment.get("customersuniquereference") == reference
                    ):
                        found.append(manifest)
        return found

    def _pages(self, depot: str, start: datetime, end: datetime) -> Iterator[list[Page]]:
        lower, upper = self.settings.local_time.window(start, end)
        window = {"depot": depot, "fromDateTime": lower, "toDateTime": upper}

        def page(number: int) -> Page:
            return self._page(
                "DownloadManifest", {**window, "pageNumber": str(number), "pageSize": str(self.settings.page_size)}
            )

        first = page(1)
        yield [first]
        with ThreadPoolExecutor(self.settings.max_in_flight) as pool:
            following = pool.map(page, range(2, first.total_pages + 1))
            try:
                for other in following:
                    if (other.total_records, other.total_pages) != (first.total_records, first.total_pages):
                        raise _ResultMoved
                    yield [other]
            finally:
                pool.shutdown(wait=False, cancel_futures=True)

    def _page(self, operation: str, fields: Mapping[str, str]) -> Page:
        reply = self._call(operation, fields)
        manifests = wire.field(reply, "manifests", self._aliases) or []
        if not isinstance(manifests, list):
            raise self._failure(UnknownOutcome, operation, "the answer's manifests are no list")
        try:
            number, pages, total = (
                int(wire.field(reply, name, self._aliases) or default)
                for name, default in (("pageNumber", 1), ("totalPages", 1), ("totalRecords", len(manifests)))
            )
        except (TypeError, ValueError) as error:
            raise self._failure(
                UnknownOutcome, operation, f"the answer's page numbers cannot be read ({error})"
            ) from error
        return Page(number, pages, total, manifests)

    # How it is asked

    def _call(self, operation: str, fields: Mapping[str, str]) -> dict[str, Any]:
        """One read with the retries of contract 1.3."""
        for pause in BACKOFF_S:
            try:
                return self._send(operation, fields)
            except Throttled as throttled:
                self._sleep(throttled.retry_after)
            except (NotSent, UnknownOutcome):
                self._sleep(pause * self._jitter())
        return self._send(operation, fields)

    def _send(self, operation: str, fields: Mapping[str, str]) -> dict[str, Any]:
        settings = self.settings
        try:
            answer = self._session.post(
                f"{settings.base_url}/{settings.operation(operation)}",
                data=json.dumps({"accessKey": settings.access_key, **fields}).encode(),
                timeout=(settings.connect_timeout_s, settings.read_timeout_s),
                allow_redirects=False,
            )
        except (requests.exceptions.ConnectTimeout, requests.exceptions.SSLError) as error:
            raise self._failure(NotSent, operation, self._plain(error)) from None
        except requests.exceptions.ConnectionError as error:
            # requests calls both "refused" and "reset after sending" a ConnectionError; only the first never left us.
            never_left = "NewConnectionError" in repr(error) or "NameResolutionError" in repr(error)
            raise self._failure(NotSent if never_left else UnknownOutcome, operation, self._plain(error)) from None
        except requests.exceptions.RequestException as error:
            raise self._failure(UnknownOutcome, operation, self._plain(error)) from None
        return self._sorted(operation, answer)

    def _sorted(self, operation: str, answer: requests.Response) -> dict[str, Any]:
        """The answer's body when it is good, else the error of its outcome class: the table of contract 1.3."""
        status = answer.status_code
        try:
            reply: dict[str, Any] | None = wire.parse(answer.content)
        except wire.Unreadable:
            reply = None
        reasons = wire.failure_texts(reply, self._aliases) if reply else []
        said = f"HTTP {status}: {'; '.join(reasons) or self._text(answer)}"

        decided = self.settings.status_classes.get(str(status))
        if decided is None:
            decided = self._decide(status, answer.headers, reply, reasons)
        match decided:
            case "OK" if reply is not None:
                return reply
            case "AUTH":
                raise self._failure(AuthFailed, operation, said)
            case "THROTTLED":
                raise Throttled(
                    self.settings.connection,
                    self.settings.operation(operation),
                    self._masked(said),
                    _retry_after(answer.headers.get("Retry-After")),
                )
            case "CONFIG":
                raise self._failure(Misconfigured, operation, said)
            case "REJECTED":
                raise self._failure(Rejected, operation, said)
            case _:
                raise self._failure(UnknownOutcome, operation, said)

    def _decide(self, status: int, headers: Mapping[str, str], reply: dict[str, Any] | None, reasons: list[str]) -> str:
        pattern = self.settings.auth_error_pattern
        if status in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN) or any(
            re.search(pattern, reason, re.IGNORECASE) for reason in reasons
        ):
            return "AUTH"
        if status == HTTPStatus.TOO_MANY_REQUESTS or (
            status == HTTPStatus.SERVICE_UNAVAILABLE and "Retry-After" in headers
        ):
            return "THROTTLED"
        if reply is not None and any(wire.field(reply, key, self._aliases) is not None for key in RESULT_KEYS):
            # Without `success` the data key alone means that a read was answered (contract 1.3).
            absent = wire.field(reply, "success", self._aliases) is None
            return "OK" if absent or wire.succeeded(reply, self._aliases) else "REJECTED"
        if status in (HTTPStatus.NOT_FOUND, HTTPStatus.METHOD_NOT_ALLOWED):
            return "CONFIG"
        if HTTPStatus.BAD_REQUEST <= status < HTTPStatus.INTERNAL_SERVER_ERROR:
            return "REJECTED"
        return "UNKNOWN"

    def _failure(self, kind: type[NetworkError], operation: str, detail: str) -> NetworkError:
        return kind(self.settings.connection, self.settings.operation(operation), self._masked(detail))

    def _masked(self, text: str) -> str:
        return text.replace(self.settings.access_key, MASK)

    @staticmethod
    def _plain(error: Exception) -> str:
        reason = error.args[0] if error.args else error
        return str(getattr(reason, "reason", reason))[:TEXT_KEPT]

    @staticmethod
    def _text(answer: requests.Response) -> str:
        return " ".join(answer.text[:TEXT_KEPT].split()) or "empty body"


class _ResultMoved(Exception):
    """totalRecords or totalPages changed between two pages."""


def _retry_after(header: str | None) -> float:
    """Seconds to wait, from seconds or an HTTP date; 30 without a header, at most 300."""
    if header is None:
        return RETRY_AFTER_S
    try:
        seconds = float(header)
    except ValueError:
        try:
            seconds = parsedate_to_datetime(header).timestamp() - time.time()
        except ValueError:
            return RETRY_AFTER_S
    return min(max(seconds, 0.0), RETRY_AFTER_MOST_S)
