"""One simulated network with its clock, habits, faults and journal: all that an application instance holds."""

from datetime import datetime

from palletflow.simulation.clock import Clock
from palletflow.simulation.journal import Journal

from .faults import Faults
from .state import Network
from .switches import Switches


class Simulation:
    """The parts, made together and reset together."""

    network: Network
    switches: Switches
    faults: Faults
    journal: Journal

    def __init__(self, *, seed: int, now: datetime | None, traffic: bool) -> None:
        self.seed = seed
        self._start = now
        self._traffic = traffic
        self.reset(seed=seed, now=now)

    def reset(self, *, seed: int | None = None, now: datetime | None = None) -> None:
        """Begin again as on the first day, or with another seed or frozen at another instant from now on."""
        self.seed = self.seed if seed is None else seed
        self._start = self._start if now is None else now
        self.clock = Clock(self._start)
        self.network = Network(seed=self.seed, clock=self.clock, traffic=self._traffic)
        self.switches = Switches()
        self.faults = Faults()
        self.journal = Journal()

    def catch_up(self) -> None:
        """Let everything happen that is due by the clock's time."""
        self.network.catch_up()
