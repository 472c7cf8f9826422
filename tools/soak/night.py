"""The night itself: minute by minute, then some hours to settle, then the look at what is there."""

import random
import threading
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any, Protocol

from palletflow.sandbox.terminal import Terminal
from palletflow.store.connection import Connection, ConnectionLost, DatabaseUnavailable
from soak.faults import Faults
from soak.house import Control, House
from soak.runs import WAIT_S, Runs, Tally
from soak.traffic.nexus import Nexus
from soak.traffic.palletforce import Palletforce
from soak.traffic.palletways import Palletways
from soak.traffic.people import NotTaken, OrderApi

STEP, TOLD_EVERY = timedelta(minutes=1), timedelta(minutes=30)
# First what failed last is tried again; then what is looked for rarely, documents at Nexus every six hours.
AT_FIRST, FIRST_STEP, SETTLES, SETTLING_STEP = (
    timedelta(hours=1),
    timedelta(minutes=5),
    timedelta(hours=7),
    timedelta(minutes=10),
)
# What a person presses, and how long that takes to come to an end.
BUTTONS, TRIED_AGAIN = ("work_requeue", "quarantine_replay"), timedelta(minutes=30)
# What is there when the look begins has been polled by then.
LAST = timedelta(minutes=65)
MOST_SHOWN = 12
COUNTS = """
SELECT (SELECT count(*) FROM consignments), (SELECT count(*) FROM work_items WHERE parked_at IS NULL),
       (SELECT count(*) FROM work_items WHERE parked_at IS NOT NULL),
       (SELECT count(*) FROM inbound_records WHERE outcome = 'rejected' AND settled_at IS NULL)
"""


class Network(Protocol):
    """What happens at a network and with it."""

    def begin(self, now: datetime) -> None:
        """What was there before the night."""

    def step(self, now: datetime) -> None:
        """One minute."""


