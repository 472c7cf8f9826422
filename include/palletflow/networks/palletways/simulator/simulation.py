"""One simulated network with its clock, switches and records: all that an application instance holds."""

import hashlib
from datetime import datetime, timedelta
from functools import partial

from palletflow.simulation.clock import Clock
from palletflow.simulation.journal import Journal, Violations

from .consignment import Page
from .files import FileServers
from .members import UPLOAD_USERS
from .network import Network
from .photo_pdf import split
from .pictures import reencoded
from .rate_limit import RateLimit
from .received import File, Received
from .switches import Switches
from .traffic import Traffic


class Simulation:
    """The parts, made together and reset together."""

    clock: Clock
    network: Network
    journal: Journal
    violations: Violations
    rate_limit: RateLimit

    def __init__(self, *, seed: int, now: datetime | None, traffic: bool) -> None:
        self.seed = seed
        self._start = now
        self._with_traffic = traffic
        # These two outlive a reset: the file servers hold on to them.
        self.switches = Switches()
        self.received = Received(
            self.switches,
            now=lambda: self.clock.now(),
            knows=lambda tracking_id: tracking_id in self.network.by_tracking_id,
            published=self._publish,
            replaced=lambda file: self._violation("overwritten_upload", file),
        )
        self.file_servers: FileServers | None = None  # for looking at; the application starts and stops them
        self.reset()

    def reset(self, *, seed: int | None = None, now: datetime | None = None) -> None:
        """Begin again as on the first day, or with another seed or frozen at another instant from now on."""
        self.seed = self.seed if seed is None else seed
        self._start = self._start if now is None else now
        self.switches.reset()
        self.received.clear()
        if self.file_servers is not None:
            self.file_servers.sessions.clear()
        self.clock = Clock(self._start)
        self.network = Network(seed=self.seed, clock=self.clock)
        self.journal = Journal()
        self.violations = Violations()
        self.rate_limit = RateLimit()
        self.unsettled: set[tuple[str, str]] = set()  # (account, reference) submitted, reply lost, not looked for since
        self.traffic = Traffic(self.network) if self._with_traffic else None
        self.served: set[tuple[str, str]] = set()  # (tracking ID, SHA-256 of an image that podimages gave)

    def catch_up(self) -> None:
        """Let everything happen that is due by the clock's time."""
        if self.traffic is not None:
            self.traffic.catch_up()
        self.network.catch_up()

    def _publish(self, file: File) -> None:
        """Show a finished upload among the POD images after ``publish_delay_s``. File servers' threads call this."""
        one = self.network.by_tracking_id.get(file.tracking_id)
        if one is None:
            return
        if UPLOAD_USERS.get(file.user) != one.delivery_depot:
            self._violation("not_delivering", file)
        if (file.tracking_id, hashlib.sha256(file.data).hexdigest()) in self.served:
            self._violation("echo_upload", file)
        at = file.received_at + timedelta(seconds=self.switches["publish_delay_s"])
        self.network.at(at, partial(self._show, file, at))

    def _show(self, file: File, at: datetime) -> None:
        one = self.network.by_tracking_id[file.tracking_id]
        try:
            pages = split(file.data)
        except ValueError:
            return  # the portal shows nothing of what it cannot read
        if self.switches["publish_reencode"] != "off":
            pages = [page if page.startswith(b"%PDF-") else reencoded(page, 75) for page in pages]
        self.network.show(one, [Page(at, page, source="upload") for page in pages])

    def _violation(self, rule: str, file: File) -> None:
        self.violations.add(rule, f"{file.user}: {file.name}", 0, self.clock.now())
