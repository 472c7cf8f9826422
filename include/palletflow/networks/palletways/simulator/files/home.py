"""The folder a client sees after its login, and a file on its way in: the same for FTP and SFTP (sections 6 and 8).

It lies flat: ``/`` holds the files of one login, ``/photos`` is another path to the same ones, and nothing else is
there. Switches that act here: ``ftp_drop_at``, ``disk_full_at`` (both may be aimed at ftp, ftps or sftp), ``size_cap``,
``rename``, ``strict_names``; the others of file servers in ``received.py`` and with the protocol they belong to.
"""

import errno
import posixpath

from ..members import UPLOAD_PASSWORD, UPLOAD_USERS
from ..received import File, Received

_FOLDERS = ("/", "/photos")
# More than any photo has; an offset beyond it is a mistake.
_MOST_BYTES = 256 * 1024 * 1024


class Cut(Exception):
    """The connection is to be cut here, without a reply."""


class NoSpace(OSError):
    """What came in is not stored any further. ``ftp_code``: how FTP says so."""

    def __init__(self, number: int, sentence: str, ftp_code: int) -> None:
        super().__init__(number, sentence)
        self.ftp_code = ftp_code


def may_enter(user: str, password: str) -> bool:
    """Whether this login and password open the servers."""
    return user in UPLOAD_USERS and password == UPLOAD_PASSWORD


class Home:
    """One login's folder as one server shows it. What is wrong is raised as an OSError with its number."""

    def __init__(self, received: Received, user: str, server: str) -> None:
        self._received = received
        self._user = user
        self._server = server

    def is_folder(self, path: str) -> bool:
        return _normal(path) in _FOLDERS

    def files(self, path: str) -> list[File]:
        """All files in a folder, by name. Raises FileNotFoundError."""
        if not self.is_folder(path):
            raise FileNotFoundError(errno.ENOENT, "No such folder")
        found = (self._received.get(self._user, name) for name in self._received.names(self._user))
        return [file for file in found if file is not None]

    def file(self, path: str) -> File:
        """Raises FileNotFoundError."""
        found = self._received.get(self._user, self._name(path))
        if found is None:
            raise FileNotFoundError(errno.ENOENT, "No such file")
        return found

    def holds(self, path: str) -> bool:
        """Whether there is such a file."""
        try:
            self.file(path)
        except OSError:
            return False
        return True

    def write(self, path: str) -> "Incoming":
        """Begin to write a file from its first byte. Raises PermissionError for a name that is not taken in."""
        return Incoming(self._received, self._user, self._allowed(path), self._server)

    def rename(self, old: str, new: str, *, overwrite: bool = False) -> None:
        """Give a file another name, at once. ``overwrite``: the client asked for the kind of rename that replaces.

        Raises FileNotFoundError, FileExistsError, PermissionError, and Cut when only the reply gets lost.
        """
        habit = self._received.switches["rename"]
        name = self._allowed(new)
        if habit == "refused":
            raise PermissionError(errno.EACCES, "Renaming is not allowed here")
        try:
            self._received.rename(self._user, self._name(old), name, overwrite=overwrite or habit == "overwrite")
        except FileNotFoundError:
            raise FileNotFoundError(errno.ENOENT, "No such file") from None
        except FileExistsError:
            raise FileExistsError(errno.EEXIST, "There is a file of that name") from None
        if habit == "lost_reply":
            raise Cut

    def remove(self, path: str) -> None:
        """Raises FileNotFoundError."""
        self.file(path)
        self._received.remove(self._user, self._name(path))

    def _allowed(self, path: str) -> str:
        name = self._name(path)
        if not self._received.accepts(name):
            raise PermissionError(errno.EACCES, "Files of such a name are not taken in here")
        return name

    def _name(self, path: str) -> str:
        folder, name = posixpath.split(_normal(path))
        if folder not in _FOLDERS or self.is_folder(path):
            raise FileNotFoundError(errno.ENOENT, "No such file or folder")
        return name


class Incoming:
    """A file being written. It lies in the folder once it is closed, with what has come in until then."""

    def __init__(self, received: Received, user: str, name: str, server: str) -> None:
        self._received = received
        self._user = user
        self._name = name
        self._data = bytearray()
        switches = received.switches
        cut, full = switches.strike("ftp_drop_at", server), switches.strike("disk_full_at", server)
        limits: list[tuple[float, Exception]] = [(_MOST_BYTES, NoSpace(errno.EFBIG, "File too large", 552))]
        if cut is not None:
            limits.append((cut.value, Cut()))
        if full is not None:
            limits.append((full.value, NoSpace(errno.ENOSPC, "No space left on device", 452)))
        if switches["size_cap"] is not None:
            limits.append((switches["size_cap"], NoSpace(errno.EDQUOT, "File larger than allowed", 552)))
        self._room, self._problem = min(limits, key=lambda limit: limit[0])
        self.closed = False

    @property
    def size(self) -> int:
        return len(self._data)

    def write(self, offset: int, data: bytes) -> int:
        """Write bytes at ``offset``; as many as there is room for. Raises NoSpace or Cut when that is not all."""
        fitting = data[: max(0, int(self._room) - offset)]
        if fitting:
            self._data.extend(bytes(max(0, offset - len(self._data))))
            self._data[offset : offset + len(fitting)] = fitting
        if len(fitting) < len(data):
            raise self._problem
        return len(data)

    def discard(self) -> None:
        """Forget what has come in."""
        self.closed = True

    def close(self) -> None:
        """Put the file into the folder; a second time changes nothing."""
        if not self.closed:
            self.closed = True
            self._received.put(self._user, self._name, bytes(self._data))


def _normal(path: str) -> str:
    return posixpath.normpath(posixpath.join("/", path))
