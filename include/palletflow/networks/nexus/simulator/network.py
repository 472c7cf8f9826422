"""What the network knows: consignments, who sees them, and what is due to happen. All in memory."""

import heapq
from collections.abc import Callable
from datetime import datetime
from itertools import count

from palletflow.simulation.clock import Clock

from .consignment import Consignment, Event, File
from .members import DEPOTS

WINDOWS = ("created", "manifest", "estimatedcollection", "estimateddelivery", "collection", "delivery")


class Network:
    """The network's state. Call ``catch_up`` before reading."""

    def __init__(self, *, seed: int, clock: Clock) -> None:
        self.seed = seed
        self.clock = clock
        self.consignments: dict[int, Consignment] = {}
        self.by_number: dict[str, Consignment] = {}
        self.files: dict[int, tuple[Consignment, File]] = {}
        self.made = 0  # consignments added by the control path so far
        self._of_depot: dict[str, list[Consignment]] = {code: [] for code in DEPOTS}
        self._found: dict[object, list[Consignment]] = {}
        self._due: list[tuple[datetime, int, Callable[[], None]]] = []
        self._order = count()
        self._consignment_ids, self._pallet_ids = count(700001), count(810001)
        self._event_ids, self._file_ids, self._numbers = count(550001), count(3001), count(1)

    # Time

    def at(self, instant: datetime, happen: Callable[[], None]) -> None:
        """Let something happen once the clock reaches ``instant``."""
        heapq.heappush(self._due, (instant, next(self._order), happen))

    def catch_up(self) -> None:
        """Let everything happen that is due by the clock's time, in order."""
        now = self.clock.now()
        while self._due and self._due[0][0] <= now:
            heapq.heappop(self._due)[2]()

    # Changes

    def free_number(self) -> str:
        """A consignment number as the portal gives it."""
        return next(number for number in (f"PX{n:07d}" for n in self._numbers) if number not in self.by_number)

    def add(self, made: Consignment) -> Consignment:
        """Take in a consignment whose number is free; ids and barcodes are given here."""
        made.consignment_id = next(self._consignment_ids)
        for place, pallet in enumerate(made.pallets, 1):
            pallet.pallet_id = next(self._pallet_ids)
            pallet.barcode = pallet.barcode or f"1044{made.consignment_id:09d}{place:03d}"
        self.consignments[made.consignment_id] = made
        self.by_number[made.number] = made
        for depot in made.depots:
            self._of_depot[depot].append(made)
        self.scan(made, "Booked", made.created, barcodes=[None])
        return made

    def scan(
        self,
        consignment: Consignment,
        status: str,
        at: datetime,
        *,
        barcodes: list[str | None] | None = None,
        depot: str | None = None,
        signatory: str | None = None,
        notes: str | None = None,
        source: str = "network",
        status_id: int | None = None,
    ) -> list[Event]:
        """Add a status: one event per barcode; without ``barcodes`` one per pallet."""
        marked = [pallet.barcode for pallet in consignment.pallets] if barcodes is None else barcodes
        events = [
            Event(next(self._event_ids), status, at, depot, barcode, signatory, notes, source, status_id)
            for barcode in marked
        ]
        consignment.events += events
        self.changed(consignment)
        return events

    def attach(
        self, consignment: Consignment, type_: str, name: str, content: bytes, at: datetime, source: str
    ) -> File:
        """Add a file, to be seen from ``at`` on."""
        file = File(next(self._file_ids), type_, name, content, at, source)
        consignment.files.append(file)
        self.files[file.file_id] = consignment, file
        return file

    def changed(self, consignment: Consignment) -> None:
        """Must be called after any other change to a consignment."""
        consignment.settle()
        self._found.clear()

    def rewrite(self) -> None:
        """Forget all prepared rows: the wire writes them in another way from now on."""
        for consignment in self.consignments.values():
            consignment.row = None
        self._found.clear()

    # Reading

    def visible(self, depot: str, consignment_id: int) -> Consignment | None:
        """The consignment if ``depot`` has a role on it."""
        found = self.consignments.get(consignment_id)
        return found if found is not None and depot in found.depots else None

    def search(
        self,
        depot: str,
        *,
        windows: tuple[tuple[str, str, str], ...] = (),
        customer_id: int | None = None,
        type_: str | None = None,
        statuses: frozenset[str] | None = None,
        term: str = "",
    ) -> list[Consignment]:
        """Consignments of ``depot`` that pass every filter, newest first (section 2.2).

        windows: (one of WINDOWS, first day, last day), both included; "" = open. The list is kept until something
        changes, so that the pages of a listing cost one search.
        """
        key = (depot, windows, customer_id, type_, statuses, term)
        if key not in self._found:
            term = term.casefold()
            self._found[key] = [
                one
                for one in reversed(self._of_depot[depot])
                if (customer_id is None or one.customer_id == customer_id)
                and (type_ is None or one.type == type_)
                and (statuses is None or one.status in statuses)
                and all(_within(one.day(kind), first, last) for kind, first, last in windows)
                and (not term or _answers_to(one, term))
            ]
        return self._found[key]


def _within(day: str | None, first: str, last: str) -> bool:
    return day is not None and first <= day and (not last or day <= last)


def _answers_to(one: Consignment, term: str) -> bool:
    number = one.number.casefold()
    return (
        number.startswith(term)
        or number.endswith(term)
        or (one.reference or "").casefold() == term
        or str(one.consignment_id) == term
        or any(pallet.barcode == term for pallet in one.pallets)
    )
