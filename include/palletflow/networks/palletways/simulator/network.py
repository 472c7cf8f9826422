"""What the network knows: consignments, notes, who sees them, and what is due to happen. All in memory."""

import heapq
import re
import threading
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from itertools import count

from palletflow.simulation.clock import Clock

from .consignment import DELIVERED, Consignment, Note, Page, Status
from .members import Key
from .times import day_of, second_of

_DEPOT_PART = re.compile(r"^[0-9]{3}-|-[0-9]{3}$")


class Network:
    """The network's state. Call ``catch_up`` before reading."""

    def __init__(self, *, seed: int, clock: Clock) -> None:
        self.seed = seed
        self.clock = clock
        self.consignments: list[Consignment] = []
        self.by_tracking_id: dict[str, Consignment] = {}
        self.by_response_id: dict[str, Consignment] = {}
        self.notes: list[tuple[Note, Consignment]] = []
        self.made = 0  # consignments added by the control path so far
        self.accepted: Callable[[Consignment], None] = lambda _: None  # told of every acceptance
        self._lock = threading.Lock()
        self._due: list[tuple[datetime, int, Callable[[], None]]] = []
        self._order = count()
        self._tracking_ids, self._response_ids = count(60000000017), count(4000123)
        self._sys_notes, self._numbers, self._barcodes = count(9001), count(100045), count(0x0012A4F10)

    # Time

    def at(self, instant: datetime, happen: Callable[[], None]) -> None:
        """Let something happen once the clock reaches ``instant``. Threads may call it."""
        with self._lock:
            heapq.heappush(self._due, (instant, next(self._order), happen))

    def catch_up(self) -> None:
        """Let everything happen that is due by the clock's time, in order."""
        now = self.clock.now()
        while (happen := self._next_due(now)) is not None:
            happen()

    def _next_due(self, now: datetime) -> Callable[[], None] | None:
        with self._lock:
            return heapq.heappop(self._due)[2] if self._due and self._due[0][0] <= now else None

    # Changes

    def free_number(self) -> str:
        """A consignment number as a depot's system gives it."""
        return str(next(self._numbers))

    def submit(self, one: Consignment) -> str:
        """Take in a submitted consignment; its response ID. No depot has accepted it yet."""
        one.response_id = next(self._response_ids)
        self.by_response_id[str(one.response_id)] = one
        self._enter(one)
        return str(one.response_id)

    def add(self, one: Consignment, *, tracking_id: str = "", code: int = 100) -> Consignment:
        """Take in a consignment as another depot's system or the portal enters it, accepted at once."""
        self._enter(one)
        self.accept(one, tracking_id=tracking_id, code=code, at=one.created)
        return one

    def accept(self, one: Consignment, *, tracking_id: str = "", code: int = 100, at: datetime | None = None) -> None:
        """The depot accepts a consignment, unless it was deleted: it gets its tracking ID, barcodes and a status."""
        if one.deleted or one.tracking_id:
            return
        one.tracking_id = tracking_id or self._free_tracking_id()
        one.barcodes = one.barcodes or [f"B{next(self._barcodes):09X}" for _ in range(one.lifts)]
        self.by_tracking_id[one.tracking_id] = one
        one.statuses.append(Status(code, at or self.clock.now()))
        self.accepted(one)

    def delete(self, one: Consignment) -> None:
        """Forget a consignment that no depot has accepted."""
        one.deleted = True
        self.consignments.remove(one)
        del self.by_response_id[str(one.response_id)]

    def reach(
        self,
        one: Consignment,
        code: int,
        *,
        at: datetime | None = None,
        note: bool = True,
        signatory: str | None = "SAMPLE",
        pod_at: datetime | None = None,
    ) -> None:
        """Set a status. ``note``: say so in a note, which a delivery's POD data stand in unless signatory is None."""
        at = at or self.clock.now()
        one.statuses.append(Status(code, at))
        if not note:
            return
        fields = {"StatusCode": str(code), "NoteGroup": "STA", "NoteType": "STA"}
        if code == DELIVERED and signatory is not None:
            moment = pod_at or at
            fields |= {
                "PodDate": day_of(moment),
                "PodTime": second_of(moment),
                "PodSignature": signatory,
                "NoteText": "Delivered",
                "NoteGroup": "POD",
                "NoteType": "POD",
            }
        self.note(one, at=at, fields=fields)

    def note(self, one: Consignment, *, at: datetime, fields: Mapping[str, str], sys_note: int | None = None) -> Note:
        """Add a note, or change the one of that number: its ``delta`` becomes ``at``."""
        for known in one.notes:
            if known.sys_note == sys_note:
                known.delta = at
                known.fields |= fields
                return known
        written = {"NoteDate": day_of(at), "NoteTime": second_of(at), "StatusCode": "0", "NoteCodeID": "1"}
        made = Note(sys_note or next(self._sys_notes), at, {**written, **fields})
        one.notes.append(made)
        self.notes.append((made, one))
        return made

    def show(self, one: Consignment, pages: list[Page]) -> None:
        """Add POD images."""
        one.pages += pages

    # Reading

    def seen_by(self, key: Key) -> Iterator[Consignment]:
        """What a key sees: a customer its own account's, a depot whatever it has a role on. Oldest first."""
        return (one for one in self.consignments if sees(key, one))

    def of_tracking_id(self, key: Key, tracking_id: str) -> Consignment | None:
        found = self.by_tracking_id.get(tracking_id)
        return found if found is not None and sees(key, found) else None

    def of_response_id(self, key: Key, response_id: str) -> Consignment | None:
        found = self.by_response_id.get(response_id)
        return found if found is not None and sees(key, found) else None

    def of_number(self, key: Key, number: str) -> list[Consignment]:
        """Consignments of that number, with or without the depot's three digits (section 3), oldest first."""
        bare = _DEPOT_PART.sub("", number, count=1)
        return [one for one in self.seen_by(key) if one.number in (number, bare)]

    def _enter(self, one: Consignment) -> None:
        self.consignments.append(one)

    def _free_tracking_id(self) -> str:
        return next(known for known in map(str, self._tracking_ids) if known not in self.by_tracking_id)


def sees(key: Key, one: Consignment) -> bool:
    """Whether the consignment is any business of the key's owner."""
    return one.account == key.account if key.is_customer else key.depot in one.depots
