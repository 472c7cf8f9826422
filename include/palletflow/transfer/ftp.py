"""FTP, plain or with explicit TLS: passive by EPSV, then PASV; binary; one transfer at a time over one login."""

import contextlib
import ftplib
import re
import socket
import ssl
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from palletflow.network_errors import AuthFailed, Misconfigured, NetworkError, NotSent
from palletflow.transfer.errors import Interrupted, NotNow, Refused
from palletflow.transfer.session import Found, Server

BLOCK = 64 << 10
# More than any reply or folder has: a server that never comes to an end is left.
MOST_REPLY_LINES, MOST_LISTED = 1000, 100_000
# Such a permanent reply passes all the same: the server has no room.
FULL = "552"
NOT_LOGGED_IN = ("530", "532")
NO_SUCH_COMMAND = ("500", "501", "502", "503", "504")
LISTED_SIZE = re.compile(r"^-\S+\s+(?:\S+\s+){3}(\d+)\s")


@dataclass(frozen=True)
class FtpServer(Server):
    """`tls`: by AUTH TLS before login. `ca_bundle`: path or PEM text of who signs its certificate, "" for the system's.

    `active`: the server connects to us for data, where nothing else works.
    """

    tls: bool = False
    ca_bundle: str = ""
    active: bool = False


def open_session(server: FtpServer) -> "FtpSession":
    """Logs in, in TLS when it is to be, and goes to the folder.

    Raises Misconfigured for a certificate that does not prove the host, a server without TLS and a folder that is not
    there; AuthFailed, NotSent, NotNow, Interrupted.
    """
    session = FtpSession(server)
    try:
        session.open()
    except BaseException:
        session.close()
        raise
    return session


