"""The small protocol that FTP, FTPS and SFTP are behind: look at a name, write a file, rename it, delete it."""

from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

CONNECT_S, IDLE_S = 15.0, 60.0


@dataclass(frozen=True)
class Server:
    """Where files go and who brings them. `connection` is the Airflow connection that errors name.

    `folder` is the one folder for all files; it is never made. Seconds: `connect_s` until it is reached, `idle_s` with
    no progress.
    """

    connection: str
    host: str
    port: int
    login: str
    password: str = field(default="", repr=False)
    folder: str = "/"
    connect_s: float = CONNECT_S
    idle_s: float = IDLE_S


class Found(NamedTuple):
    """Something stands under a name. `size` in bytes, None when the server cannot tell."""

    size: int | None


class Session(Protocol):
    """One login to a server, in its folder; names are plain names there.

    Every method raises Interrupted when the connection is gone, which makes the session `broken`, NotNow for what may
    pass, Refused for what will not.
    """

    # How many threads may use it at once.
    capacity: int
    # Not usable any more.
    broken: bool

    def look(self, name: str) -> Found | None:
        """What stands under the name; None when nothing does."""

    def write(self, name: str, data: bytes) -> Found | None:
        """Writes a file from its first byte, in place of one of that name; what then stands there."""

    def rename(self, name: str, new_name: str) -> Found | None:
        """Gives a file another name; what then stands there. SFTP refuses one that is taken, FTP may overwrite."""

    def delete(self, name: str) -> None:
        """Deletes a file; one that is not there is no fault."""

    def close(self) -> None:
        """Ends the login. Never raises."""
