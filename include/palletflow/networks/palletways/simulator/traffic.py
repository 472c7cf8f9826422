"""Living sample traffic: what our depots' freight looks like through the week, as a function of seed and time.

Time is cut into half-hour slots; a slot's bookings depend on the seed and the slot alone. A consignment then moves by
itself, and where another depot delivers there may be photos after it. Photos of what our depots deliver are for the
client to upload.
"""

import random
from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from functools import partial

from palletflow.simulation.clock import LONDON, add_working_days, read_instant

from .consignment import DELIVERED, Consignment, Page
from .freight import consignment
from .members import OUR_DEPOTS
from .network import Network

_SLOT = timedelta(minutes=30)
# Sample traffic is complete for this long before the simulator started.
_HISTORY = timedelta(days=5)
_OFFICE_HOURS = range(6, 18)
# How often a slot has no, one or two bookings of a depot.
_WORKING, _RESTING = (66, 27, 7), (93, 7)
_HELD_SHARE = 0.04
_PHOTOS_SHARE = 0.75
# How many minutes after a delivery its photos are there, the later ones with smaller chance.
_PHOTO_MINUTES = ((0, 2, 1.0), (2, 6, 0.5), (6, 14, 0.2))
_SIGNATORIES = ("J MARSH", "A COLE", "P DHILLON", "S WARD", "M OKAFOR", "T BRIGGS")


class Traffic:
    """Books consignments into a network as time goes on, and lets them move."""

    def __init__(self, network: Network) -> None:
        self._network = network
        self._next_slot = _slot(network.clock.now() - _HISTORY)
        network.accepted = self.let_move

    def catch_up(self) -> None:
        """Enter everything that is booked by the clock's time; the network lets it happen."""
        now = self._network.clock.now()
        # After a jump of the clock, only what would have been there at a fresh start is made.
        for slot in range(max(self._next_slot, _slot(now - _HISTORY)), _slot(now) + 1):
            for at, depot, rng in _bookings(self._network.seed, slot):
                self._network.at(at, partial(self._book, at, depot, rng))
        self._next_slot = max(self._next_slot, _slot(now) + 1)

    def let_move(self, one: Consignment) -> None:
        """Let a consignment that its depot has just accepted move by itself from now on."""
        network = self._network
        rng = random.Random(f"palletways|{network.seed}|course|{one.number}|{one.tracking_id}")
        signatory = rng.choice(_SIGNATORIES)
        course = _course(one, rng)
        for at, code in course:
            network.at(at, partial(self._move, one, code, at, signatory))
        delivered = course[-1][0]
        if one.delivery_depot in OUR_DEPOTS or rng.random() >= _PHOTOS_SHARE:
            return
        for place, (soonest, latest, share) in enumerate(_PHOTO_MINUTES, 1):
            if rng.random() < share:
                at = delivered + timedelta(seconds=rng.randint(soonest * 60, latest * 60))
                network.show(one, [Page(at, label=f"{one.tracking_id} photo {place}")])

    def _move(self, one: Consignment, code: int, at: datetime, signatory: str) -> None:
        """Nobody scans what somebody has completed."""
        if one.completed_at is None:
            self._network.reach(one, code, at=at, signatory=signatory)

    def _book(self, at: datetime, depot: str, rng: random.Random) -> None:
        self._network.add(consignment(rng, depot=depot, created=at, number=self._network.free_number()))


def _slot(at: datetime) -> int:
    return int(at.timestamp() // _SLOT.total_seconds())


def _bookings(seed: int, slot: int) -> Iterator[tuple[datetime, str, random.Random]]:
    start = datetime.fromtimestamp(slot * _SLOT.total_seconds(), UTC)
    local = start.astimezone(LONDON)
    shares = _WORKING if local.hour in _OFFICE_HOURS and local.weekday() < 5 else _RESTING
    for depot in OUR_DEPOTS:
        rng = random.Random(f"palletways|{seed}|{depot}|{slot}")
        for _ in range(rng.choices(range(len(shares)), shares)[0]):
            yield start + timedelta(seconds=rng.randrange(int(_SLOT.total_seconds()))), depot, rng


def _course(one: Consignment, rng: random.Random) -> list[tuple[datetime, int]]:
    """Time and code of every status to come (section 4.1); the last one is the delivery."""
    start = max(one.created, one.status.at)
    course: list[tuple[datetime, int]] = []
    if one.type != "D":
        start += timedelta(minutes=rng.randint(5, 40))
        course.append((start, 50))
    day = add_working_days(start.astimezone(LONDON).date(), 0)
    at_depot = max(_local(day, 14), start) + timedelta(minutes=rng.randint(10, 240))
    trunked = max(_local(day, 19), at_depot) + timedelta(minutes=rng.randint(10, 90))
    at_hub = trunked + timedelta(minutes=rng.randint(60, 180))
    left_hub = at_hub + timedelta(minutes=rng.randint(60, 150))
    arrived = left_hub + timedelta(minutes=rng.randint(90, 200))
    course += [(at_depot, 300), (trunked, 350), (at_hub, 500), (left_hub, 550), (arrived, 700)]
    last = max(date.fromisoformat(one.due_date), add_working_days(arrived.astimezone(LONDON).date(), 0))
    if rng.random() < _HELD_SHARE:
        course.append((max(_local(last, 9), arrived + timedelta(minutes=30)), 675))
        last = add_working_days(last, 1)
    loaded = max(_local(last, 7), course[-1][0]) + timedelta(minutes=rng.randint(5, 90))
    return [*course, (loaded, 800), (loaded + timedelta(minutes=rng.randint(40, 420)), DELIVERED)]


def _local(day: date, hour: int) -> datetime:
    return read_instant(datetime.combine(day, time(hour)).isoformat())
