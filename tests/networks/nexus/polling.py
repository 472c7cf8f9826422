"""What tests of the import share: polls of the simulated Nexus into an order store, as the operator does them."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from tests.conftest import NOW
from tests.networks.nexus.simulated import SimulatedNexus
from tests.networks.nexus.ways import access

from palletflow.deployment import Deployment
from palletflow.networks.nexus.fetch import fetch_consignment
from palletflow.networks.nexus.poll import Polled, poll
from palletflow.networks.nexus.work import NETWORK, Access
from palletflow.store.connection import Connection
from palletflow.store.imports import Counts

LISTS = ("created", "manifest", "delivery")


class Poller:
    """Polls through a depot's connection, at `now`; `lines` are what the last poll said.

    `extra`: of the connections' Extra. `tick`: how much of its own time every look at the clock takes. `between`: what
    happens, if anything, each time a consignment is asked for.
    """

    def __init__(self, conn: Connection, plan: Deployment, sim: SimulatedNexus, folder: Path) -> None:
        self.conn, self.plan, self.sim, self._folder = conn, plan, sim, folder
        self.now = NOW
        self.extra: dict[str, Any] = {"rate_per_second": 1000, "read_timeout_s": 2}
        self.tick = timedelta(0)
        self.lines: list[str] = []
        self.pauses: list[float] = []
        self._clients = ExitStack()

    def close(self) -> None:
        self._clients.close()

    def clock(self) -> datetime:
        self.now += self.tick
        return self.now

    def template(self, text: str) -> None:
        """Lays a template of the deployment's own over the shipped one."""
        file = self._folder / "own.yaml"
        file.write_text(text, "utf-8")
        ours = replace(self.plan.network(NETWORK), template=file)
        self.plan = replace(self.plan, networks={**self.plan.networks, NETWORK: ours})

    def later(self, **time: float) -> None:
        """Lets time pass, here and at Nexus."""
        passed = timedelta(**time)
        self.now += passed
        self.sim.control("clock", advance_s=passed.total_seconds())

    def access(self, depot: str = "PGD302") -> Access:
        """A new way to Nexus as a depot: a run of its own."""
        way = access(
            self.plan, self.sim.base_url, depot, patient=True, sleep=self.pauses.append, clock=self.clock, **self.extra
        )
        self._clients.enter_context(way.client)
        return way

    def connection(self, depot: str) -> str:
        return self.plan.network(NETWORK).depots[depot]

    def __call__(
        self,
        depot: str = "PGD302",
        asked: tuple[datetime, datetime] | None = None,
        begun: datetime | None = None,
        between: Callable[[], None] | None = None,
    ) -> Polled:
        self.lines = []
        access = self.access(depot)
        if between:
            get = access.client.get

            def watched(consignment_id: int) -> dict[str, Any]:
                between()
                return get(consignment_id)

            access.client.get = watched  # type: ignore[method-assign]  # what happens in the middle of a poll
        return poll(
            self.conn,
            access,
            self.plan,
            self.connection(depot),
            asked=asked,
            clock=self.clock,
            run="test",
            actor="tester",
            report=self.lines.append,
            begun=begun,
            next_due_at=None if asked else self.now + timedelta(minutes=3),
        )

    def fetch(self, wanted: str, depot: str = "PGD302") -> Counts:
        return fetch_consignment(
            self.conn, self.access(depot), self.plan, wanted, clock=self.clock, run="test", actor="ops"
        )

    def calls(self, after: int = 0) -> list[str]:
        """What Nexus was asked after so many requests: "get 700001", "history 700001", "list created", "lookup"..."""
        return [found for one in self.sim.requests()[after:] if (found := _called(one))]

    @property
    def asked(self) -> int:
        """How many requests there have been."""
        return len(self.sim.requests())


def _called(request: dict[str, Any]) -> str:
    path = request["path"].strip("/").lower()
    if path.startswith("account"):
        return ""
    if path == "consignments":
        named = next((name for name in LISTS if f"min{name}date" in str(request["query"]).lower()), "search")
        return f"list {named}"
    parts = path.split("/")
    if parts[0] == "consignments":
        return f"{'history' if parts[2:] == ['statuses'] else parts[2] if parts[2:] else 'get'} {parts[1]}"
    return f"lookup {path}"


@pytest.fixture
def poller(conn: Connection, plan: Deployment, nexus_sim: SimulatedNexus, tmp_path: Path) -> Iterator[Poller]:
    made = Poller(conn, plan, nexus_sim, tmp_path)
    yield made
    made.close()


def change(sim: SimulatedNexus, consignment_id: int, depot: str = "PGD302", **changes: Any) -> None:
    """Lets a consignment be shown with other fields from now on, in lists and by itself; lists show all there is."""
    whole = sim.get(f"consignments/{consignment_id}", depot=depot, include="routedetails")
    rows = {row["consignmentID"]: row for row in sim.get("consignments", depot=depot, limit=100)}
    row = rows[consignment_id]
    rows[consignment_id] = {name: changes.get(name, value) for name, value in row.items()}
    sim.control("faults", clear=True)
    sim.fault("json", f"consignments/{consignment_id}", "GET", times=None, body=whole | changes)
    sim.fault("json", "consignments", "GET", times=None, body=list(rows.values()))
