"""Living sample traffic: what our depots' freight looks like through the week, as a function of seed and time.

Time is cut into half-hour slots. A slot's bookings depend on the seed and the slot alone, so two simulators with the
same seed and clock show the same consignments however their clocks got there.
"""

import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from palletflow.simulation.clock import LONDON

from .freight import SERVICE_LEAD_DAYS, consignment, draw_role
from .gazetteer import DEPOTS
from .members import OUR_DEPOTS

SLOT = timedelta(minutes=30)
# Every change to a booking falls within this time, so traffic that starts this much earlier is complete.
LONGEST_CHANGE = timedelta(hours=4)

_SYSTEM_ID = "004"

# Bookings per depot and half hour by local hour: (up to this hour, fewest, most). Never none: every pull finds some.
_WORKING_DAY = ((5, 1, 2), (6, 2, 4), (8, 5, 10), (18, 10, 20), (21, 6, 12), (24, 2, 4))
_SATURDAY = ((6, 1, 2), (13, 3, 6), (24, 1, 2))
_SUNDAY = ((24, 1, 2),)


class Change(NamedTuple):
    """What becomes of a booking later. A field that is None stays as it is."""

    at: datetime
    delivery_depot: str | None = None
    service: str | None = None
    status: str | None = None


class Booking(NamedTuple):
    """A consignment as first booked, and its later changes in order of time."""

    at: datetime
    document: dict[str, Any]
    changes: tuple[Change, ...]


def slot_number(at: datetime) -> int:
    """The number of the half-hour slot that holds ``at``."""
    return int(at.timestamp() // SLOT.total_seconds())


def bookings(seed: int, slot: int) -> Iterator[Booking]:
    """Yield the bookings of one slot for all our depots."""
    start = datetime.fromtimestamp(slot * SLOT.total_seconds(), UTC)
    for index, depot in enumerate(OUR_DEPOTS):
        rng = random.Random(f"palletforce|{seed}|{depot}|{slot}")
        fewest, most = _rate(start)
        for i in range(rng.randint(fewest, most)):
            # The sequence is a function of the slot, so that it never depends on when the simulator was started.
            # It repeats after 50,000 slots (2.8 years), far beyond what is kept.
            sequence = slot % 50_000 * 200 + index * 60 + i
            # The first of a slot stays as booked, so that no half hour is left empty by a later change.
            yield _booking(rng, depot, start, f"{_SYSTEM_ID}{sequence:07d}", settled=i == 0)


def _rate(start: datetime) -> tuple[int, int]:
    local = start.astimezone(LONDON)
    table = {5: _SATURDAY, 6: _SUNDAY}.get(local.weekday(), _WORKING_DAY)
    return next((fewest, most) for until, fewest, most in table if local.hour < until)


def _booking(rng: random.Random, depot: str, start: datetime, serial: str, *, settled: bool) -> Booking:
    at = start + timedelta(seconds=rng.randrange(int(SLOT.total_seconds())))
    document = consignment(rng, depot=depot, role=draw_role(rng), booked=at, serial=serial)
    facts = document["consignments"][0]
    changes: list[Change] = []
    fate = 1.0 if settled else rng.random()
    if fate < 0.05:  # entered in the portal and released later; every fifth of these never is
        facts["consignmentStatus"] = "UNACCEPTED"
        if rng.random() < 0.8:
            changes.append(Change(_later(rng, at, 20, 120), status="ACCEPTED"))
    elif fate < 0.07:
        changes.append(Change(_later(rng, at, 30, 240), status="CANCELLED"))
    elif fate < 0.10:
        others = [service for service in SERVICE_LEAD_DAYS if service != facts["serviceName"]]
        changes.append(Change(_later(rng, at, 5, 90), service=rng.choice(others)))
    elif fate < 0.13:
        elsewhere = rng.choice([code for code in DEPOTS if code not in (depot, facts["deliveryDepot"])])
        if facts["deliveryDepot"] == depot:
            # Ours to deliver in the end: first routed elsewhere, then corrected to the depot of the postcode.
            facts["deliveryDepot"] = elsewhere
            elsewhere = depot
        changes.append(Change(_later(rng, at, 5, 90), delivery_depot=elsewhere))
    return Booking(at, document, tuple(changes))


def _later(rng: random.Random, at: datetime, fewest_minutes: int, most_minutes: int) -> datetime:
    return at + timedelta(seconds=rng.randint(fewest_minutes * 60, most_minutes * 60))