class FtpSession:
    """See palletflow.transfer.session.Session."""

    capacity = 1

    def __init__(self, server: FtpServer) -> None:
        self._server = server
        self.broken = False
        self._operation = "FTPS" if server.tls else "FTP"
        self._ftp: _Plain = _Secured(_trust(server, self._operation)) if server.tls else _Plain()
        # Replies are bytes of any kind; none may end a session.
        self._ftp.encoding = "latin-1"
        self._ftp.set_pasv(not server.active)
        self._has_size = self._has_mlst = True

    def open(self) -> None:
        """See open_session."""
        server = self._server
        try:
            self._ftp.connect(server.host, server.port, server.connect_s)
        except (ftplib.error_temp, ftplib.error_perm) as error:
            raise self._by_reply(error, "Connecting") from error
        except (ftplib.Error, OSError, EOFError) as error:
            detail = f"{server.host}:{server.port}: {self._said(error)}"
            raise NotSent(server.connection, self._operation, detail) from error
        with self._asking("Logging in"):
            self._secure()
            try:
                self._ftp.login(_on_the_wire(server.login), _on_the_wire(server.password))
            except ftplib.error_perm as error:
                if _code(error) in NOT_LOGGED_IN:
                    detail = f"the server refuses the login '{server.login}'"
                    raise AuthFailed(server.connection, self._operation, detail) from error
                raise Misconfigured(server.connection, self._operation, f"Logging in: {self._said(error)}") from error
            if isinstance(self._ftp, _Secured):
                self._ftp.prot_p()
            self._ftp.voidcmd("TYPE I")
            try:
                self._ftp.cwd(_on_the_wire(server.folder))
            except ftplib.error_perm as error:
                detail = f"the folder '{server.folder}' (remote_dir) cannot be entered: {self._said(error)}"
                raise Misconfigured(server.connection, self._operation, detail) from error
        assert self._ftp.sock is not None, "connected"
        self._ftp.timeout = server.idle_s
        self._ftp.sock.settimeout(server.idle_s)

    def look(self, name: str) -> Found | None:
        """See Session: by SIZE, else MLST, else a listing."""
        with self._asking(f"Looking for {name}"):
            if self._has_size:
                try:
                    return Found(self._ftp.size(name))
                except ftplib.error_perm as error:
                    if _is_absent(error):
                        return None
                    if _code(error) not in NO_SUCH_COMMAND:
                        raise
                    self._has_size = False
            if self._has_mlst:
                try:
                    return Found(_fact_size(self._ftp.sendcmd(f"MLST {name}")))
                except ftplib.error_perm as error:
                    if _is_absent(error):
                        return None
                    if _code(error) not in NO_SUCH_COMMAND:
                        raise
                    self._has_mlst = False
            return self._listed(name)

    def write(self, name: str, data: bytes) -> Found | None:
        """See Session."""
        with self._asking(f"Writing {name}"):
            self._send(name, data)
        return self.look(name)

    def rename(self, name: str, new_name: str) -> Found | None:
        """See Session."""
        with self._asking(f"Renaming {name}"):
            self._ftp.rename(name, new_name)
        return self.look(new_name)

    def delete(self, name: str) -> None:
        """See Session."""
        with self._asking(f"Deleting {name}"):
            try:
                self._ftp.delete(name)
            except ftplib.error_perm as error:
                if not _is_absent(error):
                    raise

    def close(self) -> None:
        """See Session."""
        if not self.broken and self._ftp.sock is not None:
            self._ftp.sock.settimeout(1)
            with contextlib.suppress(OSError, EOFError, ftplib.Error):
                self._ftp.quit()
        self.broken = True
        self._ftp.close()

    def _secure(self) -> None:
        if isinstance(self._ftp, _Secured):
            try:
                self._ftp.auth()
            except ftplib.error_perm as error:
                detail = f"the server does not offer TLS ({self._said(error)}); nothing was sent"
                raise Misconfigured(self._server.connection, self._operation, detail) from error

    def _send(self, name: str, data: bytes) -> None:
        connection = self._ftp.transfercmd(f"STOR {name}")
        try:
            with connection:
                connection.settimeout(self._server.idle_s)
                whole = memoryview(data)
                for start in range(0, len(whole), BLOCK):
                    connection.sendall(whole[start : start + BLOCK])
                if isinstance(connection, ssl.SSLSocket):
                    # Tells the end of the file; not every server answers that it has understood.
                    with contextlib.suppress(OSError):
                        connection.unwrap()
        except OSError:
            # A server that takes no more closes the data connection and says why on the other one.
            self._ftp.voidresp()
            raise
        self._ftp.voidresp()

    def _listed(self, name: str) -> Found | None:
        count, line, refused = 0, None, None

        def read(one: str) -> None:
            nonlocal count, line
            count += 1
            if count > MOST_LISTED:
                raise OSError(f"the listing has more than {MOST_LISTED:,} lines")
            if one.rstrip().endswith(f" {name}"):
                line = one

        try:
            self._ftp.retrlines("LIST", read)
        except (ftplib.error_temp, ftplib.error_perm) as error:
            refused = error
        # A listing is text, and what is written next is not.
        self._ftp.voidcmd("TYPE I")
        if refused and not _is_absent(refused):  # "no files found"
            raise refused
        if line is None:
            return None
        size = LISTED_SIZE.match(line)
        return Found(int(size[1]) if size else None)

    @contextlib.contextmanager
    def _asking(self, doing: str) -> Iterator[None]:
        """Raises our errors for ftplib's. Whatever is not a reply ends the session."""
        try:
            yield
        except NetworkError:
            raise
        except (ftplib.error_temp, ftplib.error_perm) as error:
            raise self._by_reply(error, doing) from error
        except ssl.SSLCertVerificationError as error:
            self.broken = True
            detail = f"the server's certificate is not to be trusted ({error.verify_message}); nothing was sent"
            raise Misconfigured(self._server.connection, self._operation, detail) from error
        except (ftplib.Error, OSError, EOFError, ValueError) as error:  # a size may be no number
            self.broken = True
            said = f"no answer for {self._server.idle_s:g} s" if isinstance(error, TimeoutError) else self._said(error)
            raise Interrupted(self._server.connection, self._operation, f"{doing}: {said}") from error

    def _by_reply(self, error: Exception, doing: str) -> NetworkError:
        code, detail = _code(error), f"{doing}: {self._said(error)}"
        # "Closing control connection": the next request would find nobody.
        self.broken = self.broken or code == "421"
        if code in NOT_LOGGED_IN:
            self.broken = True
            return AuthFailed(self._server.connection, self._operation, detail)
        if code[:1] == "4" or code == FULL:
            return NotNow(self._server.connection, self._operation, detail)
        return Refused(self._server.connection, self._operation, detail)

    def _said(self, error: Exception) -> str:
        """What the server or the system said; a server that repeats the password shows it to nobody."""
        said = " ".join(str(error).split()) or type(error).__name__
        for secret in filter(None, (self._server.password, _on_the_wire(self._server.password))):
            said = said.replace(secret, "***")
        return said


