"""An SFTP drop of files to import, through an Airflow connection of type 'sftp'.

The server's key must be known: in the connection's Extra (`host_key`) or in the known_hosts file of the user who runs
the workers. A connection that says not to check it is refused.
"""

import posixpath
import stat
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import paramiko  # type: ignore[import-untyped]
from airflow.providers.sftp.hooks.sftp import SFTPHook

from palletflow.intake.file_drops import BEING_WRITTEN, PUT_AWAY, Waiting, wanted
from palletflow.network_errors import Misconfigured, NotSent

# Two looks so far apart must find a file alike: clocks of other machines say nothing.
SETTLED_S = 3.0
BLOCK = 1 << 20
# Bytes asked for ahead: over a slow line one block after the other would take its time.
AHEAD = 32 << 10
OPERATION = "SFTP"


class SftpDrop:
    """See palletflow.intake.file_drops.Drop. Folder: `folder` in the connection's Extra, else where a login leads."""

    def __init__(self, client: paramiko.SFTPClient, folder: str, sleep: Callable[[float], None]) -> None:
        self._client, self._folder, self._sleep = client, folder, sleep
        for name in sorted(set(PUT_AWAY.values())):
            if not self._exists(self._path(name)):
                client.mkdir(self._path(name), 0o750)

    def _path(self, *parts: str) -> str:
        return posixpath.join(self._folder, *parts)

    def _exists(self, path: str) -> bool:
        try:
            self._client.lstat(path)
        except FileNotFoundError:
            return False
        return True

    def _found(self) -> dict[str, Waiting]:
        return {
            entry.filename: Waiting(entry.filename, self._path(entry.filename), _version(entry))
            for entry in self._client.listdir_attr(self._folder)
            if wanted(entry.filename) and stat.S_ISREG(entry.st_mode or 0)
        }

    def waiting(self) -> list[Waiting]:
        """See Drop."""
        before = self._found()
        if not before:
            return []
        self._sleep(SETTLED_S)
        after = self._found()
        same = [file for name, file in before.items() if after.get(name) == file]
        return sorted(same, key=lambda file: (file.version[1], file.name))

    @contextmanager
    def opened(self, file: Waiting, most_bytes: int) -> Iterator[BinaryIO]:
        """See Drop: a temporary copy, never larger than a byte more than may be read."""
        size = min(file.version[0], most_bytes + 1)
        with tempfile.TemporaryFile() as copy:
            with self._client.open(file.place, "rb", bufsize=AHEAD) as remote:
                remote.prefetch(size, max_concurrent_requests=64)
                left = size
                while left and (block := remote.read(min(BLOCK, left))):
                    copy.write(block)
                    left -= len(block)
            copy.seek(0)
            yield copy

    def unchanged(self, file: Waiting) -> bool:
        """See Drop."""
        try:
            return _version(self._client.lstat(file.place)) == file.version
        except FileNotFoundError:
            return False

    def taken(self, folder: str, name: str) -> bool:
        """See Drop."""
        return self._exists(self._path(folder, name))

    def write(self, folder: str, name: str, content: Path) -> None:
        """See Drop. The client checks that the server has the size that was sent."""
        unfinished, whole = self._path(folder, f".{name}{BEING_WRITTEN}"), self._path(folder, name)
        self._client.put(str(content), unfinished, confirm=True)
        self._client.posix_rename(unfinished, whole)

    def move(self, file: Waiting, folder: str, name: str) -> None:
        """See Drop: by a rename that does not replace."""
        self._client.rename(file.place, self._path(folder, name))


def _version(entry: paramiko.SFTPAttributes) -> tuple[int, ...]:
    return entry.st_size or 0, entry.st_mtime or 0


@contextmanager
def opened(connection: str, sleep: Callable[[float], None] = time.sleep) -> Iterator[SftpDrop]:
    """Opens the drop of an Airflow connection.

    Raises Misconfigured for a key that is not known or not to be checked and for a file name that is not UTF-8, NotSent
    when the server is not reached.
    """
    with _reached(connection) as (client, folder):
        yield SftpDrop(client, folder, sleep)


def check(connection: str) -> int:
    """Looks into the drop and changes nothing there; how many files wait. Raises as opened() does."""
    with _reached(connection) as (client, folder):
        try:
            entries = client.listdir_attr(folder)
        except FileNotFoundError as error:
            raise Misconfigured(connection, OPERATION, f"there is no folder '{folder}' on the server") from error
    return sum(wanted(entry.filename) and stat.S_ISREG(entry.st_mode or 0) for entry in entries)


@contextmanager
def _reached(connection: str) -> Iterator[tuple[paramiko.SFTPClient, str]]:
    """The server, and the drop's folder on it."""
    try:
        hook: Any = SFTPHook(ssh_conn_id=connection, conn_retry_attempts=1)
    except ValueError as error:
        raise Misconfigured(connection, OPERATION, str(error)) from error
    if hook.no_host_key_check or hook.allow_host_key_change:
        raise Misconfigured(connection, OPERATION, "Extra turns off the check of the server's key; give its host_key")
    try:
        with hook.get_managed_conn() as client:
            extra = hook.get_connection(connection).extra_dejson
            yield client, str(extra.get("folder") or ".")
    except UnicodeDecodeError as error:
        # The client cannot name such a file, so it cannot pass over it either.
        detail = f"a file in the drop has a name that is not UTF-8 ({error.object!a}); rename it on the server"
        raise Misconfigured(connection, OPERATION, detail) from error
    except paramiko.BadHostKeyException as error:
        raise Misconfigured(connection, OPERATION, "the server has another key than the one that is known") from error
    except paramiko.AuthenticationException as error:
        raise Misconfigured(connection, OPERATION, "the server refuses the login") from error
    except (paramiko.SSHException, EOFError, OSError) as error:
        if "not found in known_hosts" in str(error):
            raise Misconfigured(connection, OPERATION, f"{error}; give its host_key in Extra") from error
        raise NotSent(connection, OPERATION, str(error) or "the connection was lost") from error
