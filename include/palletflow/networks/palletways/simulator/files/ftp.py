"""The FTP and the FTPS server, by pyftpdlib in a thread of its own (U12 to U14).

FTPS is explicit: no login before AUTH TLS, no data connection without PROT P, and every data connection must resume a
TLS session, as the strict servers among the real ones demand. Switches that act here: ``ftp_reply`` (by command;
``CONNECT`` = the greeting), ``ftp_no_size``, ``tls_cert``.
"""

import errno
import io
import logging
import os
import socket
import stat
import struct
import sys
import threading
import zlib
from functools import cache
from typing import Any

from OpenSSL import SSL
from pyftpdlib.authorizers import AuthenticationFailed  # type: ignore[import-untyped]
from pyftpdlib.filesystems import UnixFilesystem  # type: ignore[import-untyped]
from pyftpdlib.handlers import DTPHandler, FTPHandler, TLS_DTPHandler, TLS_FTPHandler  # type: ignore[import-untyped]
from pyftpdlib.ioloop import IOLoop  # type: ignore[import-untyped]
from pyftpdlib.servers import FTPServer  # type: ignore[import-untyped]

from ..received import Received
from .home import Cut, Home, NoSpace, may_enter
from .identity import tls_identity
from .sessions import Session, Sessions

# How often the thread looks whether it shall end.
_STOP_CHECK_S = 0.1
_GONE = frozenset({"APPE", "MFMT", "MKD", "REST", "RMD", "SITE", "SITE CHMOD", "SITE HELP", "STOU", "XMKD", "XRMD"})
_BROKEN = "426 The data connection broke off."
_CLOSING = 421  # the reply after which a server closes the connection

_log = logging.getLogger("pyftpdlib")
# Without a handler of its own it would write every connection to stderr.
_log.addHandler(logging.NullHandler())
_log.setLevel(logging.ERROR)


class FtpThread:
    """Serves FTP and FTPS from ``start`` to ``stop``."""

    def __init__(self, received: Received, sessions: Sessions, sockets: dict[str, socket.socket]) -> None:
        """``sockets``: listening ones, by ``ftp`` and ``ftps``."""
        self._loop = IOLoop()
        for name, listening in sockets.items():
            handler = _TlsControl if name == "ftps" else _Control
            _Server(name, received, sessions, listening, handler, ioloop=self._loop)
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._run, name="ftp servers", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """End all connections; returns when the thread has ended."""
        self._ending.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._ending.is_set():
            self._loop.loop(timeout=_STOP_CHECK_S, blocking=False)
        self._loop.close()


class _Server(FTPServer):  # type: ignore[misc]  # pyftpdlib has no types
    """One of the two servers; its handlers find here what they share."""

    def __init__(
        self, name: str, received: Received, sessions: Sessions, listening: socket.socket, handler: Any, *, ioloop: Any
    ) -> None:
        super().__init__(listening, handler, ioloop=ioloop)
        self.name = name
        self.received = received
        self.sessions = sessions


class _Users:
    """Who may log in; pyftpdlib asks for these names."""

    def validate_authentication(self, username: str, password: str, handler: Any) -> None:
        if not may_enter(username, password):
            raise AuthenticationFailed("Login incorrect")

    def get_home_dir(self, username: str) -> str:
        return "/"

    def has_perm(self, username: str, perm: str, path: str | None = None) -> bool:
        return True

    def get_perms(self, username: str) -> str:
        return "elrdfw"

    def get_msg_login(self, username: str) -> str:
        return "Login successful."

    def get_msg_quit(self, username: str) -> str:
        return "Goodbye."

    def impersonate_user(self, username: str, password: str) -> None:
        """All users are the same to the operating system."""

    def terminate_impersonation(self, username: str) -> None:
        """All users are the same to the operating system."""


class _Reading(io.BytesIO):
    """A file on its way out."""

    def __init__(self, name: str, data: bytes) -> None:
        super().__init__(data)
        self.name = name


class _Writing:
    """A file on its way in, as pyftpdlib writes it."""

    def __init__(self, name: str, home: Home) -> None:
        self.name = name
        self._file = home.write(name)

    @property
    def closed(self) -> bool:
        return self._file.closed

    def write(self, data: bytes) -> None:
        self._file.write(self._file.size, data)

    def close(self) -> None:
        self._file.close()

    def discard(self) -> None:
        self._file.discard()


class _Files(UnixFilesystem):  # type: ignore[misc]
    """The logged-in user's folder. Of pyftpdlib's methods those that the commands left to the server lead to."""

    def __init__(self, root: str, cmd_channel: Any) -> None:
        super().__init__(root, cmd_channel)
        server = cmd_channel.server
        self._home = Home(server.received, cmd_channel.username, server.name)

    def open(self, filename: str, mode: str) -> Any:
        return _Writing(filename, self._home) if "w" in mode else _Reading(filename, self._home.file(filename).data)

    def chdir(self, path: str) -> None:
        if not self._home.is_folder(path):
            raise FileNotFoundError(errno.ENOENT, "No such folder")
        self.cwd = path

    def listdir(self, path: str) -> list[str]:
        return [file.name for file in self._home.files(path)]

    def remove(self, path: str) -> None:
        self._home.remove(path)

    def rename(self, src: str, dst: str) -> None:
        self._home.rename(src, dst)

    def stat(self, path: str) -> os.stat_result:
        if self._home.is_folder(path):
            return os.stat_result((stat.S_IFDIR | 0o755, 1, 1, 1, 0, 0, 0, 0, 0, 0))
        file = self._home.file(path)
        modified = int(file.received_at.timestamp())
        # The number in the second place tells files from one another.
        number = zlib.crc32(file.name.encode())
        return os.stat_result((stat.S_IFREG | 0o644, number, 1, 1, 0, 0, len(file.data), modified, modified, modified))

    lstat = stat

    def getsize(self, path: str) -> int:
        return self.stat(path).st_size

    def getmtime(self, path: str) -> float:
        return self.stat(path).st_mtime

    def isfile(self, path: str) -> bool:
        return self._home.holds(path)

    def isdir(self, path: str) -> bool:
        return self._home.is_folder(path)

    def lexists(self, path: str) -> bool:
        return self.isfile(path) or self.isdir(path)

    def realpath(self, path: str) -> str:
        return path


