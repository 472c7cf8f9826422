"""Fixtures: clients of the simulator and of servers that answer as they are told; conftest.py gives them to all."""

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest
from tests.conftest import NOW
from tests.networks.nexus.answering import PASSWORD, Answer, Server
from tests.networks.nexus.simulated import SimulatedNexus

from palletflow.networks.nexus import settings
from palletflow.networks.nexus.client import NexusClient
from palletflow.networks.nexus.wire import read_wire


class Clock:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> datetime:
        return self.now

    def pass_s(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def serve() -> Iterator[Callable[..., Server]]:
    """Starts servers that answer as they are told."""
    servers: list[Server] = []

    def make(*answers: Answer, **options: Any) -> Server:
        servers.append(Server(*answers, **options))
        return servers[-1]

    yield make
    for server in servers:
        server.close()


@pytest.fixture
def client_of(clock: Clock) -> Iterator[Callable[..., NexusClient]]:
    """Makes clients of an address; keyword arguments are the connection's Extra. Pauses are noted, not waited."""
    opened: list[NexusClient] = []

    def make(
        url: str,
        *,
        login: str = "sim_pgd302",
        password: str = PASSWORD,
        sections: dict[str, Any] | None = None,
        patient: bool = True,
        **extra: Any,
    ) -> NexusClient:
        parsed = settings.parse("nexus_test", url, login, password, {"allow_http": True, "read_timeout_s": 5, **extra})
        pauses: list[float] = []
        client = NexusClient(
            parsed, read_wire(sections or {}), patient=patient, sleep=pauses.append, jitter=lambda: 1.0, clock=clock
        )
        client.pauses = pauses  # type: ignore[attr-defined]  # for the test that looks
        opened.append(client)
        return client

    yield make
    for client in opened:
        client.close()


@pytest.fixture
def nexus_client(nexus_sim: SimulatedNexus, client_of: Callable[..., NexusClient]) -> Callable[..., NexusClient]:
    """Makes clients of the simulator, of one of its users; keyword arguments as client_of's."""

    def make(depot: str = "PGD302", **options: Any) -> NexusClient:
        given = {"attachment_hosts": ["127.0.0.1"], **options}
        return client_of(nexus_sim.base_url, login=f"sim_{depot.lower()}", password="sim", **given)

    return make
