"""The file servers alone, on real sockets, with the clients that tests of them use."""

import asyncio
import ftplib
import os
import shutil
import socket
import ssl
import subprocess
import threading
from collections.abc import Callable, Coroutine
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import asyncssh
from tests.networks.palletways.ways import HOST

from palletflow.networks.palletways.simulator.files import FileServers, ca_pem, host_key_line
from palletflow.networks.palletways.simulator.members import UPLOAD_PASSWORD
from palletflow.networks.palletways.simulator.received import File, Received
from palletflow.networks.palletways.simulator.switches import Switches

USER = "pw123"
DEADLINE_S = 30
TRACKING_ID = "60000000017"
START = datetime(2026, 7, 13, 9, 30, tzinfo=UTC)


class ServedFiles:
    """FTP, FTPS and SFTP over one store. ``published`` and ``replaced``: what the network was told of."""

    def __init__(self) -> None:
        self.switches = Switches()
        self.now = START
        self.published: list[File] = []
        self.replaced: list[File] = []
        self.received = Received(
            self.switches,
            now=lambda: self.now,
            knows=lambda tracking_id: tracking_id == TRACKING_ID,
            published=self.published.append,
            replaced=self.replaced.append,
        )
        self.servers = FileServers(self.received, ftp=0, ftps=0, sftp=0)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)
        self._thread.start()
        self.run(self.servers.start())

    def run(self, work: Coroutine[Any, Any, Any]) -> Any:
        """Run a coroutine in the servers' event loop."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(DEADLINE_S)

    def stop(self) -> None:
        self.run(self.servers.stop())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def reset(self) -> None:
        self.switches.reset()
        self.received.clear()
        self.servers.sessions.clear()
        self.published.clear()
        self.replaced.clear()
        self.now = START

    def later(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)

    def stored(self) -> dict[str, bytes]:
        """Name and content of every file that lies there."""
        return {file.name: file.data for file in self.received.all()}

    def told(self, command: str) -> list[str]:
        """The replies to a command."""
        return [entry["reply"] for entry in self.servers.sessions.entries() if entry["command"] == command]


class ReusingFtps(ftplib.FTP_TLS):
    """The standard library's client, resuming the control connection's TLS session on every data connection."""

    def ntransfercmd(self, cmd: str, rest: int | str | None = None) -> tuple[socket.socket, int | None]:
        connected, size = ftplib.FTP.ntransfercmd(self, cmd, rest)
        assert isinstance(self.sock, ssl.SSLSocket)
        wrapped = self.context.wrap_socket(connected, server_hostname=self.host, session=self.sock.session)
        return wrapped, size


def ftp(served: ServedFiles, user: str = USER, password: str = UPLOAD_PASSWORD) -> ftplib.FTP:
    """A logged-in client of the FTP server."""
    client = ftplib.FTP(timeout=DEADLINE_S)
    client.connect(HOST, served.servers.ports["ftp"])
    client.login(user, password)
    return client


def ftps(served: ServedFiles, client_type: type[ftplib.FTP_TLS] = ReusingFtps) -> ftplib.FTP_TLS:
    """A logged-in client of the FTPS server, its data connections protected."""
    context = ssl.create_default_context(cadata=ca_pem())
    context.verify_flags |= ssl.VERIFY_X509_STRICT  # as newer versions of Python do by themselves
    client = client_type(context=context, timeout=DEADLINE_S)
    client.connect(HOST, served.servers.ports["ftps"])
    client.login(USER, UPLOAD_PASSWORD)
    client.prot_p()
    return client


def known_hosts() -> asyncssh.SSHKnownHosts:
    """The server's right host key, for whatever port it has."""
    return asyncssh.import_known_hosts(f"* {host_key_line()}\n")


def with_sftp(served: ServedFiles, work: Callable[[asyncssh.SFTPClient], Coroutine[Any, Any, Any]]) -> Any:
    """Run ``work`` with an SFTP client, in an event loop of its own."""

    async def connected() -> Any:
        options: dict[str, Any] = {"username": USER, "password": UPLOAD_PASSWORD, "known_hosts": known_hosts()}
        async with (
            asyncssh.connect(HOST, served.servers.ports["sftp"], config=None, client_keys=None, **options) as session,
            session.start_sftp_client() as client,
        ):
            return await work(client)

    return asyncio.run(asyncio.wait_for(connected(), DEADLINE_S))


def openssh(served: ServedFiles, folder: Path, batch: str, host_key: str = "") -> subprocess.CompletedProcess[str]:
    """Run OpenSSH's sftp with a batch of its commands; it must exist."""
    sftp = shutil.which("sftp")
    assert sftp
    (folder / "known_hosts").write_text(
        f"[{HOST}]:{served.servers.ports['sftp']} {host_key or host_key_line()}\n", encoding="ascii"
    )
    # The password comes from a program, as there is no terminal to ask on.
    asked = folder / "password"
    asked.write_text(f"#!/bin/sh\necho {UPLOAD_PASSWORD}\n", encoding="ascii")
    asked.chmod(0o700)
    options = {
        "UserKnownHostsFile": folder / "known_hosts",
        "StrictHostKeyChecking": "yes",
        "PreferredAuthentications": "password",
        "BatchMode": "no",
        "NumberOfPasswordPrompts": "1",
    }
    return subprocess.run(
        [sftp, "-F", "none", *(f"-o{name}={value}" for name, value in options.items()), "-b", "-",
         "-P", str(served.servers.ports["sftp"]), f"{USER}@{HOST}"],
        input=batch, text=True, capture_output=True, timeout=DEADLINE_S, check=False, cwd=folder,
        env={**os.environ, "SSH_ASKPASS": str(asked), "SSH_ASKPASS_REQUIRE": "force", "DISPLAY": "none"},
    )  # fmt: skip
