"""The API keeps to what it publishes: schemathesis makes up requests from the OpenAPI and judges every answer."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.desk.conftest import Served
from tests.desk.desk_orders import order
from tests.desk.test_gate import by_header

from palletflow.desk.app import create_app
from palletflow.store.connection import connect

LOGIN = "Authorization: Bearer clerk"
# 422 also says that a well-formed order breaks a rule, e.g. names a customer nobody knows.
CONFIG = """
[checks.positive_data_acceptance]
expected-statuses = ["2xx", "404", "409", "422"]
"""


@pytest.fixture
def guarded(served: Served, dsn: str) -> Iterator[Served]:
    """As `served`, but with logins."""
    server = Served(create_app(by_header, lambda: connect(dsn)))
    yield server
    server.stop()


def test_every_answer_is_as_published(guarded: Served, api: Any, tmp_path: Path) -> None:
    api.post("/orders", order("SO-1001", tracking_number="9000010000123", delivery_depot="901"), 201)
    config = tmp_path / "schemathesis.toml"
    config.write_text(CONFIG)
    done = subprocess.run(
        [
            *(sys.executable, "-m", "schemathesis.cli", "--config-file", str(config)),
            *("run", f"{guarded.url}/api/v1/openapi.json", "--header", LOGIN, "--checks", "all"),
            *("--seed", "1", "--generation-deterministic"),
            *("--max-examples", "8", "--workers", "2", "--no-color"),
        ],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
    )
    assert done.returncode == 0, done.stdout + done.stderr