class Night:
    """A night in a house. `networks`: what happens at each and with it."""

    def __init__(self, house: House, seed: int, hours: float, terminal: Terminal) -> None:
        self._house, self._terminal = house, terminal
        self._hours = timedelta(hours=hours)
        self._conn: Connection | None = None
        self.began = house.clock.now()
        self.controls = {name: Control(f"{address}/_sim") for name, address in house.networks.items()}
        self.api = OrderApi(house.api)
        files = house.home / "files"
        prefix = f"S{seed}"
        self.palletforce = Palletforce(
            self.controls["palletforce"], self.api, files, random.Random(f"{seed} palletforce"), prefix
        )
        self.nexus = Nexus(self.controls["nexus"], self.api, random.Random(f"{seed} nexus"), prefix)
        self.palletways = Palletways(
            self.controls["palletways"], self.api, files, random.Random(f"{seed} palletways"), prefix
        )
        self.networks: list[Network] = [self.palletforce, self.nexus, self.palletways]
        # Of its own, as it strikes while the others live.
        controls = {name: Control(f"{address}/_sim") for name, address in house.networks.items()}
        self.faults = Faults(house, controls, random.Random(f"{seed} faults"))
        self.runs = Runs(house.forks, house.forks.pipelines(), house.clock.now())

    @property
    def tally(self) -> Tally:
        return self.runs.tally

    def live(self) -> None:
        """All of it, until everything has settled."""
        self.began = now = self._house.clock.now()
        for network in self.networks:
            network.begin(now)
        dawn = now + self._hours
        self._steps(dawn, STEP, self._minute)
        self.faults.end()
        self._terminal.say("  The faults are over; what is left settles")
        self._steps(dawn + AT_FIRST, FIRST_STEP, self._quiet)
        self._steps(dawn + SETTLES, SETTLING_STEP, self._quiet)

    def morning(self, keys: Iterable[str]) -> None:
        """Somebody presses every button under Needs attention that tries again, for dispatches by orders' keys."""
        for key in keys:
            with suppress(NotTaken):  # what its state does not allow
                self.api("POST", f"orders/{key}/dispatch/send-again")
        for name in BUTTONS:
            self.runs.by_hand(name, self._house.clock.now())
        self._steps(self._house.clock.now() + TRIED_AGAIN, FIRST_STEP, self._quiet)

    def last(self) -> None:
        """What was there before is polled."""
        self._steps(self._house.clock.now() + LAST, SETTLING_STEP, self._quiet)
        deadline = time.monotonic() + 120
        while not self.runs.idle() and time.monotonic() < deadline:
            self._steps(self._house.clock.now() + STEP, STEP, self._quiet)

    def told(self) -> str:
        """What happened, for a person."""
        tries, faults = self.tally.tries, self.faults.count
        errors = [f"    {count:>4} x {error[:160]}" for error, count in self.tally.errors.most_common(MOST_SHOWN)]
        struck = ", ".join(f"{count} {name}" for name, count in sorted(faults.items()))
        return "\n".join(
            [
                f"  {sum(tries.values())} runs: {', '.join(f'{count} {how}' for how, count in tries.most_common())}; "
                f"{self.api.calls} calls of the order API, {self.api.repeated} repeated",
                f"  Faults: {struck}",
                "  Failures that the runs told of:",
                *errors,
            ]
        )

    def conn(self) -> Connection:
        """The order store, opened again when it was lost."""
        try:
            if self._conn is not None:
                self._conn.execute("SELECT")
        except (ConnectionLost, DatabaseUnavailable):
            self._conn = None
        if self._conn is None or self._conn.closed:
            self._conn = self._house.store()
        return self._conn

    def _steps(self, end: datetime, step: timedelta, do: Callable[[datetime], None]) -> None:
        at = self._house.clock.now()
        while at < end:
            at = max(at + step, self._house.clock.now())
            self._move(at)
            do(self._house.clock.now())
            if (at - step).timestamp() // TOLD_EVERY.total_seconds() < at.timestamp() // TOLD_EVERY.total_seconds():
                self._tell(at)

    def _move(self, to: datetime) -> None:
        self._patiently(lambda: self._house.move(self.conn(), to))

    def _minute(self, now: datetime) -> None:
        living = _Thread(lambda: self._live(now))
        self.faults.step(now, self.runs)
        self._run(self.faults.meanwhile)
        while living.is_alive():
            self.faults.meanwhile()
            living.join(WAIT_S)
        living.check()

    def _live(self, now: datetime) -> None:
        for network in self.networks:
            network.step(now)

    def _quiet(self, _: datetime) -> None:
        self._run(lambda: None)

    def _run(self, meanwhile: Callable[[], None]) -> None:
        self.runs.step(self._due_now, self._house.clock.now, meanwhile)

    def _due_now(self) -> Connection:
        return self.conn()

    def _patiently(self, do: Callable[[], Any]) -> Any:
        """Once more when the order store went away in the middle."""
        while True:
            try:
                return do()
            except ConnectionLost:
                self._conn = None

    def _tell(self, at: datetime) -> None:
        consignments, waiting, parked, quarantined = self._patiently(lambda: self.conn().execute(COUNTS).fetchone())
        tries = self.tally.tries
        self._terminal.say(
            f"  {at:%a %H:%M}  {sum(tries.values()):>5} runs ({tries['killed']} killed, {tries['failed']} failed), "
            f"{consignments} consignments, work: {waiting} waiting, {parked} parked, quarantined: {quarantined}, "
            f"{sum(self.faults.count.values())} faults"
        )


class _Thread(threading.Thread):
    """Does something beside the runs; what went wrong with it is raised by check()."""

    def __init__(self, do: Callable[[], object]) -> None:
        super().__init__(daemon=True)
        self._do = do
        self._error: BaseException | None = None
        self.start()

    def run(self) -> None:
        try:
            self._do()
        except BaseException as error:
            self._error = error

    def check(self) -> None:
        """Raises what was raised in it."""
        self.join()
        if self._error is not None:
            raise self._error
