"""Calls the web services of Palletways (contract 2): one method an operation, answers as trees. Gives no meaning."""

import time
from collections.abc import Callable
from datetime import UTC, date, datetime
from typing import Any, NamedTuple, Self

from palletflow.networks.palletways.settings import Settings
from palletflow.networks.palletways.tree import Tree


class KeyOwner(NamedTuple):
    """Whose key it is (contract 2.1)."""

    user_name: str
    depot_number: str
    depot_name: str
    network: str


class PalletwaysClient:
    """One connection to Palletways. Threads may share it; not for sharing between processes."""

    def __init__(
        self,
        settings: Settings,
        *,
        budget: Any = None,
        patient: bool = True,
        sleep: Callable[[float], None] = time.sleep,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self.settings = settings

    def in_background(self) -> "PalletwaysClient":
        """The same client, its calls counted as background work (contract 1.4)."""
        raise NotImplementedError

    def check(self) -> KeyOwner:
        """Asks keytest: proves addresses and key without any effect (2.1). Raises KeyRefused."""
        raise NotImplementedError

    def consignment(self, tracking_id: str) -> Tree | None:
        """The Manifest node of a consignment (2.3); None when Palletways shows none to our key."""
        raise NotImplementedError

    def dynamic_status(self, tracking_id: str, consignment_number: str = "") -> Tree | None:
        """The Data node with a consignment's status (2.5), by `status_methods` in turn; None without results."""
        raise NotImplementedError

    def basics_by_response_id(self, response_id: str) -> list[Tree]:
        """The Data nodes of a submission (2.4)."""
        raise NotImplementedError

    def basics_by_reference(self, reference: str) -> list[Tree]:
        """The Data nodes of what has this customer reference (2.4)."""
        raise NotImplementedError

    def basics_by_number(self, number: str) -> list[Tree]:
        """The Data nodes of what has this consignment number (2.4)."""
        raise NotImplementedError

    def notes_since(self, delta: int) -> list[Tree]:
        """The notes that changed since a moment, in epoch seconds (2.6)."""
        raise NotImplementedError

    def notes_between(self, start: datetime, end: datetime) -> list[Tree]:
        """The notes from one moment to another, both included (2.6)."""
        raise NotImplementedError

    def notes_of(self, tracking_id: str) -> list[Tree]:
        """The notes of one consignment (2.6)."""
        raise NotImplementedError

    def photos(self, tracking_id: str, method: str = "podimages@portal") -> bytes | None:
        """The photos of a consignment: bytes of a PDF, an image or another file as they came (2.8).

        None when there are none yet. Raises MethodUnavailable, MethodRefused, AnswerTooLarge.
        """
        raise NotImplementedError

    def shown_url(self, method: str, *arguments: str) -> str:
        """The address of a read call, its key masked: for quarantine records."""
        raise NotImplementedError

    def label(self, *, tracking_id: str = "", response_id: str = "", degrees: int | None = None) -> bytes:
        """The labels of a consignment in one PDF (2.9). Raises LabelNotReady."""
        raise NotImplementedError

    def entered(self, day: date) -> list[Tree]:
        """The Data nodes of the consignments that were entered on a day (2.4)."""
        raise NotImplementedError

    def create(self, xml: str, *, commit: bool) -> Tree:
        """Submits a manifest (2.2); the answer's Detail node.

        Raises ValidationRefused, and SubmissionUnclear when it may or may not have been stored.
        """
        raise NotImplementedError

    def create_note(self, xml: str, *, commit: bool) -> Tree:
        """Submits notes (2.7); as create()."""
        raise NotImplementedError

    def confirm(self, response_id: str) -> None:
        """Releases an outstanding submission to the depot; needs a customer key (2.2). Raises SubmissionUnclear."""
        raise NotImplementedError

    def delete(self, response_id: str) -> None:
        """Deletes an unconfirmed submission; needs a customer key (7.1). Raises SubmissionUnclear."""
        raise NotImplementedError

    def close(self) -> None:
        """Closes the connections held open."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
