"""What is away for a while, asked through the order API, the order desk and the page for customers."""

from pathlib import Path
from typing import Any

import pytest
import requests
from tests.desk.conftest import Served

from palletflow.checked_yaml import FileFault
from palletflow.desk.app import create_app
from palletflow.desk.gate import Caller
from palletflow.desk.pages.app import create_pages
from palletflow.desk.track import create_track
from palletflow.documents.storage import StorageUnavailable
from palletflow.store.connection import ConnectionLost, DatabaseUnavailable

PRIVATE = 'connection to "10.1.2.3" as user "palletflow" refused'
STORE = "The order store does not answer"
CUSTOMERS = f"/{'A' * 43}"
APPLICATIONS: dict[str, Any] = {
    "/api/v1/orders/SO-1": lambda connect: create_app(everybody, connect),
    "/find?q=SO-1": lambda connect: create_pages(everybody, connect, b"key", {}),
    CUSTOMERS: create_track,
}


async def everybody(_: Any, __: bool) -> Caller:
    return Caller("clerk", True, by_cookie=False)


@pytest.mark.parametrize("address", APPLICATIONS)
@pytest.mark.parametrize(
    ("error", "says"),
    [
        (DatabaseUnavailable(PRIVATE), STORE),
        (ConnectionLost(PRIVATE), STORE),
        (StorageUnavailable("documents", "read", "the disk is full"), "the disk is full"),
        (FileFault(Path("deployment.yaml"), ["depots: 7 is no depot"]), "depots: 7 is no depot"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else "",
)
def test_what_is_away_is_said_and_worth_trying_again(address, error, says, caplog):
    def away():
        raise error

    server = Served(APPLICATIONS[address](away))
    try:
        answer = requests.get(server.url + address, timeout=10)
    finally:
        server.stop()
    assert answer.status_code == 503
    assert "10.1.2.3" not in answer.text
    assert str(error) in caplog.text
    assert (says in answer.text) == (address != CUSTOMERS), "strangers are told nothing of the house"