class _Plain(ftplib.FTP):
    """ftplib asks for EPSV with IPv6 only; it gets past more firewalls than PASV with IPv4 too."""

    _has_epsv = True
    _lines = 0

    def getresp(self) -> str:
        """One reply, of so many lines at most."""
        self._lines = 0
        return super().getresp()

    def getline(self) -> str:
        """One line of it."""
        self._lines += 1
        if self._lines > MOST_REPLY_LINES:
            raise OSError(f"a reply has more than {MOST_REPLY_LINES:,} lines")
        return super().getline()

    def makepasv(self) -> tuple[str, int]:
        """EPSV, then PASV. The data connection goes to the server's own host, whatever PASV says."""
        assert self.sock is not None, "connected"
        if self._has_epsv or self.af == socket.AF_INET6:
            try:
                peer = self.sock.getpeername()
                host, port, *_ = ftplib.parse229(self.sendcmd("EPSV"), peer)  # noqa: S321 - plain FTP is what some servers have
            except ftplib.error_perm:
                if self.af == socket.AF_INET6:
                    raise
                self._has_epsv = False
            else:
                return host, port
        return super().makepasv()


class _Secured(ftplib.FTP_TLS, _Plain):
    """With TLS on both connections."""

    def __init__(self, context: ssl.SSLContext) -> None:
        super().__init__(context=context)

    def ntransfercmd(self, cmd: str, rest: int | str | None = None) -> tuple[socket.socket, int | None]:
        """Reuses the TLS session: so the server sees that whoever sends the file is who logged in."""
        connection, size = ftplib.FTP.ntransfercmd(self, cmd, rest)  # noqa: S321 - see above
        assert isinstance(self.sock, ssl.SSLSocket), "secured before login"
        try:
            secured = self.context.wrap_socket(connection, server_hostname=self.host, session=self.sock.session)
        except BaseException:
            connection.close()
            raise
        return secured, size


def _trust(server: FtpServer, operation: str) -> ssl.SSLContext:
    """Certificates and host names are verified always. Raises Misconfigured for a `ca_bundle` that is none."""
    is_text = "-----BEGIN" in server.ca_bundle
    try:
        context = ssl.create_default_context(
            cadata=server.ca_bundle if is_text else None,
            cafile=None if is_text or not server.ca_bundle else str(Path(server.ca_bundle).expanduser()),
        )
    except (OSError, ValueError) as error:
        detail = f"ca_bundle is no file or text with certificates: {error}"
        raise Misconfigured(server.connection, operation, detail) from error
    return context


def _fact_size(reply: str) -> int | None:
    found = re.search(r"(?i)\bsize=(\d+);", reply)
    return int(found[1]) if found else None


def _on_the_wire(text: str) -> str:
    """What gives a text's UTF-8 bytes where it is sent as Latin-1."""
    return text.encode().decode("latin-1")


def _is_absent(error: ftplib.Error) -> bool:
    """Whether it is the reply for a file that is not there."""
    return _code(error) == "550"


def _code(error: Exception) -> str:
    return str(error)[:3]
