"""Fixtures of Palletforce's tests."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.networks.palletforce.dispatching import House


@pytest.fixture
def house(conn, dsn, plan, simulator, tmp_path: Path) -> Iterator[House]:
    """An order store and its work queue beside a simulated network."""
    made = House(conn, dsn, plan, simulator, tmp_path / "documents")
    yield made
    made.close()
