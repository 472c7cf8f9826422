"""Calls Palletforce (contract 1 and 2): sends, sorts the answer into an outcome class, retries. Gives no meaning."""

import base64
import binascii
import json
import random
import re
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from itertools import islice
from typing import Any, NamedTuple

import requests

from palletflow.http_calls import Body, Session, content, in_any_form, reason, retry_after, shown
from palletflow.intake.folding import fold
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
from palletflow.work.budget import Budget, NoBudget

RESULT_KEYS = (
    "success", "successfulTrackingCodes", "failedConsignments", "labelImages", "trackingData", "manifests",
    "failedTracking",
)  # fmt: skip
BACKOFF_S = (2.0, 4.0, 8.0)
RETRY_AFTER_S, RETRY_AFTER_MOST_S = 30.0, 300.0
PAGE_RESTARTS = 3
JPEG = b"\xff\xd8\xff"
# Thirteen digits that no depot can have minted: asking for it shows whether key and address work.
NO_SUCH_NUMBER = "0" * 13
# A page of 1,000 consignments has about 2 MB.
ANSWER_MOST_BYTES = 64 * 1024 * 1024
# Of a text of the network's: shown of an unknown body, shown of its reasons.
TEXT_KEPT, REASONS_KEPT = 500, 2000
# Answers that say of each part of the request whether it was taken; then `success` does not decide (contract 2.6).
ITEMISED = {"UploadTracking": "failedTracking"}
FAILURES: Mapping[str, type[NetworkError]] = {
    "AUTH": AuthFailed,
    "CONFIG": Misconfigured,
    "REJECTED": Rejected,
    "UNKNOWN": UnknownOutcome,
}


class Page(NamedTuple):
    """One page of DownloadManifest. `manifests` is as the network sent it."""

    number: int
    total_pages: int
    total_records: int
    manifests: list[Any]


class Upload(NamedTuple):
    """A consignment the network has taken: its tracking numbers, usually one, and what the network said beside it."""

    tracking_numbers: list[str]
    warnings: list[str]


