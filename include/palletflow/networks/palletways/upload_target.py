"""A depot's way to the file server, as handlers have it."""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from typing import Any, NamedTuple

from palletflow.networks.palletways.upload_settings import UploadSettings
from palletflow.store.connection import Connection
from palletflow.transfer import ftp, sftp
from palletflow.transfer.ftp import FtpServer
from palletflow.transfer.pool import Sessions
from palletflow.transfer.session import Session
from palletflow.transfer.sftp import SftpServer


class Target(NamedTuple):
    """One depot's way to the file server: its settings and the sessions that all threads share."""

    settings: UploadSettings
    sessions: Sessions


# Gives a depot's target; the handler's own connection to the order store is for looking whether it is flagged.
# Raises Misconfigured, AuthFailed, ConnectionFlagged, NetworkError.
Uploads = Callable[[Connection, str], Target]


def sessions(checked: UploadSettings, place: Callable[[], AbstractContextManager[Any]] = nullcontext) -> Sessions:
    """The sessions of this process with a server; `place`: each one's place among those of all processes."""
    return Sessions(partial(_open, checked), checked.upload_connections, place)


def _open(checked: UploadSettings) -> Session:
    if isinstance(checked.server, SftpServer):
        return sftp.open_session(checked.server)
    assert isinstance(checked.server, FtpServer), "there are two"
    return ftp.open_session(checked.server)
