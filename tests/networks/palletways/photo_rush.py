"""Many deliveries completing at once, worked off by several workers within one budget, in virtual time.

The budget's waits are not waited: each lets that time pass for the simulator's clock, which runs, and ages what is
stored. Everything else is real: the queue, the calls, the order store.
"""

import threading
from datetime import datetime, timedelta
from functools import cache
from typing import NamedTuple

import pytest
from tests.networks.palletways.photographing import PhotoHouse

from palletflow.networks.palletways import photo_fetch
from palletflow.networks.palletways.settings import Settings
from palletflow.networks.palletways.simulator import pictures
from palletflow.networks.palletways.work import NETWORK, PHOTO_DOWNLOAD
from palletflow.store import work_items
from palletflow.store.connection import connect
from palletflow.work import minute_budget
from palletflow.work.minute_budget import MinuteBudget

WORKERS, THREADS = 2, 4


class Rush(NamedTuple):
    """What came of it: times in virtual minutes since all completed."""

    consignments: int
    with_photo: int
    calls: int
    most_in_60_s: int
    first_attempts_after: float
    closed_after: float

    def __str__(self) -> str:
        return (
            f"{self.consignments} deliveries at once: {self.with_photo} have their photo, {self.calls} calls, at most "
            f"{self.most_in_60_s} in 60 s; the last first attempt after {self.first_attempts_after:.1f} min, the last "
            f"window closed after {self.closed_after:.1f} min"
        )


class _Time:
    """Lets time pass for whoever waits for the budget."""

    def __init__(self, house: PhotoHouse) -> None:
        self._house, self._lock = house, threading.Lock()
        self._conn = connect(house.dsn)

    def sleep(self, seconds: float) -> None:
        with self._lock:
            # The simulator first: it never sees less time between two calls than the budget does.
            self._house.sim.advance(seconds)
            self._house.age(self._conn, timedelta(seconds=seconds))

    def close(self) -> None:
        self._conn.close()


def rush(house: PhotoHouse, count: int, patch: pytest.MonkeyPatch) -> Rush:
    """All of them complete at the same time, half of them with a photo at once and half with one after two minutes."""
    house.sim.switch(rate_limit="on")
    # They all show the same photo, which is taken apart once: the calls are what matters here.
    once = cache(photo_fetch.splitting.split)
    patch.setattr(photo_fetch.splitting, "split", lambda data, limits, *_: once(data, limits))
    # Who waits for the budget looks again after more time at once, as letting it pass is what takes long here.
    patch.setattr(minute_budget, "LOOK_S", 10.0)
    several = house.consignments(count)
    photo = pictures.reencoded(pictures.photo("rush"), 30, half=True)
    for place, one in enumerate(several):
        house.sim.photo(house.tracking_id(one), content=photo, after_s=120 * (place % 2))
        house.sim.status(house.tracking_id(one), 900)
    house.sim.control("clock", run=True)
    begun = house.sim.now()
    time = _Time(house)
    # Each worker is by itself, as in processes of their own: they know of each other from the order store alone.
    workers = [house] + [
        PhotoHouse(house.conn, house.dsn, house.plan, house.sim, house.folder) for _ in range(1, WORKERS)
    ]
    for each in workers:
        each.budget = _budget(house, time)
        each.settle()
    for one in several:
        house.begin(one)

    while (wait_s := work_items.next_due(house.conn, NETWORK, [PHOTO_DOWNLOAD])) is not None:
        if wait_s > 0:
            time.sleep(wait_s + 0.001)
        runs = [threading.Thread(target=each.work, kwargs={"limit": THREADS}) for each in workers]
        for run in runs:
            run.start()
        for run in runs:
            run.join()
    closed_after = _minutes_since(begun, house.sim.now())
    for each in workers[1:]:
        each.close()
    time.close()
    first = {call["arguments"][0]: call["time"] for call in reversed(house.sim.journal("podimages"))}
    return Rush(
        count,
        house.rows("SELECT count(DISTINCT consignment_id) FROM documents")[0][0],
        len(house.sim.journal()),
        house.sim.largest_in_60_s(),
        max(_minutes_since(begun, datetime.fromisoformat(at)) for at in first.values()),
        closed_after,
    )


def _budget(house: PhotoHouse, time: _Time) -> MinuteBudget:
    """As the connection's settings have it by themselves."""
    by_itself = Settings("", "", "")
    return MinuteBudget(
        lambda: connect(house.dsn),
        by_itself.rate_group,
        by_itself.calls_per_minute,
        by_itself.background_calls_per_minute,
        sleep=time.sleep,
    )


def _minutes_since(begun: datetime, at: datetime) -> float:
    return (at - begun).total_seconds() / 60
