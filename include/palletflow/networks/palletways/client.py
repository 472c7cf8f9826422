"""Calls the web services of Palletways (contract 2): one method an operation, answers as trees. Gives no meaning."""

import copy
import logging
import time
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Self

from palletflow.network_errors import NetworkError
from palletflow.networks.palletways import answers, methods, submissions, wire
from palletflow.networks.palletways.answers import Envelope
from palletflow.networks.palletways.calls import KEYTEST, Calls
from palletflow.networks.palletways.closed_methods import ClosedMethods
from palletflow.networks.palletways.errors import (
    LabelNotReady,
    MethodRefused,
    MethodUnavailable,
    NoSuchConsignment,
    ServerTrouble,
    SubmissionUnclear,
    UnreadableAnswer,
    ValidationRefused,
)
from palletflow.networks.palletways.exchange import Exchange
from palletflow.networks.palletways.retries import Retries
from palletflow.networks.palletways.settings import API2, CUSTOMER_KEY, Settings
from palletflow.networks.palletways.tree import Tree, nodes, text, trees
from palletflow.work.budget import Budget, NoBudget
from palletflow.work.minute_budget import MinuteBudget

BY_NUMBER = "getDynConStatusByConNo"
# What it is called in the shapes of contract 2.4 and 2.5.
TRACKING_ID_NAMES = ("TrackingID", "dc_syscon")

log = logging.getLogger(__name__)


