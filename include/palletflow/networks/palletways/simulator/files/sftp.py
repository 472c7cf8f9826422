"""The SFTP server, by asyncssh in the application's event loop (U12 to U14). Switch that acts here: ``host_key``."""

import asyncio
import errno
import posixpath
import socket
import stat
from collections.abc import AsyncIterator, Coroutine, Iterator
from contextlib import contextmanager
from typing import Any

import asyncssh
from asyncssh import FXF_TRUNC, FXF_WRITE, SFTPAttrs, SFTPName

from ..received import File, Received
from .home import Cut, Home, Incoming, may_enter
from .identity import HOST_KEYS, host_key
from .sessions import Session, Sessions

SERVER = "sftp"


class SftpServer:
    """Serves SFTP from ``start`` to ``stop``."""

    def __init__(self, received: Received, sessions: Sessions, listening: socket.socket) -> None:
        self._received = received
        self._sessions = sessions
        self._socket = listening
        self._socket.setblocking(False)
        self._keys = {kind: asyncssh.import_private_key(host_key(kind)) for kind in HOST_KEYS}
        self._tasks: set[asyncio.Task[None]] = set()

    def start(self) -> None:
        """Begin to accept connections, in the running event loop."""
        self._begin(self._accept())

    async def stop(self) -> None:
        """End all connections."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._socket.close()

    def _begin(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _accept(self) -> None:
        # Accepted here and not by asyncssh, so that every connection gets the host key of its moment.
        while True:
            connected, _ = await asyncio.get_running_loop().sock_accept(self._socket)
            self._begin(self._serve(connected))

    async def _serve(self, connected: socket.socket) -> None:
        session = self._sessions.begin(SERVER)
        try:
            connection = await asyncssh.run_server(
                connected,
                server_factory=lambda: _Login(session),
                server_host_keys=[self._keys[self._received.switches["host_key"]]],
                sftp_factory=lambda channel: _Files(channel, self._received, session),
                sftp_version=3,
            )
            try:
                await connection.wait_closed()
            finally:
                connection.abort()
        except (asyncssh.Error, OSError):
            pass  # a client that goes away during the handshake, as it must when it does not know the host key
        finally:
            session.end()


class _Login(asyncssh.SSHServer):
    def __init__(self, session: Session) -> None:
        self._session = session

    def password_auth_supported(self) -> bool:
        return True

    def validate_password(self, username: str, password: str) -> bool:
        entered = may_enter(username, password)
        if entered:
            self._session.user = username
        self._session.told("login", username, "ok" if entered else "refused")
        return entered


class _Files(asyncssh.SFTPServer):
    """The logged-in user's folder. A file being read is its bytes."""

    def __init__(self, channel: "asyncssh.SSHServerChannel[bytes]", received: Received, session: Session) -> None:
        super().__init__(channel)
        self._home = Home(received, session.user, SERVER)
        self._session = session

    def open(self, path: bytes, pflags: int, attrs: SFTPAttrs) -> object:
        name = path.decode()
        with self._told("open", name):
            if not pflags & FXF_WRITE:
                return self._home.file(name).data
            if self._home.holds(name) and not pflags & FXF_TRUNC:
                raise FileExistsError(errno.EEXIST, "There is a file of that name, and files are written whole")
            return self._home.write(name)

    def close(self, file_obj: object) -> None:
        if isinstance(file_obj, Incoming):
            file_obj.close()

    def read(self, file_obj: object, offset: int, size: int) -> bytes:
        if not isinstance(file_obj, bytes):
            raise OSError(errno.EBADF, "The file was opened for writing")
        return file_obj[offset : offset + size]

    def write(self, file_obj: object, offset: int, data: bytes) -> int:
        if not isinstance(file_obj, Incoming):
            raise OSError(errno.EBADF, "The file was opened for reading")
        with self._cut():
            return file_obj.write(offset, data)

    def stat(self, path: bytes) -> SFTPAttrs:
        name = path.decode()
        if self._home.is_folder(name):
            return _attributes(stat.S_IFDIR | 0o755, 0)
        with self._told("stat", name):
            return _shown(self._home.file(name))

    lstat = stat

    def fstat(self, file_obj: object) -> SFTPAttrs:
        size = file_obj.size if isinstance(file_obj, Incoming) else len(file_obj) if isinstance(file_obj, bytes) else 0
        return _attributes(stat.S_IFREG | 0o644, size)

    def setstat(self, path: bytes, attrs: SFTPAttrs) -> None:
        """Times and permissions are accepted and forgotten."""

    lsetstat = setstat

    def fsetstat(self, file_obj: object, attrs: SFTPAttrs) -> None:
        """Times and permissions are accepted and forgotten."""

    async def scandir(self, path: bytes) -> AsyncIterator[SFTPName]:
        name = path.decode()
        with self._told("list", name):
            files = self._home.files(name)
        for file in files:
            yield SFTPName(file.name.encode(), attrs=_shown(file))

    def rename(self, oldpath: bytes, newpath: bytes) -> None:
        self._rename("rename", oldpath, newpath, overwrite=False)

    def posix_rename(self, oldpath: bytes, newpath: bytes) -> None:
        self._rename("posix_rename", oldpath, newpath, overwrite=True)

    def remove(self, path: bytes) -> None:
        with self._told("remove", path.decode()):
            self._home.remove(path.decode())

    def realpath(self, path: bytes) -> bytes:
        return posixpath.normpath(posixpath.join(b"/", path))

    def mkdir(self, path: bytes, attrs: SFTPAttrs) -> None:
        raise PermissionError(errno.EACCES, "Folders are not made here")

    def rmdir(self, path: bytes) -> None:
        raise PermissionError(errno.EACCES, "Folders stay here")

    def symlink(self, oldpath: bytes, newpath: bytes) -> None:
        raise PermissionError(errno.EACCES, "Links are not made here")

    def link(self, oldpath: bytes, newpath: bytes) -> None:
        raise PermissionError(errno.EACCES, "Links are not made here")

    def readlink(self, path: bytes) -> bytes:
        raise OSError(errno.EINVAL, "There are no links here")

    def statvfs(self, path: bytes) -> asyncssh.SFTPVFSAttrs:
        raise asyncssh.SFTPOpUnsupported("The room left is not told here")

    def fstatvfs(self, file_obj: object) -> asyncssh.SFTPVFSAttrs:
        raise asyncssh.SFTPOpUnsupported("The room left is not told here")

    def fsync(self, file_obj: object) -> None:
        """There is no disk."""

    def _rename(self, command: str, old: bytes, new: bytes, *, overwrite: bool) -> None:
        with self._told(command, f"{old.decode()} {new.decode()}"), self._cut():
            self._home.rename(old.decode(), new.decode(), overwrite=overwrite)

    @contextmanager
    def _told(self, command: str, argument: str) -> Iterator[None]:
        """Enter a command with what became of it."""
        reply = "ok"
        try:
            yield
        except OSError as problem:
            reply = problem.strerror or "failure"
            raise
        except asyncssh.SFTPConnectionLost:
            reply = ""
            raise
        finally:
            self._session.told(command, argument, reply)

    @contextmanager
    def _cut(self) -> Iterator[None]:
        """End the connection where a switch says so."""
        try:
            yield
        except Cut:
            self.connection.abort()
            raise asyncssh.SFTPConnectionLost("Ordered by a switch") from None


def _shown(file: File) -> SFTPAttrs:
    return _attributes(stat.S_IFREG | 0o644, len(file.data), int(file.received_at.timestamp()))


def _attributes(mode: int, size: int, modified: int = 0) -> SFTPAttrs:
    return SFTPAttrs(size=size, uid=0, gid=0, permissions=mode, atime=modified, mtime=modified)
