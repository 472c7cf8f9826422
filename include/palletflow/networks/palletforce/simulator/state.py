"""What the network knows: consignments, their index per depot, statuses and transaction numbers. All in memory."""

import heapq
import json
from bisect import bisect_left, insort
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import count
from typing import Any, NamedTuple

from palletflow.simulation.clock import Clock

from .gazetteer import DEPOTS
from .times import wire_time
from .traffic import LONGEST_CHANGE, Booking, Change, bookings, slot_number

STATUSES = ("ACCEPTED", "UNACCEPTED", "CANCELLED")
TOP_FIELDS = ("uniqueTransactionNumber", "collectionAddress", "deliveryAddress", "consignments")

# Sample traffic is complete for this long before the simulator started, and forgotten after KEPT.
HISTORY = timedelta(days=3)
KEPT = timedelta(days=14)


class Version(NamedTuple):
    """Routing, service and status of a consignment from an instant on; these decide barcodes and progress."""

    at: datetime
    delivery_depot: str
    service: str
    status: str


class Status(NamedTuple):
    """One status of a consignment: when it happened, and the element of ``trackingData[]``."""

    at: datetime
    element: Any


@dataclass(slots=True)
class Consignment:
    """One consignment: its element of ``manifests[]``, where it stands in the index, and what happened to it."""

    number: str
    document: dict[str, Any]
    last_updated: str
    history: list[Version]
    overrides: dict[str, Any] = field(default_factory=dict)
    statuses: list[Status] = field(default_factory=list)
    _served: bytes | None = None

    @property
    def facts(self) -> dict[str, Any]:
        facts: dict[str, Any] = self.document["consignments"][0]
        return facts

    @property
    def requesting_depot(self) -> str:
        return str(self.facts["requestingDepot"])

    @property
    def collecting_depot(self) -> str:
        return str(self.facts["collectingDepot"])

    @property
    def delivery_depot(self) -> str:
        return str(self.facts["deliveryDepot"])

    @property
    def status(self) -> str:
        return str(self.facts["consignmentStatus"])

    @property
    def depots(self) -> set[str]:
        """The depots that see it: a consignment belongs to who requests, collects or delivers it (section 2.4)."""
        return {self.requesting_depot, self.collecting_depot, self.delivery_depot}

    @property
    def pallets(self) -> int:
        return sum(int(pallet["numberofPallets"]) for pallet in self.facts["pallets"])

    def version_at(self, at: datetime) -> Version:
        """The version in force at ``at``; before the first one, the first."""
        return next((version for version in reversed(self.history) if version.at <= at), self.history[0])

    def barcode(self, pallet: int, version: Version) -> str:
        """``506`` + delivery depot + service + tracking number + pallet (section 3)."""
        return f"506{version.delivery_depot}{version.service}{self.number}{pallet:02d}"

    def barcodes(self) -> list[str]:
        """The barcodes valid now, one per pallet."""
        return [self.barcode(pallet, self.history[-1]) for pallet in range(1, self.pallets + 1)]

    def served(self) -> bytes:
        """The JSON text of the element, made once and kept until the consignment changes."""
        if self._served is None:
            self._served = to_json(with_overrides(self.document, self.overrides))
        return self._served

    def changed(self) -> None:
        self._served = None


class Raw(NamedTuple):
    """An element of ``manifests[]`` that is no consignment at all, served as it is."""

    text: bytes

    def served(self) -> bytes:
        return self.text


