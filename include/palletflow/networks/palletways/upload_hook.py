"""Turns Airflow connections of the types palletways_ftp, palletways_ftps and palletways_sftp into upload targets.

A depot's connection has the id palletways_upload_<depot>; its type decides the protocol (contract U12).
"""

import logging
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial

from palletflow.airflow import order_store
from palletflow.airflow.checked_hook import CheckedHook, usable
from palletflow.connection_settings import as_object
from palletflow.deployment import Deployment
from palletflow.network_errors import Misconfigured
from palletflow.networks.palletways import upload_settings
from palletflow.networks.palletways.upload_settings import UploadSettings
from palletflow.networks.palletways.upload_target import Target, Uploads, sessions
from palletflow.networks.palletways.work import NETWORK
from palletflow.store.connection import Connection, connect
from palletflow.transfer.ftp import FtpServer
from palletflow.transfer.pool import Sessions
from palletflow.work.budget import CallBudget
from palletflow.work.flagged import require_unflagged

CONNECTION = "palletways_upload_{depot}"
NO_CONNECTION = "there is no Airflow connection of this id; add it, or take photos_out out of the depot's capabilities"
IN_CLEAR = "Login, password and photos travel in clear: use FTPS or SFTP if the server has them."

log = logging.getLogger(__name__)


class UploadHook(CheckedHook):
    """A Palletways file server through one Airflow connection, of whichever of the three types."""

    conn_name_attr = "upload_conn_id"
    default_conn_name = "palletways_upload_default"

    def __init__(self, upload_conn_id: str = default_conn_name) -> None:
        super().__init__()
        self.upload_conn_id = upload_conn_id

    def settings(self) -> UploadSettings:
        """The connection, checked. Raises Misconfigured, AirflowNotFoundException."""
        found = self.get_connection(self.upload_conn_id)
        return upload_settings.parse(
            self.upload_conn_id,
            found.conn_type,
            found.host,
            found.port,
            found.login,
            found.password,
            as_object(self.upload_conn_id, found.extra),
        )

    def get_conn(self) -> Sessions:
        """Sessions of this process alone. Raises Misconfigured, AirflowNotFoundException."""
        return sessions(self.settings())

    def test_connection(self) -> tuple[bool, str]:
        """See CheckedHook; says also whether photos are uploaded at all, and what travels in clear."""
        passed, said = super().test_connection()
        if not passed:
            return passed, said
        checked = self.settings()
        since = checked.upload_enabled_at
        on = f"Photos added from {since.isoformat()} on are uploaded." if since else f"Uploads are off: {checked.note}."
        return True, " ".join(filter(None, (self.works, on, IN_CLEAR if _is_in_clear(checked) else "")))


class PalletwaysFtpHook(UploadHook):
    """Uploads over plain FTP."""

    conn_type = upload_settings.FTP
    hook_name = "Palletways uploads (FTP)"
    works = "The server accepts the login and has the folder."


class PalletwaysFtpsHook(UploadHook):
    """Uploads over FTP with explicit TLS."""

    conn_type = upload_settings.FTPS
    hook_name = "Palletways uploads (FTPS)"
    works = "The server's certificate is good; it accepts the login and has the folder."


class PalletwaysSftpHook(UploadHook):
    """Uploads over SFTP."""

    conn_type = upload_settings.SFTP
    hook_name = "Palletways uploads (SFTP)"
    works = "The server's key is the known one; it accepts the login and has the folder."


@contextmanager
def uploading(plan: Deployment) -> Iterator[Uploads]:
    """Opens every depot's way to its file server for handlers of work items, whose threads cannot ask Airflow.

    All processes together have no more sessions with a server than its connection allows. A connection that is wrong
    stops only its own depot.
    """
    targets: dict[str, Target] = {}
    wrong: dict[str, str] = {}
    with ExitStack() as stack:
        names = {depot: CONNECTION.format(depot=depot) for depot in plan.network(NETWORK).depots}
        readers = {depot: UploadHook(name).settings for depot, name in names.items()}
        for depot, checked in usable(readers, wrong, NO_CONNECTION):
            _say(checked)
            budget = stack.enter_context(
                CallBudget(partial(connect, order_store.dsn()), names[depot], checked.upload_connections)
            )
            targets[depot] = Target(checked, stack.enter_context(sessions(checked, budget.call)))

        def uploads(conn: Connection, depot: str) -> Target:
            if depot in wrong:
                raise Misconfigured(CONNECTION.format(depot=depot), "Settings", wrong[depot])
            target = targets[depot]
            require_unflagged(conn, target.settings.connection, target.sessions.check)
            return target

        yield uploads


def _is_in_clear(checked: UploadSettings) -> bool:
    return isinstance(checked.server, FtpServer) and not checked.server.tls


def _say(checked: UploadSettings) -> None:
    if not checked.upload_enabled_at:
        log.warning("Connection %s uploads nothing: %s", checked.connection, checked.note)
    if _is_in_clear(checked):
        log.warning("Connection %s: %s", checked.connection, IN_CLEAR)
