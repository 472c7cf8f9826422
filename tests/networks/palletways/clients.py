"""Fixtures: clients of the simulator and of servers that answer as they are told."""

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest
from tests.conftest import NOW
from tests.networks.nexus.answering import Answer, Server
from tests.networks.palletways.simulated import SimulatedPalletways

from palletflow.networks.palletways import settings
from palletflow.networks.palletways.client import PalletwaysClient

# Of the characters that a real one may hold; no log, error or repr may hold it, nor its encoded form.
KEY = "canary/key+of/tests,1$=="
ENCODED_KEY = "canary%2Fkey%2Bof%2Ftests%2C1%24%3D%3D"
CANARY = "canary"
ENVELOPE = {"Status": {"Code": "OK", "Description": "Successful", "Count": "1"}}
OWNER = {**ENVELOPE, "Detail": {"Data": [{"UserName": "demo.user", "DepotNo": "123"}]}}
NOTHING = {"Status": {"Code": "NO_RESULTS_FOUND", "Count": "0"}, "Detail": {"Data": ""}}
NOT_AVAILABLE = "The requested API is not available."
NOT_AUTHORISED = "The API key provided is not authorised to use the requested API."
NO_POD = "ERROR: POD not found for this ID."


def data(*rows: dict[str, Any]) -> dict[str, Any]:
    """An envelope with data."""
    return {**ENVELOPE, "Detail": {"Data": list(rows)}}


class Clock:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> datetime:
        return self.now

    def pass_by(self, **time: float) -> None:
        self.now += timedelta(**time)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def serve() -> Iterator[Callable[..., Server]]:
    """Starts servers that answer as they are told: API2 at their root, the portal at /api."""
    servers: list[Server] = []

    def make(*answers: Answer) -> Server:
        servers.append(Server(*answers))
        return servers[-1]

    yield make
    for server in servers:
        server.close()


@pytest.fixture
def client_of(clock: Clock) -> Iterator[Callable[..., PalletwaysClient]]:
    """Makes clients of a server; keyword arguments are the connection's Extra. Pauses are noted, not waited."""
    opened: list[PalletwaysClient] = []

    def make(
        root: str, *, key: str = KEY, depot: str = "123", options: dict[str, Any] | None = None, **extra: Any
    ) -> PalletwaysClient:
        given = {
            "allow_http": True,
            "api2_base": root,
            "portal_base": f"{root}/api",
            "first_byte_timeout_s": 5,
            **extra,
        }
        pauses: list[float] = []
        made = {"sleep": pauses.append, "clock": clock, **(options or {})}
        client = PalletwaysClient(settings.parse(f"palletways_{depot}", depot, key, given), **made)
        client.pauses = pauses  # type: ignore[attr-defined]  # for the test that looks
        opened.append(client)
        return client

    yield make
    for client in opened:
        client.close()


@pytest.fixture
def sim_client(
    palletways_sim: SimulatedPalletways, client_of: Callable[..., PalletwaysClient]
) -> Callable[..., PalletwaysClient]:
    """Makes clients of the simulator with the key of a depot, or another; other arguments as client_of's."""

    def make(depot: str = "123", key: str = "", **options: Any) -> PalletwaysClient:
        return client_of(palletways_sim.root, key=key or palletways_sim.keys[depot], depot=depot, **options)

    return make
