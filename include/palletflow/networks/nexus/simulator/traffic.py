"""Living sample traffic: what our depots' freight looks like through the week, as a function of seed and time.

Time is cut into half-hour slots; a slot's bookings depend on the seed and the slot alone. A consignment then moves by
itself: scans on the legs that are not the client's own, an ETA on the delivery day, documents after delivery.
"""

import random
from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from functools import partial

from palletflow.simulation.clock import LONDON, add_working_days, read_instant

from .consignment import Consignment, Pallet
from .freight import LEAD_DAYS, consignment
from .members import OUR_DEPOTS
from .network import Network
from .options import Options
from .samples import Media, sample
from .times import day_of, time_of

_SLOT = timedelta(minutes=30)
# Sample traffic is complete for this long before the simulator started.
_HISTORY = timedelta(days=5)
_OFFICE_HOURS = range(6, 18)
# How often a slot has no, one or two bookings of a depot.
_WORKING, _RESTING = (62, 30, 8), (92, 8)
_INTERNATIONAL_SHARE = 0.03
_OUTCOMES = ("Refused", "Failed Delivery", "Damaged", "Short")
_SIGNATORIES = ("J MARSH", "A COLE", "P DHILLON", "S WARD", "M OKAFOR", "T BRIGGS")
# Document after delivery: from and to how many minutes later, how often it comes at all, what it is.
_DOCUMENTS: tuple[tuple[str, int, int, float, Media], ...] = (
    ("MPOD", 1, 4, 1.0, "png"),
    ("POD", 10, 240, 0.95, "jpg"),
    ("MPODPHOTOE", 2, 6, 0.6, "jpg"),
)


class Traffic:
    """Books consignments into a network as time goes on, and lets them move."""

    def __init__(self, network: Network, options: Options) -> None:
        self._network = network
        self._options = options
        self._next_slot = _slot(network.clock.now() - _HISTORY)

    def catch_up(self) -> None:
        """Enter everything that is booked by the clock's time; the network lets it happen."""
        now = self._network.clock.now()
        # After a jump of the clock, only what would have been there at a fresh start is made.
        for slot in range(max(self._next_slot, _slot(now - _HISTORY)), _slot(now) + 1):
            for at, depot, rng in _bookings(self._network.seed, slot):
                self._network.at(at, partial(self._book, at, depot, rng))
        self._next_slot = max(self._next_slot, _slot(now) + 1)

    def let_move(self, one: Consignment) -> None:
        """Let a consignment move by itself from now on, on the legs that are not the client's."""
        network = self._network
        rng = random.Random(f"nexus|{network.seed}|course|{one.number}")
        theirs = self._options["client_depots"]
        at = one.created
        for at, status, depot in _course(one, rng, self._options["unclean_share"]):
            if depot not in theirs:
                network.at(at, partial(_happen, network, one, status, at, depot, rng.choice(_SIGNATORIES)))
        if one.delivery in theirs or status != "Delivered":
            return
        for type_, soonest, latest, share, media in _DOCUMENTS:
            if rng.random() < share:
                later = at + timedelta(seconds=rng.randint(soonest * 60, latest * 60))
                network.at(later, partial(_document, network, one, type_, media, later))

    def _book(self, at: datetime, depot: str, rng: random.Random) -> None:
        pallets = [Pallet("Euro Full", "Euro")] if rng.random() < _INTERNATIONAL_SHARE else None
        number = self._network.free_number()
        self.let_move(self._network.add(consignment(rng, depot=depot, created=at, number=number, pallets=pallets)))


def one_more(network: Network, depot: str) -> Consignment:
    """One more consignment of ``depot``, booked now."""
    network.made += 1
    rng = random.Random(f"nexus|{network.seed}|made|{network.made}")
    drawn = consignment(rng, depot=depot, created=network.clock.now(), number=network.free_number())
    return network.add(drawn)


def _slot(at: datetime) -> int:
    return int(at.timestamp() // _SLOT.total_seconds())


def _bookings(seed: int, slot: int) -> Iterator[tuple[datetime, str, random.Random]]:
    start = datetime.fromtimestamp(slot * _SLOT.total_seconds(), UTC)
    local = start.astimezone(LONDON)
    shares = _WORKING if local.hour in _OFFICE_HOURS and local.weekday() < 5 else _RESTING
    for depot in OUR_DEPOTS:
        rng = random.Random(f"nexus|{seed}|{depot}|{slot}")
        for _ in range(rng.choices(range(len(shares)), shares)[0]):
            yield start + timedelta(seconds=rng.randrange(int(_SLOT.total_seconds()))), depot, rng


def _course(one: Consignment, rng: random.Random, unclean_share: float) -> list[tuple[datetime, str, str | None]]:
    """Time, status and depot of every scan to come; the hub is nobody's depot."""
    collected_on = date.fromisoformat(one.collection_due)
    accepted = one.created + timedelta(minutes=rng.randint(5, 40))
    collected = max(_local(collected_on, 12), accepted) + timedelta(minutes=rng.randint(10, 240))
    at_depot = collected + timedelta(minutes=rng.randint(40, 120))
    at_hub = max(_local(collected_on, 21), at_depot) + timedelta(minutes=rng.randint(20, 180))
    left_hub = at_hub + timedelta(minutes=rng.randint(60, 150))
    arrived = left_hub + timedelta(minutes=rng.randint(90, 200))
    level = next(days for name, days in LEAD_DAYS.items() if one.delivery_service.startswith(name))
    promised = one.due or add_working_days(collected_on, level).isoformat()
    day = max(date.fromisoformat(promised), add_working_days(arrived.astimezone(LONDON).date(), 0))
    loaded = max(_local(day, 7), arrived) + timedelta(minutes=rng.randint(5, 90))
    at_stop = loaded + timedelta(minutes=rng.randint(40, 420))
    outcome = rng.choice(_OUTCOMES) if rng.random() < unclean_share else "Delivered"
    return [
        (accepted, "Manifested", None),
        (collected, "Collected", one.collecting),
        (at_depot, "At Collecting Depot", one.collecting),
        (at_hub, "At Hub", None),
        (left_hub, "In Transit", None),
        (arrived, "At Delivery Depot", one.delivery),
        (loaded, "Out for Delivery", one.delivery),
        (at_stop, outcome, one.delivery),
    ]


def _happen(network: Network, one: Consignment, status: str, at: datetime, depot: str | None, signatory: str) -> None:
    if one.status == "Cancelled":
        return
    delivered = status == "Delivered"
    # Consignments are delivered as a whole; everything before is scanned pallet by pallet.
    whole: list[str | None] | None = [None] if delivered or status == "Manifested" else None
    if status == "Out for Delivery":
        eta = at + timedelta(hours=2)
        one.estimated_day, one.estimated_time = day_of(eta), time_of(eta)
        one.start_window, one.end_window = time_of(eta), time_of(eta + timedelta(hours=1))
    network.scan(one, status, at, barcodes=whole, depot=depot, signatory=signatory if delivered else None)


def _document(network: Network, one: Consignment, type_: str, media: Media, at: datetime) -> None:
    if one.status == "Delivered":
        name = f"{one.number}_{type_}_01.{media}"
        network.attach(one, type_, name, sample(type_, one.number, media), at, "network")


def _local(day: date, hour: int) -> datetime:
    return read_instant(datetime.combine(day, time(hour)).isoformat())