def _left(commands: dict[str, Any], gone: frozenset[str] = _GONE) -> dict[str, Any]:
    return {name: facts for name, facts in commands.items() if name not in gone}


class _Data(DTPHandler):  # type: ignore[misc]
    """A data connection that knows the replies of a full disk, and the cut."""

    def handle_error(self) -> None:
        problem = sys.exc_info()[1]
        cause = problem.__cause__ if problem is not None else None
        if isinstance(problem, Cut):
            self.cmd_channel.cut()
        elif isinstance(cause, NoSpace):
            self.refuse(f"{cause.ftp_code} {cause.strerror}.")
        else:
            super().handle_error()

    def refuse(self, reply: str) -> None:
        """End the data connection; the control connection gets ``reply``."""
        self._resp = (reply, _log.info)
        self.close()


class _TlsData(_Data, TLS_DTPHandler):  # type: ignore[misc]
    def handle_ssl_established(self) -> None:
        # pyOpenSSL has no name of its own for this.
        if not SSL._lib.SSL_session_reused(self.socket._ssl):  # type: ignore[attr-defined]
            if isinstance(self.file_obj, _Writing):
                self.file_obj.discard()
            self.refuse("522 The data connection must resume the TLS session of the control connection.")

    def handle_error(self) -> None:
        if isinstance(sys.exc_info()[1], SSL.Error):
            self._error = True  # TLS cannot take its leave any more
            self.refuse(_BROKEN)
        else:
            super().handle_error()

    def close(self) -> None:
        # Without TLS's own goodbye nobody knows whether that was all; pyftpdlib would say it was.
        complete = self.receive and self._ssl_established and self._resp and self._resp[0].startswith("226")
        if complete and not self.socket.get_shutdown() & SSL.RECEIVED_SHUTDOWN:
            self._resp = (_BROKEN, _log.info)
        super().close()


class _Control(FTPHandler):  # type: ignore[misc]
    """A control connection with the record of sessions and the ordered faults."""

    abstracted_fs = _Files
    dtp_handler = _Data
    authorizer = _Users()
    auth_failed_timeout = 0
    banner = "Palletways simulator"
    commands = _left(FTPHandler.proto_cmds)

    def __init__(self, conn: socket.socket, server: _Server, ioloop: Any = None) -> None:
        self._session: Session = server.sessions.begin(server.name)
        self._command = ("CONNECT", "")
        super().__init__(conn, server, ioloop=ioloop)

    @property
    def proto_cmds(self) -> dict[str, Any]:
        if self.server.received.switches.is_on("ftp_no_size"):
            return _left(self.commands, frozenset({"SIZE"}))
        return self.commands

    def on_connect(self) -> None:
        self._struck("CONNECT")

    def on_login(self, username: str) -> None:
        self._session.user = username

    def on_disconnect(self) -> None:
        self._session.end()

    def pre_process_command(self, line: str, cmd: str, arg: str) -> None:
        self._command = (cmd, "***" if cmd == "PASS" else arg)
        super().pre_process_command(line, cmd, arg)

    def process_command(self, cmd: str, *args: Any, **kwargs: Any) -> None:
        if not self._struck(cmd):
            super().process_command(cmd, *args, **kwargs)

    def respond(self, resp: str, *args: Any, **kwargs: Any) -> None:
        # Entered first: whoever has the reply finds it in the record.
        self._session.told(*self._command, reply=resp[:3])
        super().respond(resp, *args, **kwargs)

    def handle_error(self) -> None:
        if isinstance(sys.exc_info()[1], Cut):
            self.cut()
        else:
            super().handle_error()

    def cut(self) -> None:
        """End both connections with a reset, without a word."""
        for channel in (self.data_channel, self):
            if channel is not None:
                # Lingering for zero seconds makes the operating system send a reset rather than an orderly end.
                channel.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                channel._ssl_established = False  # or TLS would take its leave
        self.close()

    def _struck(self, command: str) -> bool:
        """Answer a command as ordered, if it is."""
        strike = self.server.received.switches.strike("ftp_reply", command)
        if strike is None:
            return False
        self.respond(f"{strike.value} Ordered by the switch ftp_reply.")
        if strike.value == _CLOSING or command == "CONNECT":
            self.close_when_done()
        return True


class _TlsControl(_Control, TLS_FTPHandler):  # type: ignore[misc]
    dtp_handler = _TlsData
    tls_control_required = True
    tls_data_required = True
    commands = _left(TLS_FTPHandler.proto_cmds)

    @classmethod
    def get_ssl_context(cls) -> SSL.Context:
        return _context("good")

    def ftp_AUTH(self, line: str) -> None:
        self.ssl_context = _context(self.server.received.switches["tls_cert"])
        super().ftp_AUTH(line)


@cache
def _context(kind: str) -> SSL.Context:
    """One for all connections with this certificate: a session can be resumed only in the context it began in."""
    identity = tls_identity(kind)
    context = SSL.Context(SSL.TLS_SERVER_METHOD)
    context.set_min_proto_version(SSL.TLS1_2_VERSION)
    context.use_certificate(identity.certificate)
    context.add_extra_chain_cert(identity.authority)
    context.use_privatekey(identity.key)
    context.set_session_id(b"palletways")
    return context
