"""What the connections say that photos are uploaded through (types palletways_ftp, _ftps and _sftp), checked.

A key is the one the contract (docs/contracts/palletways.md, section 6) names as extra `x`; what each is for: README.md
beside this module.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from palletflow import connection_settings
from palletflow.connection_settings import choice, matching, number, switch, whole, wrong
from palletflow.transfer import sftp
from palletflow.transfer.ftp import FtpServer
from palletflow.transfer.session import Server
from palletflow.transfer.sftp import SftpServer

TYPES = (FTP, FTPS, SFTP) = ("palletways_ftp", "palletways_ftps", "palletways_sftp")
PORTS = {FTP: 21, FTPS: 21, SFTP: 22}
AS_IS, JPEG = "as_is", "jpeg"
REQUIRED, BEST_EFFORT = "required", "best_effort"
TEMP, DIRECT = "temp", "direct"
LOWER, UPPER = "lower", "upper"
# Tracking ID and number must not run together: 1 + 12 and 11 + 2 would be one name.
NAME_TEMPLATE = (
    r"(?!.*\}\{n\}|.*\{n\}\{t)(?=.*\{tracking_id\})(?=.*\{n\})(?:[A-Za-z0-9_.-]|\{tracking_id\}|\{n\}|\{ext\})+"
)


@dataclass(frozen=True)
class UploadSettings:
    """A connection to a file server for one depot's photos. The fields below `server` are keys of its extra JSON.

    `upload_enabled_at`: photos added before are not uploaded; None is off. `note`: what is wrong with it, if that is
    why.
    """

    server: Server
    upload_enabled_at: datetime | None = None
    note: str = "upload_enabled_at is missing"
    upload_as: str = AS_IS
    upload_max_mib: float = 10
    name_template: str = "{tracking_id}_{n}.{ext}"
    name_start: int = 1
    name_pad: int = 0
    name_ext_case: str = LOWER
    temp_suffix: str = ".part"
    size_check: str = REQUIRED
    rename_mode: str = TEMP
    upload_connections: int = 2

    @property
    def connection(self) -> str:
        """The Airflow connection's id."""
        return self.server.connection


def parse(
    connection: str,
    conn_type: str,
    host: str | None,
    port: int | None,
    login: str | None,
    password: str | None,
    extra: Mapping[str, Any],
) -> UploadSettings:
    """Checks the parts of an Airflow connection. Raises Misconfigured, naming the field and what is wrong with it."""
    if conn_type not in TYPES:
        raise wrong(connection, f"its type is '{conn_type}', not one of {', '.join(TYPES)}")
    values = connection_settings.read_extra(connection, extra, {**READERS, **SERVER_READERS, **OF_TYPE[conn_type]})
    values.pop("no_host_key_check", None)
    since = _enabled_at(values.pop("upload_enabled_at", ""))
    given = {
        "connection": connection,
        "host": _filled(connection, host, "Host"),
        "port": port or PORTS[conn_type],
        "login": _filled(connection, login, "Login"),
        "password": password or "",
        "folder": values.pop("remote_dir", "/"),
        **{name: values.pop(name) for name in OF_TYPE[conn_type] if name in values},
    }
    if not (given["password"] or given.get("private_key")):
        raise wrong(connection, "the Password is empty")
    if set(f"{given['login']}{given['password']}") & set("\r\n\0"):
        raise wrong(connection, "Login or Password has a line break in it")
    server: Server
    server = SftpServer(**given) if conn_type == SFTP else FtpServer(tls=conn_type == FTPS, **given)
    return UploadSettings(server, **values, **since)


def _enabled_at(given: str) -> dict[str, Any]:
    """Since when photos are uploaded: a value that cannot be read switches uploads off and nothing else [PW-6-17]."""
    if not given:
        return {}
    try:
        moment = datetime.fromisoformat(given.strip())
    except ValueError:
        return {"note": f"upload_enabled_at '{given}' is no moment such as 2026-07-01T00:00:00+01:00"}
    if moment.tzinfo is None:
        return {"note": f"upload_enabled_at '{given}' has no offset such as +01:00"}
    return {"upload_enabled_at": moment, "note": ""}


def _filled(connection: str, value: str | None, called: str) -> str:
    text = (value or "").strip()
    if not text or not text.isprintable() or " " in text:
        raise wrong(connection, f"the {called} is empty or has a space in it")
    return text


# Readers


def _must_check(value: Any) -> bool:
    if switch(value):
        raise ValueError("the server's key is always checked; give its host_key")
    return False


def _host_key(value: Any) -> str:
    sftp.read_public_key(str(value))
    return str(value).strip()


READERS: Mapping[str, connection_settings.Reader] = {
    "upload_enabled_at": str,
    "upload_as": choice((AS_IS, JPEG)),
    "upload_max_mib": number(0.01, 25),
    "name_template": matching(NAME_TEMPLATE, "a name such as {tracking_id}_{n}.{ext}"),
    "name_start": whole(0, 1_000_000),
    "name_pad": whole(0, 9),
    "name_ext_case": choice((LOWER, UPPER)),
    "temp_suffix": matching(r"[A-Za-z0-9_.-]{1,16}", "an ending such as .part"),
    "size_check": choice((REQUIRED, BEST_EFFORT)),
    "rename_mode": choice((TEMP, DIRECT)),
    "upload_connections": whole(1, 16),
}
SERVER_READERS: Mapping[str, connection_settings.Reader] = {
    "remote_dir": matching(r"[^\0-\x1f\x7f]{1,200}", "the path of a folder"),
}
OF_TYPE: Mapping[str, Mapping[str, connection_settings.Reader]] = {
    FTP: {"active": switch},
    FTPS: {"active": switch, "ca_bundle": str},
    SFTP: {
        "host_key": _host_key,
        "private_key": lambda value: sftp.read_private_key(str(value)),
        "no_host_key_check": _must_check,
    },
}
