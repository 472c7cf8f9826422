"""SFTP with many requests in flight over one connection.

A session runs an event loop in a thread of its own; the threads that use it hand it their requests and wait for their
own answers only. asyncssh sets TCP_NODELAY, without which small files wait for each other.
"""

import asyncio
import posixpath
import threading
from collections.abc import Awaitable, Coroutine
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import asyncssh

from palletflow.network_errors import AuthFailed, Misconfigured, NetworkError, NotSent
from palletflow.transfer.errors import Interrupted, NotNow, Refused
from palletflow.transfer.session import Found, Server

T = TypeVar("T")
OPERATION = "SFTP"
CAPACITY = 32
# One wait for the server is for so many bytes at most; they travel as requests in flight together.
BLOCK = 256 << 10
# AES-GCM first, which processors help with; the others take several times as long. The rest for servers without.
CIPHERS = "aes128-gcm@openssh.com,aes256-gcm@openssh.com,chacha20-poly1305@openssh.com,aes256-ctr,aes192-ctr,aes128-ctr"
KNOWN_HOSTS = Path("~/.ssh/known_hosts")
# The rest is for good. FAILURE is the word of version 3 for nearly everything, a full disk included.
PASSING = (
    asyncssh.FX_FAILURE,
    asyncssh.FX_NO_SPACE_ON_FILESYSTEM,
    asyncssh.FX_QUOTA_EXCEEDED,
    asyncssh.FX_LOCK_CONFLICT,
)
LOST = (asyncssh.FX_CONNECTION_LOST, asyncssh.FX_NO_CONNECTION, asyncssh.FX_EOF, asyncssh.FX_BAD_MESSAGE)
KeyLists = tuple[list[Any], list[Any], list[Any]]


@dataclass(frozen=True)
class SftpServer(Server):
    """`host_key`: its key type and base64, "" for the one in `known_hosts`. `private_key`: ours, or a password."""

    host_key: str = ""
    private_key: str = field(default="", repr=False)
    known_hosts: Path = KNOWN_HOSTS


def open_session(server: SftpServer) -> "SftpSession":
    """Logs in and looks for the folder.

    Raises Misconfigured for a host key that is not known or not the known one, and a folder that is not there;
    AuthFailed, NotSent, NotNow.
    """
    keys = _trusted(server)
    session = SftpSession(server)
    try:
        session.open(keys)
    except BaseException:
        session.close()
        raise
    return session


