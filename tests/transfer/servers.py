"""File servers for tests of transfers: the simulator's on real sockets, and a real OpenSSH server."""

import importlib.util
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.conftest import PROJECT
from tests.networks.palletways.served_files import HOST, USER, ServedFiles

from palletflow.networks.palletways.simulator.files import ca_pem, host_key_line
from palletflow.networks.palletways.simulator.members import UPLOAD_PASSWORD
from palletflow.transfer import ftp, sftp
from palletflow.transfer.ftp import FtpServer
from palletflow.transfer.session import Server, Session
from palletflow.transfer.sftp import SftpServer

PROTOCOLS = ("ftp", "ftps", "sftp")

_spec = importlib.util.spec_from_file_location("openssh", PROJECT / "tools" / "openssh.py")
assert _spec
assert _spec.loader
openssh = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(openssh)


def server_of(protocol: str, files: ServedFiles, **changes: Any) -> Server:
    """How one of the simulator's servers is reached."""
    port = files.servers.ports[protocol]
    if protocol == "sftp":
        made: Server = SftpServer("upload", HOST, port, USER, UPLOAD_PASSWORD, host_key=host_key_line())
    else:
        tls = {"tls": True, "ca_bundle": ca_pem()} if protocol == "ftps" else {}
        made = FtpServer("upload", HOST, port, USER, UPLOAD_PASSWORD, **tls)
    return replace(made, **changes)


def open_session(server: Server) -> Session:
    """A session with it."""
    return sftp.open_session(server) if isinstance(server, SftpServer) else ftp.open_session(server)


def served_openssh() -> Iterator[Any]:
    """For a fixture: a running OpenSSH server; skips where neither one is installed nor its package can be had."""
    # pytest's own folders are closed to the account that it runs as when root runs the tests.
    home = Path(tempfile.mkdtemp(prefix="palletflow-openssh-"))
    home.chmod(0o755)
    try:
        try:
            running = openssh.OpenSsh(home / "server", home / "cache")
        except openssh.NoServer as error:
            pytest.skip(f"no OpenSSH server: {error}")
        with running:
            yield running
    finally:
        shutil.rmtree(home, ignore_errors=True)


def server_of_openssh(running: Any, **changes: Any) -> SftpServer:
    """How a running OpenSSH server is reached."""
    made = SftpServer(
        "upload",
        running.host,
        running.port,
        running.login,
        folder=str(running.files),
        host_key=running.host_key,
        private_key=running.private_key,
    )
    return replace(made, **changes)
