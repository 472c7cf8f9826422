"""Calls Nexus (contract 2): one method an operation, replies as parsed JSON. Gives no meaning."""

import random
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC, date, datetime
from typing import Any

from urllib3.filepost import encode_multipart_formdata

from palletflow.networks.nexus import label_files, paging, wire
from palletflow.networks.nexus.calls import Calls, Query, as_json, as_object
from palletflow.networks.nexus.errors import (
    LabelNotReady,
    NexusConflict,
    NexusNotFound,
    NexusNotOffered,
    NexusProtocolError,
)
from palletflow.networks.nexus.exchange import Client, Exchange
from palletflow.networks.nexus.login import Login
from palletflow.networks.nexus.paging import TooManyPages
from palletflow.networks.nexus.retries import Retries
from palletflow.networks.nexus.settings import Settings
from palletflow.networks.nexus.wire import Attachment, Wire
from palletflow.work.budget import Budget

Row = dict[str, Any]
# The planned collection stands on the route only.
WITH_ROUTES = (("include", "routedetails"),)


class NexusClient(Client):
    """One connection to Nexus. Threads may share it; not for sharing between processes.

    Every method raises the errors of contract 1.5 (errors.py), NotSent, Throttled and Misconfigured. A read and a
    cancel are made again by themselves; a POST never is once it has left us.
    """

    def __init__(
        self,
        settings: Settings,
        wire: Wire,
        *,
        budget: Budget | None = None,
        patient: bool = True,
        sleep: Callable[[float], None] = time.sleep,
        jitter: Callable[[], float] = random.random,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        """`wire`: what the template says of it. `budget`: what all processes together may send.

        `patient`: waits out the pauses Nexus asks for; else Throttled comes out at once, for a queue that waits.
        `jitter`: the part of a pause between tries that is waited, 0 to 1.
        """
        self.settings, self.wire = settings, wire
        self._exchange = Exchange(settings, settings.password, budget, clock)
        retries = Retries(patient=patient, sleep=sleep, jitter=jitter)
        self._login = Login(settings, wire, self._exchange, retries, clock)
        self._calls = Calls(settings, wire, self._exchange, retries, self._login)
        self._has_no_history = threading.Event()

    def check(self) -> None:
        """Logs in anew: proves address, user and password without any effect."""
        self._login.drop_any()
        self._login.bearer()

    def listed(self, filters: Mapping[str, Any]) -> Iterator[list[Row]]:
        """The consignments our user sees that the filters let pass (2.2), page by page, each only once.

        Filters by Nexus's names; a day is a date, several statuses are a list. What has no consignmentID is passed on.
        """
        return self._pages(
            "list", self._query(filters), lambda row: wire.text(wire.first_of(row, [wire.CONSIGNMENT_ID]))
        )

    def search(self, term: str) -> list[Row]:
        """Consignments by number, reference, barcode or id (2.2)."""
        return [row for page in self.listed({"searchTerm": term}) for row in page]

    def get(self, consignment_id: int) -> Row:
        """One consignment, whole (2.3). Raises NexusNotFound also when our user takes no part in it."""
        return self._calls.get("get", consignment_id, as_object, WITH_ROUTES)

    def create(self, body: Mapping[str, Any]) -> Row:
        """Creates a consignment (2.4); the reply, {} when Nexus answered with nothing.

        Raises NexusUnknownOutcome and NexusProtocolError when it may or may not have been created: search for it first.
        """
        number = wire.text(wire.first_of(body, ["general.consignmentNumber"]))
        return self._calls.post("create", None, as_json(body), number=number)

    def cancel(self, consignment_id: int) -> None:
        """Cancels a consignment (2.5). NexusNotFound and NexusNotOffered alone prove nothing (6.5)."""
        self._calls.delete("cancel", consignment_id)

    def label(self, consignment_id: int) -> bytes:
        """The labels of all its pallets in one PDF or ZPL (2.6).

        Raises LabelNotReady; NexusProtocolError for what is no label, without asking again.
        """
        path = self.wire.path("labels", consignment_id)
        try:
            body = self._calls.file_of("labels", consignment_id)
        except (NexusNotFound, NexusConflict) as error:
            raise LabelNotReady(self.settings.connection, f"GET {path}", error.detail) from error
        try:
            found = label_files.label_or_url(body)
        except label_files.NoLabel as error:
            raise NexusProtocolError(self.settings.connection, f"GET {path}", str(error)) from error
        if isinstance(found, bytes):
            return found
        data = self.download(found)
        if not label_files.is_label(data):
            raise NexusProtocolError(self.settings.connection, f"GET {path}", "what lies at its url is no label")
        return data

    def attachments(self, consignment_id: int) -> list[Attachment]:
        """The files of a consignment (2.7)."""
        rows = self._calls.get("attachments", consignment_id, self.wire.rows)
        return [self.wire.attachment(row) for row in rows]

    def download(self, url: str) -> bytes:
        """The bytes at an address that Nexus gave for a file (1.7). Raises AddressRefused, FileTooLarge."""
        return self._calls.file_at(url)

    def upload(self, consignment_id: int, type_id: int, file_name: str, media_type: str, data: bytes) -> str:
        """Adds a file (2.7); its attachment id, "" when the reply has none. Raises NexusUnknownOutcome."""
        parts = self.wire.upload
        body, multipart = encode_multipart_formdata(
            [(parts["type"], str(type_id)), (parts["file"], (file_name, data, media_type))]
        )
        return self.wire.attachment(self._calls.post("upload", consignment_id, body, multipart)).id

    def history(self, consignment_id: int) -> list[Row] | None:
        """Every status a consignment has had (2.8); None when Nexus does not offer that, or we are not to ask.

        With status_history `auto`, a 405, or a 404 for a consignment that get shows, settles it for this client's life.
        """
        mode = self.settings.status_history
        if mode == "off" or self._has_no_history.is_set():
            return None
        try:
            return self._calls.get("history", consignment_id, self.wire.rows)
        except (NexusNotFound, NexusNotOffered) as error:
            if mode == "on":
                raise
            if isinstance(error, NexusNotFound):
                self.get(consignment_id)
        self._has_no_history.set()
        return None

    def post_status(self, consignment_id: int, body: Mapping[str, Any]) -> Row:
        """Sends a status (2.8); the event Nexus stored, {} when it does not show it. Raises NexusUnknownOutcome."""
        return self._calls.post("post_status", consignment_id, as_json(body))

    def lookup(self, name: str) -> list[Row]:
        """A whole look-up (2.9), by the name its operation has in contract 2."""
        return [row for page in self._pages(name, (), lambda row: str(self.wire.lookup_id(row) or "")) for row in page]

    def _pages(self, operation: str, query: Query, key: Callable[[Mapping[str, Any]], str]) -> Iterator[list[Row]]:
        def page(offset: int) -> list[Row]:
            limits = [("limit", str(self.settings.page_size)), ("offset", str(offset))]
            return self._calls.get(operation, None, self.wire.rows, [*query, *limits])

        try:
            yield from paging.unseen(page, self.settings.page_overlap, key)
        except TooManyPages:
            detail = f"the list does not end within {paging.MOST_PAGES} pages"
            raise NexusProtocolError(self.settings.connection, f"GET {self.wire.path(operation)}", detail) from None

    def _query(self, filters: Mapping[str, Any]) -> Query:
        return [pair for name, value in filters.items() for pair in self._encoded(name, value)]

    def _encoded(self, name: str, value: Any) -> Iterable[tuple[str, str]]:
        if not isinstance(value, list | tuple | set | frozenset):
            return [(name, self.wire.formats.write_day(value) if isinstance(value, date) else str(value))]
        values = [str(one) for one in value]
        match self.settings.array_style:
            case "comma":
                return [(name, ",".join(values))]
            case "brackets":
                return [(f"{name}[]", one) for one in values]
        return [(name, one) for one in values]
