"""The three file servers together."""

import asyncio
import socket

from ..received import Received
from .ftp import FtpThread
from .sessions import Sessions
from .sftp import SftpServer


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
        """``bind``: the address to listen on; then a port for each server, None = any free one."""
        self.sessions = Sessions()
        self.ports: dict[str, int] = {}
        self._received = received
        self._bind = bind
        self._wanted = {"ftp": ftp, "ftps": ftps, "sftp": sftp}

    async def start(self) -> None:
        """Listen on all three ports, which ``ports`` tells from now on. Raises OSError for a port that is taken."""
        sockets: dict[str, socket.socket] = {}
        try:
            for name, port in self._wanted.items():
                sockets[name] = socket.create_server((self._bind, port or 0))
        except OSError:
            for listening in sockets.values():
                listening.close()
            raise
        self.ports = {name: listening.getsockname()[1] for name, listening in sockets.items()}
        self._sftp = SftpServer(self._received, self.sessions, sockets.pop("sftp"))
        self._sftp.start()
        self._ftp = FtpThread(self._received, self.sessions, sockets)
        self._ftp.start()

    async def stop(self) -> None:
        """End the servers and all their connections."""
        await self._sftp.stop()
        await asyncio.to_thread(self._ftp.stop)
