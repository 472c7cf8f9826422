"""One simulated network with its clock, habits, faults and records: all that an application instance holds."""

from datetime import datetime, timedelta
from typing import Any

from palletflow.simulation.clock import Clock
from palletflow.simulation.journal import Journal

from .faults import Faults
from .lookups import Ids
from .network import Network
from .options import Options
from .traffic import Traffic
from .violations import Violations
from .writing import Writer


class Tokens:
    """Bearer and refresh tokens with the instants they end (section 1.4)."""

    REFRESH_TTL = timedelta(hours=24)

    def __init__(self) -> None:
        self._issued = 0
        self._ends: dict[str, tuple[str, datetime]] = {}

    def issue(self, user: str, now: datetime, ttl_s: float) -> dict[str, str]:
        """A new pair for ``user``, as the wire gives it."""
        self._issued += 1
        bearer, refresh = f"sim-b-{self._issued}", f"sim-r-{self._issued}"
        self._ends[bearer] = user, now + timedelta(seconds=ttl_s)
        self._ends[refresh] = user, now + self.REFRESH_TTL
        return {"bearerToken": bearer, "refreshToken": refresh}

    def user_of(self, token: str, kind: str, now: datetime) -> str | None:
        """Whose token it is; None when it is none or has ended. ``kind``: b or r."""
        user, ends = self._ends.get(token, (None, now))
        return user if token.startswith(f"sim-{kind}-") and ends > now else None


class Simulation:
    """The parts, made together and reset together."""

    network: Network
    options: Options
    faults: Faults
    journal: Journal

    def __init__(self, *, seed: int, now: datetime | None, traffic: bool) -> None:
        self.seed = seed
        self._start = now
        self._traffic = traffic
        self.options = Options()
        self.reset()

    def reset(self, *, seed: int | None = None, now: datetime | None = None) -> None:
        """Begin again as on the first day, or with another seed or frozen at another instant from now on."""
        self.seed = self.seed if seed is None else seed
        self._start = self._start if now is None else now
        self.clock = Clock(self._start)
        self.options = Options(self.options["foreign_url"])
        self.ids = Ids()
        self.network = Network(seed=self.seed, clock=self.clock)
        self.writer = Writer(self.ids, self.options)
        self.tokens = Tokens()
        self.faults = Faults()
        self.journal = Journal()
        self.violations = Violations()
        self.etas: list[dict[str, Any]] = []  # what Optimize was sent and took in
        self.traffic = Traffic(self.network, self.options) if self._traffic else None

    def catch_up(self) -> None:
        """Let everything happen that is due by the clock's time."""
        if self.traffic is not None:
            self.traffic.catch_up()
        self.network.catch_up()