class PalletforceClient:
    """One connection to Palletforce. Not for sharing between processes; threads are its own business."""

    def __init__(
        self,
        settings: Settings,
        aliases: Mapping[str, str],
        *,
        budget: Budget | None = None,
        patient: bool = True,
        sleep: Callable[[float], None] = time.sleep,
        jitter: Callable[[], float] = lambda: random.uniform(0.75, 1.25),
    ) -> None:
        """`aliases`: other names of response fields, from the import template (contract 1.2 item 2).

        `budget`: what all processes together may send; without one only this client's pulls keep to max_in_flight.
        `patient`: waits out the pauses the network asks for; else Throttled comes out at once, for a queue that waits.
        """
        self.settings = settings
        self._budget, self._patient = budget or NoBudget(), patient
        self._aliases = aliases
        self._sleep, self._jitter = sleep, jitter
        self._key = in_any_form(settings.access_key)
        self._session = Session()
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

    def pull(self, depot: str, start: datetime, end: datetime) -> Iterator[Page | None]:
        """Every page of a depot's consignments changed in [start, end), at most max_in_flight calls at a time (2.4).

        Yields the pages in order, as they arrive. None in between means that the network changed the result
        meanwhile: all given so far is void and the window starts anew. Raises Unstable after three restarts.
        """
        for restart in range(PAGE_RESTARTS + 1):
            if restart:
                yield None
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
        operation = "FetchManifest"
        reply = self._call(operation, {field: value})
        manifests = self._manifests(operation, reply)
        # What is taken for absent may be sent again: the answer must not contradict itself.
        if not manifests and str(wire.field(reply, "totalRecords", self._aliases) or "0").strip() != "0":
            raise self._failure(UnknownOutcome, operation, "the answer has no manifests, though totalRecords is not 0")
        return manifests

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

    def upload(self, manifest: Mapping[str, Any]) -> Upload:
        """Registers a consignment, body as in 2.1 without the access key.

        Raises UnknownOutcome when it may or may not have been taken: it is never sent again here, look it up first
        [PF-1.3-13]. Raises Rejected with the network's reasons, and the other NetworkErrors, when it was not taken.
        """
        reply = self._call("UploadManifest", manifest, sent_again_after=(NotSent,))
        warnings = [self._shown(text, TEXT_KEPT) for text in wire.failure_texts(reply, self._aliases)]
        return Upload(self._tracking_codes(reply), warnings)

    def _tracking_codes(self, reply: Mapping[str, Any]) -> list[str]:
        codes = fold(wire.field(reply, "successfulTrackingCodes", self._aliases) or [], self._aliases)
        return [code for code in codes if isinstance(code, str) and code] if isinstance(codes, list) else []

    def label(self, tracking_number: str, pallet_number: int, transaction_number: str) -> bytes:
        """The JPEG label of one pallet, counted from 1; `transaction_number` "" when the upload was not ours (2.2).

        Raises UnknownOutcome for an answer without a readable label [PF-2.2-3], Rejected for a number or pallet the
        network does not know.
        """
        operation = "DownloadLabel"
        reply = self._call(
            operation,
            {
                "trackingNumber": tracking_number,
                "palletNumber": str(pallet_number),
                "uniqueTransactionNumber": transaction_number,
            },
        )
        images = fold(wire.field(reply, "labelImages", self._aliases) or [], self._aliases)
        first = images[0] if isinstance(images, list) and images else None
        text = first.get("imagedata") if isinstance(first, dict) else None
        if not isinstance(text, str) or not text:
            raise self._failure(UnknownOutcome, operation, f"the answer has no label for pallet {pallet_number}")
        try:
            image = base64.b64decode(text, validate=True)
        except (binascii.Error, ValueError):
            image = b""
        if not image.startswith(JPEG):
            raise self._failure(UnknownOutcome, operation, f"the label of pallet {pallet_number} is no JPEG in base64")
        return image

    def tracking(self, tracking_number: str) -> list[Any]:
        """The statuses of one consignment as the network sent them, oldest first; [] for an unknown number (2.3)."""
        return self._tracking({"trackingNumber": tracking_number})

    def tracking_window(self, depot: str, start: datetime, end: datetime) -> list[Any]:
        """The statuses of all consignments of a depot that happened in [start, end) (2.3, mode `depot`)."""
        lower, upper = self.settings.local_time.window(start, end)
        return self._tracking({"depot": depot, "fromDateTime": lower, "toDateTime": upper})

    def _tracking(self, asked: Mapping[str, str]) -> list[Any]:
        operation = "DownloadTracking"
        statuses = wire.field(self._call(operation, asked), "trackingData", self._aliases) or []
        if not isinstance(statuses, list):
            raise self._failure(UnknownOutcome, operation, "the answer's trackingData is no list")
        return statuses

    def upload_tracking(
        self, elements: Sequence[Mapping[str, str]], transaction_number: str, names: Mapping[str, str] = {}
    ) -> dict[int, str]:
        """Sends statuses, at most `extra.upload_batch` a call; the positions of those refused, with the reason (2.6).

        `elements` have the names of the contract; `names` says which of them the wire calls otherwise. Sending them
        again changes nothing in the network, so a failure in the middle is mended by sending all of them once more.
        """
        refused: dict[int, str] = {}
        most = self.settings.upload_batch
        for number, start in enumerate(range(0, len(elements), most), 1):
            batch = elements[start : start + most]
            sent = [{names.get(name, name): value for name, value in element.items()} for element in batch]
            transaction = transaction_number if number == 1 else f"{transaction_number}-{number}"
            reply = self._call("UploadTracking", {"uniqueTransactionNumber": transaction, "trackingData": sent})
            refused |= {start + position: reason for position, reason in self._refused(reply, batch).items()}
        return refused

    def _refused(self, reply: Mapping[str, Any], batch: Sequence[Mapping[str, str]]) -> dict[int, str]:
        """What a reply to UploadTracking refuses: by position in the batch, why."""
        listed = fold(wire.field(reply, "failedTracking", self._aliases) or [], self._aliases)
        refused: dict[int, str] = {}
        for failed in listed if isinstance(listed, list) else []:
            named = {
                name: failed[name.casefold()]
                for name in ("trackingNumber", "barcode", "eventCode")
                if isinstance(failed, dict) and failed.get(name.casefold())
            }
            for position, element in enumerate(batch):
                if named and all(element[name] == value for name, value in named.items()):
                    refused[position] = self._reasons({"failedTracking": [failed]})
        if refused or wire.field(reply, "success", self._aliases) is None or wire.succeeded(reply, self._aliases):
            return refused
        return dict.fromkeys(range(len(batch)), self._reasons(reply))

    def _reasons(self, reply: Mapping[str, Any]) -> str:
        texts = wire.failure_texts(reply, self._aliases)
        return self._shown("; ".join(texts), REASONS_KEPT) or "refused without a reason"

    def _match(self, depot: str, around: datetime, consignment_number: str, reference: str) -> list[Any]:
        found: list[Any] = []
        for page in self.pull(depot, around - timedelta(hours=1), around + timedelta(hours=1)):
            if page is None:
                found.clear()
                continue
            for manifest in page.manifests:
                for consignment in self._consignments(manifest):
                    if (
                        consignment.get("consignmentnumber") == consignment_number
                        and consignment.get("customersuniquereference") == reference
                    ):
                        found.append(manifest)
        return found

    def _consignments(self, manifest: Any) -> list[dict[str, Any]]:
        """The folded consignments of a manifest; none of what is no record."""
        folded = fold(manifest, self._aliases)
        listed = folded.get("consignments") if isinstance(folded, dict) else None
        return [one for one in listed if isinstance(one, dict)] if isinstance(listed, list) else []

    def _pages(self, depot: str, start: datetime, end: datetime) -> Iterator[Page]:
        lower, upper = self.settings.local_time.window(start, end)
        window = {"depot": depot, "fromDateTime": lower, "toDateTime": upper}

        def page(number: int) -> Page:
            return self._page(number, window)

        first = page(1)
        self._must_hold_records(first)
        yield first
        numbers = iter(range(2, first.total_pages + 1))
        with ThreadPoolExecutor(self.settings.max_in_flight) as pool:
            # Asked for only a little ahead, so that a slow reader does not gather a whole result in memory.
            ahead = deque(pool.submit(page, number) for number in islice(numbers, 2 * self.settings.max_in_flight))
            try:
                while ahead:
                    other = ahead.popleft().result()
                    if (other.total_records, other.total_pages) != (first.total_records, first.total_pages):
                        raise _ResultMoved
                    self._must_hold_records(other)
                    ahead.extend(pool.submit(page, number) for number in islice(numbers, 1))
                    yield other
            finally:
                pool.shutdown(wait=False, cancel_futures=True)

    def _page(self, number: int, window: Mapping[str, str]) -> Page:
        """One page of a window. An answer that could hide consignments is no good answer: UnknownOutcome."""
        operation = "DownloadManifest"
        asked = {"pageNumber": str(number), "pageSize": str(self.settings.page_size)}
        reply = self._call(operation, {**window, **asked})
        answered, pages, total = (
            self._count(operation, reply, name) for name in ("pageNumber", "totalPages", "totalRecords")
        )
        if answered != number:
            raise self._failure(UnknownOutcome, operation, f"asked for page {number}, got pageNumber {answered}")
        return Page(number, pages, total, self._manifests(operation, reply))

    def _count(self, operation: str, reply: Mapping[str, Any], name: str) -> int:
        content = wire.field(reply, name, self._aliases)
        text = str(content).strip() if isinstance(content, str | int) else ""
        if not re.fullmatch("[0-9]{1,9}", text):
            raise self._failure(
                UnknownOutcome,
                operation,
                f"the answer's {name} is {'missing' if content is None else 'no whole number'}; "
                "if the network calls it otherwise, say so under response_aliases in the import template",
            )
        return int(text)

    def _manifests(self, operation: str, reply: Mapping[str, Any]) -> list[Any]:
        manifests = wire.field(reply, "manifests", self._aliases) or []
        if not isinstance(manifests, list):
            raise self._failure(UnknownOutcome, operation, "the answer's manifests are no list")
        return manifests

    def _must_hold_records(self, page: Page) -> None:
        if page.total_records and not page.manifests:
            detail = f"page {page.number} has no manifests, though totalRecords is {page.total_records}"
            raise self._failure(UnknownOutcome, "DownloadManifest", detail)

    # How it is asked

    def _call(
        self,
        operation: str,
        fields: Mapping[str, Any],
        sent_again_after: tuple[type[NetworkError], ...] = (NotSent, UnknownOutcome),
    ) -> dict[str, Any]:
        """One operation with the retries of contract 1.3: by default those of a read."""
        for pause in BACKOFF_S:
            try:
                return self._send(operation, fields)
            except Throttled as throttled:
                if not self._patient:
                    raise
                self._sleep(throttled.retry_after)
            except sent_again_after:
                self._sleep(pause * self._jitter())
        return self._send(operation, fields)

    def _send(self, operation: str, fields: Mapping[str, Any]) -> dict[str, Any]:
        """One call within the budget. When the network asks for a pause, it is everyone's."""
        with self._budget.call():
            try:
                return self._exchange(operation, fields)
            except Throttled as throttled:
                self._budget.pause(throttled.retry_after)
                raise

    def _exchange(self, operation: str, fields: Mapping[str, Any]) -> dict[str, Any]:
        settings = self.settings
        body = Body(json.dumps({"accessKey": settings.access_key, **fields}).encode())
        try:
            with self._session.post(
                f"{settings.base_url}/{settings.operation(operation)}",
                data=body,
                timeout=(settings.connect_timeout_s, settings.read_timeout_s),
                allow_redirects=False,
                stream=True,
            ) as answer:
                received = content(answer, ANSWER_MOST_BYTES)
        except requests.exceptions.RequestException as error:
            kind, said = UnknownOutcome if body.has_left else NotSent, reason(error)
        else:
            if received is not None:
                return self._sorted(operation, answer.status_code, answer.headers, received)
            kind, said = UnknownOutcome, f"HTTP {answer.status_code}: larger than {ANSWER_MOST_BYTES >> 20} MB"
        # Raised here and not above: the error of requests, which holds the request, shall not hang on ours.
        raise self._failure(kind, operation, self._shown(said, TEXT_KEPT))

    def _sorted(self, operation: str, status: int, headers: Mapping[str, str], content: bytes) -> dict[str, Any]:
        """The answer's body when it is good, else the error of its outcome class: the table of contract 1.3."""
        try:
            reply: dict[str, Any] | None = wire.parse(content)
        except wire.Unreadable:
            reply = None
        # A message beside a success, such as a key that expires soon, is no failure text.
        failed = reply is not None and not wire.succeeded(reply, self._aliases)
        reasons = wire.failure_texts(reply, self._aliases) if reply and failed else []
        outcome = self._outcome(operation, status, headers, reply, reasons)
        itemised = operation in ITEMISED and outcome == "REJECTED"
        if reply is not None and (
            outcome == "OK" or (itemised and wire.field(reply, ITEMISED[operation], self._aliases) is not None)
        ):
            return reply

        if reasons:
            said = self._shown("; ".join(reasons), REASONS_KEPT)
        else:
            said = self._shown(content.decode(errors="replace"), TEXT_KEPT) or "empty body"
        said = f"HTTP {status}: {said}"
        if outcome == "THROTTLED":
            wait = _retry_after(headers.get("Retry-After"))
            raise Throttled(self.settings.connection, self.settings.operation(operation), said, wait)
        raise self._failure(FAILURES[outcome], operation, said)

    def _outcome(
        self,
        operation: str,
        status: int,
        headers: Mapping[str, str],
        reply: dict[str, Any] | None,
        reasons: list[str],
    ) -> str:
        """The first row of contract 1.3 that matches."""
        uploads = operation == "UploadManifest"
        if uploads and reply is not None and self._tracking_codes(reply):
            return "OK"  # created, whatever else the answer says [PF-2.1-24]
        meaning = self.settings.status_classes.get(str(status)) or _meaning(status, headers)
        pattern = self.settings.auth_error_pattern
        if meaning == "AUTH" or any(re.search(pattern, reason, re.IGNORECASE) for reason in reasons):
            return "AUTH"
        if meaning == "THROTTLED":
            return meaning
        if reply is not None and any(wire.field(reply, key, self._aliases) is not None for key in RESULT_KEYS):
            # Without `success` the data key alone means that a read was answered.
            absent = wire.field(reply, "success", self._aliases) is None
            if not (absent or wire.succeeded(reply, self._aliases)):
                return "REJECTED"
            return "UNKNOWN" if uploads else "OK"  # an upload without a tracking code [PF-2.1-25]
        return meaning

    def _failure(self, kind: type[NetworkError], operation: str, detail: str) -> NetworkError:
        return kind(self.settings.connection, self.settings.operation(operation), detail)

    def _shown(self, text: str, most: int) -> str:
        return shown(text, self._key, most)


class _ResultMoved(Exception):
    """totalRecords or totalPages changed between two pages."""


def _meaning(status: int, headers: Mapping[str, str]) -> str:
    """The outcome class of an HTTP status whose body does not decide (rows 2, 3 and 5 to 7)."""
    match status:
        case HTTPStatus.UNAUTHORIZED | HTTPStatus.FORBIDDEN:
            return "AUTH"
        case HTTPStatus.TOO_MANY_REQUESTS:
            return "THROTTLED"
        case HTTPStatus.SERVICE_UNAVAILABLE if "Retry-After" in headers:
            return "THROTTLED"
        case HTTPStatus.NOT_FOUND | HTTPStatus.METHOD_NOT_ALLOWED:
            return "CONFIG"
    if HTTPStatus.BAD_REQUEST <= status < HTTPStatus.INTERNAL_SERVER_ERROR:
        return "REJECTED"
    return "UNKNOWN"


def _retry_after(header: str | None) -> float:
    """Seconds to wait: those of the header, at most 300; 30 without a readable one."""
    seconds = retry_after(header, datetime.now(UTC))
    return RETRY_AFTER_S if seconds is None else min(seconds, RETRY_AFTER_MOST_S)