class Network:
    """The network's state. Every method that depends on time uses the clock; call ``catch_up`` before reading."""

    def __init__(self, *, seed: int, clock: Clock, traffic: bool) -> None:
        self.seed = seed
        self.clock = clock
        self.consignments: dict[str, Consignment] = {}
        self.by_transaction: dict[str, dict[str, None]] = {}  # transaction number: tracking numbers in order
        self.transactions: dict[tuple[str, str], tuple[str, Any]] = {}  # (depot, number): (body, answer)
        self._elements: dict[str, Consignment | Raw] = {}
        self._index: dict[str, list[tuple[str, str]]] = {code: [] for code in DEPOTS}
        self._serials: dict[str, int] = {}
        self._raw_count = count(1)
        self.made = 0  # consignments created by the control path so far
        self._due: list[tuple[datetime, str, Booking | Change]] = []
        self._sample: deque[tuple[datetime, str]] = deque()
        self._next_slot: int | None = slot_number(clock.now() - HISTORY - LONGEST_CHANGE) if traffic else None
        self.catch_up()

    # Sample traffic

    def catch_up(self) -> None:
        """Let everything happen that sample traffic holds up to the clock's time."""
        now = self.clock.now()
        if self._next_slot is not None and self._next_slot <= slot_number(now):
            # After a jump of the clock, what would be forgotten at once is not made.
            for slot in range(max(self._next_slot, slot_number(now - KEPT)), slot_number(now) + 1):
                for booking in bookings(self.seed, slot):
                    number = booking.document["consignments"][0]["trackingNumber"]
                    heapq.heappush(self._due, (booking.at, number, booking))
                    for change in booking.changes:
                        heapq.heappush(self._due, (change.at, number, change))
            self._next_slot = slot_number(now) + 1
        while self._due and self._due[0][0] <= now:
            at, number, event = heapq.heappop(self._due)
            if isinstance(event, Booking):
                self.add(event.document, at)
                self._sample.append((at, number))
            elif number in self.consignments:
                self.change(self.consignments[number], event)
        while self._sample and self._sample[0][0] < now - KEPT:
            self._forget(self._sample.popleft()[1])

    def _forget(self, number: str) -> None:
        self._unindex(self.consignments.pop(number))
        del self._elements[number]

    # Consignments

    def mint(self, requesting_depot: str, system_id: str, wanted: int | None = None) -> str:
        """Return a free tracking number: depot 3 + system id 3 + sequence 7 (section 3), from ``wanted`` upwards."""
        prefix = requesting_depot + system_id
        sequence = self._serials.get(prefix, 1) if wanted is None else wanted
        while f"{prefix}{sequence % 10_000_000:07d}" in self.consignments:
            sequence += 1
        if wanted is None:
            self._serials[prefix] = sequence + 1
        return f"{prefix}{sequence % 10_000_000:07d}"

    def add(self, document: dict[str, Any], at: datetime, overrides: dict[str, Any] | None = None) -> Consignment:
        """Take in an element of ``manifests[]`` as created ``at``: its number is free, its depots are filled."""
        facts = document["consignments"][0]
        facts["lastUpdated"] = wire_time(at)
        version = Version(at, facts["deliveryDepot"], facts["serviceName"], facts["consignmentStatus"])
        made = Consignment(facts["trackingNumber"], document, facts["lastUpdated"], [version], overrides or {})
        self.consignments[made.number] = made
        self._elements[made.number] = made
        if document.get("uniqueTransactionNumber"):
            self.by_transaction.setdefault(document["uniqueTransactionNumber"], {})[made.number] = None
        self._index_under(made)
        return made

    def replace(self, document: dict[str, Any], at: datetime) -> Consignment:
        """Take in a consignment under the number of one known already; its statuses stay."""
        known = self.consignments[document["consignments"][0]["trackingNumber"]]
        self._unindex(known)
        made = self.add(document, at)
        made.statuses = known.statuses
        return made

    def add_raw(self, depot: str, value: Any, at: datetime) -> None:
        """Put ``value`` into ``manifests[]`` of ``depot`` as if it were a consignment changed ``at``."""
        number = f"raw-{next(self._raw_count)}"
        self._elements[number] = Raw(to_json(value))
        insort(self._index[depot], (wire_time(at), number))

    def change(self, consignment: Consignment, change: Change) -> None:
        """Apply routing, service or status; ``lastUpdated`` moves if any of them differs (section 2.4)."""
        before = consignment.history[-1]
        after = Version(
            change.at,
            change.delivery_depot or before.delivery_depot,
            change.service or before.service,
            change.status or before.status,
        )
        if after[1:] == before[1:]:
            return
        self._unindex(consignment)
        consignment.history.append(after)
        consignment.facts["deliveryDepot"] = after.delivery_depot
        consignment.facts["serviceName"] = after.service
        consignment.facts["consignmentStatus"] = after.status
        consignment.facts["lastUpdated"] = consignment.last_updated = wire_time(change.at)
        consignment.changed()
        self._index_under(consignment)

    def _index_under(self, consignment: Consignment) -> None:
        for depot in consignment.depots:
            insort(self._index[depot], (consignment.last_updated, consignment.number))

    def _unindex(self, consignment: Consignment) -> None:
        key = (consignment.last_updated, consignment.number)
        for depot in consignment.depots:
            del self._index[depot][bisect_left(self._index[depot], key)]

    # Reading

    def window(self, depot: str, start: str, end: str) -> range:
        """Positions in the depot's index with start <= lastUpdated < end; both as ``wire_time`` writes them."""
        index = self._index[depot]
        return range(bisect_left(index, (start, "")), bisect_left(index, (end, "")))

    def elements(self, depot: str, positions: Sequence[int]) -> list[bytes]:
        """The JSON texts at those positions, by lastUpdated, then trackingNumber."""
        index = self._index[depot]
        return [self._elements[index[position][1]].served() for position in positions]

    def visible(self, depot: str, number: str) -> Consignment | None:
        """The consignment of that number if it belongs to ``depot``."""
        found = self.consignments.get(number)
        return found if found is not None and depot in found.depots else None

    def of_depot(self, depot: str) -> Iterator[Consignment]:
        """All consignments that belong to ``depot``, in order of the index."""
        for _, number in self._index[depot]:
            element = self._elements[number]
            if isinstance(element, Consignment):
                yield element


def to_json(value: Any) -> bytes:
    """Compact UTF-8 JSON. Text that UTF-8 cannot hold is escaped."""
    try:
        return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()
    except UnicodeEncodeError:
        return json.dumps(value, separators=(",", ":")).encode()


def with_overrides(document: dict[str, Any], overrides: dict[str, Any]) -> dict[str, Any]:
    """A consignment as it shall be served. Raises ValueError when an override has no place in it."""
    if overrides:
        document = json.loads(json.dumps(document))
        for path, value in overrides.items():
            put(document, path, value, absent_if_none=True)
    return document


def put(document: dict[str, Any], path: str, value: Any, *, absent_if_none: bool = False) -> None:
    """Set a wire field of an element of ``manifests[]``.

    ``path`` is one of ``TOP_FIELDS``, such a name and a field inside it joined by a dot (``deliveryAddress.postcode``),
    or else a field of the consignment itself (``weight``). With ``absent_if_none``, None takes the field away.
    Raises ValueError when there is no such place.
    """
    outer, _, inner = path.partition(".")
    where: Any
    if inner:
        where, name = document.get(outer), inner
    elif outer in TOP_FIELDS:
        where, name = document, outer
    else:
        listed = document.get("consignments")
        where, name = listed[0] if isinstance(listed, list) and listed else None, outer
    if not isinstance(where, dict):
        raise ValueError(f"{path}: there is no such place in a consignment")  # noqa: TRY004
    if value is None and absent_if_none:
        where.pop(name, None)
    else:
        where[name] = value