class PalletwaysClient:
    """One connection to Palletways. Threads may share it; not for sharing between processes.

    A read raises what palletflow.networks.palletways.calls names: KeyRefused, KeyMissing, MethodUnavailable,
    MethodRefused, Busy and Throttled, NotSent, NoAnswer, ServerTrouble, UnreadableAnswer, AnswerRefused,
    AnswerTooLarge; and DatabaseUnavailable when the budget's order store is away. It is made again by itself.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        budget: MinuteBudget | None = None,
        closed: ClosedMethods | None = None,
        patient: bool = True,
        sleep: Callable[[float], None] = time.sleep,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        """`budget`: what all processes together may call, closed with the client; without one nothing is counted.

        `closed`: which methods are remembered as closed. `patient`: waits out the pauses the network asks for; else
        Throttled comes out at once, for a queue that waits. `sleep`: waits between tries.
        """
        self.settings = settings
        self._budget, self._exchange = budget, Exchange(settings)
        self._retries = Retries(patient=patient, sleep=sleep)
        self._closed, self._clock = closed or ClosedMethods(clock), clock
        self._calls = self._calling(background=False)

    def in_background(self) -> "PalletwaysClient":
        """The same client, its calls counted as background work (contract 1.4); closed with this one."""
        behind = copy.copy(self)
        behind._calls = self._calling(background=True)
        return behind

    def close(self) -> None:
        """Closes the connections held open."""
        self._exchange.close()
        if self._budget:
            self._budget.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # About our key

    def check(self) -> str:
        """Asks keytest (2.1): proves address and key without any effect.

        A warning when the key belongs to another depot than the connection's [PW-2.1-2]; "" when it does not.
        """
        depot = text(nodes(self._calls.read(KEYTEST).tree, "Detail", "Data"), "DepotNo")
        if depot in ("", self.settings.depot):
            return ""
        warning = f"the key belongs to depot {depot}, and the connection's Login says {self.settings.depot}"
        log.warning("%s: %s", self.settings.connection, warning)
        return warning

    # Reading

    def consignment(self, tracking_id: str) -> Tree | None:
        """The Manifest node of a consignment (2.3); None when the network shows none to our key."""
        method = "getConsignment"
        manifests = trees(self._calls.read(method, tracking_id).tree, "Detail", "Data", "Manifest")
        others = set()
        for manifest in manifests:
            named = set(nodes(manifest, "Depot", "Account", "Consignment", "TrackingID"))
            if tracking_id in named or not named:
                return manifest
            others |= named
        if others:
            detail = f"it shows {', '.join(sorted(map(str, others))[:5])} for {tracking_id}"
            raise UnreadableAnswer(self.settings.connection, method, detail)
        return None

    def dynamic_status(self, tracking_id: str, consignment_number: str = "") -> Tree | None:
        """The Data node with a consignment's status (2.5), by the first of `status_methods` that is open to us.

        None when the network knows none. Raises MethodUnavailable or MethodRefused when no method is open.
        """
        refusals: list[NetworkError] = []
        for method in self.settings.status_methods:
            by_number = method.startswith(BY_NUMBER)
            if by_number and not consignment_number:
                continue
            try:
                data = self._data(method, consignment_number if by_number else tracking_id)
            except (MethodUnavailable, MethodRefused) as error:
                refusals.append(error)
                continue
            # A number is not unique: what has another tracking ID, or none, is not known to be ours.
            if by_number:
                data = [one for one in data if tracking_id in [text(one, name) for name in TRACKING_ID_NAMES]]
                if not data:
                    continue
            return data[0] if data else None
        if refusals:
            raise refusals[0]
        return None

    def basics_by_response_id(self, response_id: str) -> list[Tree]:
        """The Data nodes of a submission (2.4): the bridge to its tracking ID."""
        return self._data("conStatusById", response_id)

    def basics_by_reference(self, reference: str) -> list[Tree]:
        """The Data nodes of what has this customer reference (2.4)."""
        return self._data("conStatusByCustRef", reference)

    def basics_by_number(self, number: str) -> list[Tree]:
        """The Data nodes of what has this consignment number (2.4)."""
        return self._data("conStatusByConNo", number)

    def notes_since(self, delta: int) -> list[Tree]:
        """The notes that changed since a moment, in epoch seconds (2.6)."""
        return self._data("getNotes", "delta", str(delta))

    def notes_between(self, start: datetime, end: datetime) -> list[Tree]:
        """The notes from one moment to another, both included (2.6)."""
        first, last = (moment.astimezone(self.settings.zone) for moment in (start, end))
        # Where clocks are set back in between, an hour of their times comes twice, and both ends may lie in it.
        again = max(_offset(first) - _offset(last), timedelta(0))
        return self._data("getNotes", "dateRange", *_day_and_time(first - again), *_day_and_time(last + again))

    def notes_of(self, tracking_id: str) -> list[Tree]:
        """The notes of one consignment (2.6)."""
        return self._data("getNotes", "trackingId", tracking_id)

    def entered(self, day: date) -> list[Tree]:
        """The Data nodes of the consignments that were entered on a day (2.4)."""
        return self._data("consEntered", day.isoformat())

    # Files

    def photos(self, tracking_id: str, method: str = "podimages@portal") -> bytes | None:
        """The photos of a consignment (2.8): bytes of a PDF, an image or another file as they came.

        None when there are none yet. `method`: one of `photo_methods`; its other host and spelling are tried by itself.
        """
        found = self._calls.file(method, tracking_id)
        return found.data if found else None

    def label(self, *, tracking_id: str = "", response_id: str = "", degrees: int | None = None) -> bytes:
        """The labels of a consignment in one PDF (2.9), by its tracking ID or its response ID. Raises LabelNotReady."""
        method, key = ("getLabelsByTID", tracking_id) if tracking_id else ("getLabelsById", response_id)
        rotation = () if degrees is None else ("degrees", str(degrees))
        found = self._calls.file(method, key, *rotation)
        if found is None:
            raise LabelNotReady(self.settings.connection, method, f"the network has none for {key}")
        if not found.is_pdf:
            raise UnreadableAnswer(self.settings.connection, method, f"what came for {key} is no PDF")
        return found.data

    def shown_url(self, method: str, *arguments: str) -> str:
        """The address of a read call with its key masked: for records that are kept."""
        return wire.shown_url(self.settings, methods.ways(method)[0], arguments)

    # Submitting

    def create(self, xml: str, *, commit: bool) -> Tree:
        """Submits a manifest (2.2); the answer's Detail node. Without `commit` nothing is kept there.

        Raises ValidationRefused and AnswerRefused when nothing was stored, SubmissionUnclear when it may have been.
        """
        detail = self._submitted("createConsignment", xml, commit=commit)
        if commit and not submissions.is_stored(detail):
            said = "the answer of success has no ResponseID"
            raise SubmissionUnclear(self.settings.connection, "createConsignment", said)
        return detail

    def create_note(self, xml: str) -> None:
        """Submits notes that are stored (2.7); as create(), but the answer need not show what was stored."""
        self._submitted("createSystemNote", xml, commit=True)

    def confirm(self, response_id: str) -> None:
        """Releases an outstanding submission to the depot (2.0).

        Raises NoSuchConsignment, SubmissionUnclear, and MethodRefused without a call when ours is no customer key.
        """
        self._change("manifestConsignment", response_id)

    def delete(self, response_id: str) -> None:
        """Deletes an unconfirmed submission (7.1). Raises as confirm()."""
        self._change("deletePCConsignment", response_id)

    def _submitted(self, method: str, xml: str, *, commit: bool) -> Tree:
        envelope = self._calls.submit(method, xml, commit=commit)
        if envelope.code == answers.OK:
            return next(iter(trees(envelope.tree, "Detail")), {})
        if envelope.code == answers.NOT_VALID:
            found = submissions.errors(envelope.tree)
            said = self._exchange.shown(submissions.summary(found) or envelope.description or envelope.code)
            raise ValidationRefused(self.settings.connection, method, said, found)
        raise self._calls.refused(method, envelope)

    def _change(self, method: str, response_id: str) -> None:
        if self.settings.key_kind != CUSTOMER_KEY:
            raise MethodRefused(self.settings.connection, method, "it needs a customer key (key_kind)")
        if self._calls.change(method, response_id).is_empty:
            raise NoSuchConsignment(self.settings.connection, method, f"there is no {response_id}")

    # How

    def _calling(self, *, background: bool) -> Calls:
        lane: Budget = NoBudget()
        if self._budget:
            lane = self._budget.lane(self.settings.connection, self._is_answered, background=background)
        return Calls(self.settings, self._exchange, lane, self._retries, self._closed, self._clock)

    def _is_answered(self) -> bool:
        """Whether the network answers at all: one keytest, whatever it says."""
        try:
            self._exchange(wire.read_call(self.settings, (KEYTEST, API2), ()))
        except ServerTrouble:  # it began to
            return True
        except NetworkError:
            return False
        return True

    def _data(self, method: str, *arguments: str) -> list[Tree]:
        envelope: Envelope = self._calls.read(method, *arguments)
        return [] if envelope.is_empty else trees(envelope.tree, "Detail", "Data")


def _offset(moment: datetime) -> timedelta:
    offset = moment.utcoffset()
    assert offset is not None, "every zone has one"
    return offset


def _day_and_time(local: datetime) -> tuple[str, str]:
    return f"{local:%Y-%m-%d}", f"{local:%H:%M:%S}"
