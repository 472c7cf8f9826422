"""Fixtures of transfers: file servers on real sockets."""

from collections.abc import Iterator
from typing import Any

import pytest
from tests.networks.palletways.served_files import ServedFiles
from tests.transfer.servers import served_openssh


@pytest.fixture(scope="session")
def served_files() -> Iterator[ServedFiles]:
    served = ServedFiles()
    yield served
    served.stop()


@pytest.fixture
def files(served_files: ServedFiles) -> ServedFiles:
    """FTP, FTPS and SFTP over one empty store, without faults."""
    served_files.reset()
    return served_files


@pytest.fixture(scope="session")
def running_openssh() -> Iterator[Any]:
    yield from served_openssh()


@pytest.fixture
def openssh(running_openssh: Any) -> Iterator[Any]:
    """A real OpenSSH server with an empty folder."""
    yield running_openssh
    for path in running_openssh.files.iterdir():
        path.unlink()
