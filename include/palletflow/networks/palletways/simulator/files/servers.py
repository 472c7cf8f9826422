"""The file servers together."""

import asyncio
import socket
from typing import TYPE_CHECKING

from ..received import Received
from .sessions import Sessions
from .sftp import SftpServer

if TYPE_CHECKING:
    from .ftp import FtpThread


class FileServers:
    """An FTP, an FTPS and an SFTP server over the same files. ``sessions``: who connected and asked for what."""

    def __init__(
        self,
        received: Received,
        *,
        bind: str = "127.0.0.1",
        ftp: int | None = None,
        ftps: int | None = None,
        sftp: int | None = None,
    ) -> None:
        """``bind``: the address to listen on; then each server's port: 0 = any free one, None = it is not served."""
        self.sessions = Sessions()
        self.ports: dict[str, int] = {}
        self._received = received
        self._bind = bind
        wanted = {"ftp": ftp, "ftps": ftps, "sftp": sftp}
        self._wanted = {name: port for name, port in wanted.items() if port is not None}
        self._sftp: SftpServer | None = None
        self._ftp: FtpThread | None = None

    async def start(self) -> None:
        """Listen on the ports, which ``ports`` tells from now on. Raises OSError for a port that is taken."""
        sockets: dict[str, socket.socket] = {}
        try:
            for name, port in self._wanted.items():
                sockets[name] = socket.create_server((self._bind, port))
        except OSError:
            for listening in sockets.values():
                listening.close()
            raise
        self.ports = {name: listening.getsockname()[1] for name, listening in sockets.items()}
        if "sftp" in sockets:
            self._sftp = SftpServer(self._received, self.sessions, sockets.pop("sftp"))
            self._sftp.start()
        if sockets:
            from .ftp import FtpThread  # its library is not there where no FTP is served

            self._ftp = FtpThread(self._received, self.sessions, sockets)
            self._ftp.start()

    async def stop(self) -> None:
        """End the servers and all their connections."""
        if self._sftp:
            await self._sftp.stop()
        if self._ftp:
            await asyncio.to_thread(self._ftp.stop)