class SftpSession:
    """See palletflow.transfer.session.Session."""

    capacity = CAPACITY

    def __init__(self, server: SftpServer) -> None:
        self._server = server
        self.broken = False
        self._connection: asyncssh.SSHClientConnection | None = None
        self._client: asyncssh.SFTPClient | None = None
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name=f"sftp {server.connection}", daemon=True)
        self._thread.start()

    def open(self, keys: KeyLists) -> None:
        """See open_session."""
        self._run(self._open(keys), "Connecting")

    def look(self, name: str) -> Found | None:
        """See Session."""
        return self._run(self._look(name), f"Looking for {name}")

    def write(self, name: str, data: bytes) -> Found | None:
        """See Session."""
        return self._run(self._write(name, data), f"Writing {name}")

    def rename(self, name: str, new_name: str) -> Found | None:
        """See Session: by the request that does not overwrite, never by OpenSSH's that does."""
        return self._run(self._rename(name, new_name), f"Renaming {name}")

    def delete(self, name: str) -> None:
        """See Session."""
        self._run(self._delete(name), f"Deleting {name}")

    def close(self) -> None:
        """See Session."""
        self.broken = True
        asyncio.run_coroutine_threadsafe(self._close(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    # In the loop's thread

    async def _open(self, keys: KeyLists) -> None:
        server = self._server
        async with asyncio.timeout(server.connect_s):
            self._connection = await asyncssh.connect(
                server.host,
                server.port,
                username=server.login,
                password=server.password or None,
                client_keys=[asyncssh.import_private_key(server.private_key)] if server.private_key else None,
                known_hosts=keys,
                # Nothing of whoever runs the workers: no configuration, no agent, no keys.
                config=None,
                agent_path=None,
                gss_host=None,
                encryption_algs=CIPHERS,
                compression_algs=None,
                login_timeout=server.connect_s,
            )
            self._client = await self._connection.start_sftp_client()
            try:
                await self._client.stat(server.folder)
            except asyncssh.SFTPNoSuchFile:
                detail = f"the folder '{server.folder}' (remote_dir) is not on the server"
                raise Misconfigured(server.connection, OPERATION, detail) from None

    async def _look(self, name: str) -> Found | None:
        try:
            found = await self._within(self._sftp.lstat(self._path(name)))
        except asyncssh.SFTPNoSuchFile:
            return None
        return Found(found.size)

    async def _write(self, name: str, data: bytes) -> Found | None:
        file = await self._within(self._sftp.open(self._path(name), "wb"))
        try:
            for start in range(0, len(data), BLOCK):
                await self._within(file.write(data[start : start + BLOCK], start))
        finally:
            await self._within(file.close())
        return await self._look(name)

    async def _rename(self, name: str, new_name: str) -> Found | None:
        await self._within(self._sftp.rename(self._path(name), self._path(new_name)))
        return await self._look(new_name)

    async def _delete(self, name: str) -> None:
        try:
            await self._within(self._sftp.remove(self._path(name)))
        except asyncssh.SFTPNoSuchFile:
            return

    async def _close(self) -> None:
        if self._client:
            self._client.exit()
        if self._connection:
            self._connection.abort()
            with suppress(TimeoutError):
                async with asyncio.timeout(1):
                    await self._connection.wait_closed()

    async def _within(self, request: Awaitable[T]) -> T:
        async with asyncio.timeout(self._server.idle_s):
            return await request

    # Both

    @property
    def _sftp(self) -> asyncssh.SFTPClient:
        assert self._client, "opened"
        return self._client

    def _path(self, name: str) -> str:
        return posixpath.join(self._server.folder, name)

    def _run(self, request: Coroutine[Any, Any, T], doing: str) -> T:
        try:
            return asyncio.run_coroutine_threadsafe(request, self._loop).result()
        except NetworkError:
            raise
        except (asyncssh.Error, OSError, TimeoutError) as error:
            raise self._meaning(error, doing) from error

    def _meaning(self, error: Exception, doing: str) -> NetworkError:
        """Which of our errors it is. Whatever is not an answer to a request ends the session."""
        connection = self._server.connection
        said = str(error) or type(error).__name__
        if self._server.password:
            said = said.replace(self._server.password, "***")
        if isinstance(error, asyncssh.SFTPError) and error.code not in LOST:
            if error.code in PASSING:
                return NotNow(connection, OPERATION, f"{doing}: {said}")
            return Refused(connection, OPERATION, f"{doing}: {said}")
        was_open, self.broken = self._client is not None, True
        if isinstance(error, asyncssh.HostKeyNotVerifiable | asyncssh.KeyExchangeFailed):
            detail = f"the server does not prove itself with the key that is known ({said}); nothing was sent"
            return Misconfigured(connection, OPERATION, detail)
        if isinstance(error, asyncssh.PermissionDenied):
            return AuthFailed(connection, OPERATION, f"the server refuses the login '{self._server.login}'")
        if isinstance(error, TimeoutError):
            said = f"no answer for {self._server.idle_s if was_open else self._server.connect_s:g} s"
        if not was_open:
            return NotSent(connection, OPERATION, f"{self._server.host}:{self._server.port}: {said}")
        return Interrupted(connection, OPERATION, f"{doing}: {said}")


def _trusted(server: SftpServer) -> KeyLists:
    """The keys by which the server may be known. Raises Misconfigured when there is none."""
    if server.host_key:
        return [read_public_key(server.host_key)], [], []
    path = server.known_hosts.expanduser()
    lists: list[list[Any]] = [[], [], []]
    if path.is_file():
        try:
            known = asyncssh.match_known_hosts(str(path), server.host, "", server.port)
        except (ValueError, OSError) as error:
            raise Misconfigured(server.connection, OPERATION, f"{path} cannot be read: {error}") from error
        lists = [list(keys) for keys in known[:3]]
    if not lists[0] and not lists[1]:
        detail = f"no key of {server.host} is known; give host_key (key type and base64) in Extra, or add it to {path}"
        raise Misconfigured(server.connection, OPERATION, detail)
    return lists[0], lists[1], lists[2]


def read_public_key(text: str) -> asyncssh.SSHKey:
    """A key as known_hosts has it: key type and base64. Raises ValueError."""
    try:
        return asyncssh.import_public_key(text.strip())
    except (asyncssh.KeyImportError, ValueError) as error:
        raise ValueError(f"not a public key (key type and base64): {error}") from None


def read_private_key(text: str) -> str:
    """A private key without a passphrase, as text. Raises ValueError, which does not show it."""
    try:
        asyncssh.import_private_key(text)
    except (asyncssh.KeyImportError, asyncssh.KeyEncryptionError, ValueError):
        raise ValueError("not a private key without a passphrase, in OpenSSH's or PEM form") from None
    return text
