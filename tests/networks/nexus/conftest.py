"""Fixtures of Nexus's tests."""

from collections.abc import Iterator

import pytest

# Fixtures of its own, for tests of what calls Nexus.
from tests.networks.nexus.clients import client_of, clock, nexus_client, serve  # noqa: F401
from tests.networks.nexus.dispatching import haulier  # noqa: F401
from tests.networks.nexus.polling import poller  # noqa: F401
from tests.networks.nexus.simulated import SimulatedNexus


@pytest.fixture(scope="session")
def served_nexus() -> Iterator[SimulatedNexus]:
    served = SimulatedNexus()
    yield served
    served.stop()


@pytest.fixture
def nexus_sim(served_nexus: SimulatedNexus) -> Iterator[SimulatedNexus]:
    """Standing still a minute before NOW, with no consignments but those a test adds, and no violation at the end."""
    served_nexus.reset()
    yield served_nexus
    if not served_nexus.expect_violations:
        assert served_nexus.violations() == []
