"""Fixtures of Palletways' tests."""

from collections.abc import Iterator

import pytest

# Of dispatch.
from tests.networks.palletways.dispatching import haulier  # noqa: F401
from tests.networks.palletways.simulated import SimulatedPalletways

# Of statuses and notes.
from tests.networks.palletways.tracked import yard  # noqa: F401


@pytest.fixture(scope="session")
def served_palletways() -> Iterator[SimulatedPalletways]:
    served = SimulatedPalletways()
    yield served
    served.stop()


@pytest.fixture
def palletways_sim(served_palletways: SimulatedPalletways) -> Iterator[SimulatedPalletways]:
    """Standing still at START, with no consignments but those a test adds, and no violation at the end."""
    served_palletways.reset()
    yield served_palletways
    if not served_palletways.expect_violations:
        assert served_palletways.violations() == []
