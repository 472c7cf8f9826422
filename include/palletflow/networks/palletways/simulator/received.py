"""Files that came in over the file servers: one store behind FTP, FTPS and SFTP, shared with the network.

A file server calls ``put`` when a transfer has ended (whole, or broken off: with what had arrived), ``rename`` and
``remove`` when told to, and reads with ``get`` and ``names``. What is finished, that is lies under a name without the
temporary suffix, is handed to the network by ``published``, which shows it as pages of ``podimages`` (section 8).
"""

import re
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from .switches import Switches

TEMPORARY = ".part"
_STRICT = re.compile(r"\d{6,14}_\d+\.(jpe?g|png|tiff?|pdf)(\.part)?", re.IGNORECASE)
_TRACKING_ID = re.compile(r"(\d{6,14})_")
_FOREIGN = b"a file of another source"
# A simulator left running must not fill the memory.
_KEPT = 5_000


@dataclass(frozen=True)
class File:
    """An uploaded file. ``user``: the login it came by; ``set_aside``: its name speaks of no known consignment."""

    user: str
    name: str
    data: bytes
    received_at: datetime
    set_aside: bool = False

    @property
    def finished(self) -> bool:
        return not self.name.endswith(TEMPORARY)

    @property
    def tracking_id(self) -> str:
        """The tracking ID at the beginning of the name; "" when there is none."""
        match = _TRACKING_ID.match(self.name)
        return match[1] if match else ""


class Received:
    """Files by upload user and name. Threads may share it.

    Switches that act here: ``truncate_stored`` (what is put loses so many bytes at its end), ``name_taken`` (these
    names are there already, by another source), ``strict_names`` (``accepts``), ``consume_after_s`` (finished files
    disappear from ``get`` and ``names``; ``all`` and ``finished`` keep them). The others are the servers' business, by
    ``switches``.
    """

    def __init__(
        self,
        switches: Switches,
        *,
        now: Callable[[], datetime],
        knows: Callable[[str], bool],
        published: Callable[[File], None],
        replaced: Callable[[File], None],
    ) -> None:
        """``knows``: whether a tracking ID is known; ``published`` is told every finished file, ``replaced`` every
        finished file that another one took the place of.
        """
        self.switches = switches
        self._now = now
        self._knows = knows
        self._published = published
        self._replaced = replaced
        self._lock = threading.RLock()
        self._files: dict[tuple[str, str], File] = {}
        self._kept: deque[File] = deque(maxlen=_KEPT)

    def clear(self) -> None:
        with self._lock:
            self._files.clear()
            self._kept.clear()

    def accepts(self, name: str) -> bool:
        """Whether a file may be written under, or renamed to, this name (``strict_names``)."""
        return not self.switches.is_on("strict_names") or _STRICT.fullmatch(name) is not None

    def put(self, user: str, name: str, data: bytes) -> File:
        """Store a file, replacing one of that name."""
        lost = self.switches["truncate_stored"]
        kept = data[: max(0, len(data) - int(lost))] if lost else data
        with self._lock:
            return self._enter(File(user, name, kept, self._now()))

    def get(self, user: str, name: str) -> File | None:
        """The file as the server sees it now; None = there is none."""
        with self._lock:
            found = self._files.get((user, name))
            if found is not None and not self._taken_away(found):
                return found
            if name in self.switches["name_taken"]:
                return File(user, name, _FOREIGN, self._now())
            return None

    def names(self, user: str) -> list[str]:
        """The names the server lists for a user, in alphabetical order."""
        with self._lock:
            own = {name for (owner, name), file in self._files.items() if owner == user and not self._taken_away(file)}
            return sorted(own | set(self.switches["name_taken"]))

    def rename(self, user: str, old: str, new: str, *, overwrite: bool = False) -> File:
        """Give a file another name. Raises FileNotFoundError, and FileExistsError unless it may ``overwrite``."""
        with self._lock:
            found = self.get(user, old)
            if found is None:
                raise FileNotFoundError(old)
            if not overwrite and self.get(user, new) is not None:
                raise FileExistsError(new)
            self._files.pop((user, old), None)
            return self._enter(replace(found, name=new, received_at=self._now()))

    def remove(self, user: str, name: str) -> None:
        """Raises FileNotFoundError."""
        with self._lock:
            if self.get(user, name) is None or self._files.pop((user, name), None) is None:
                raise FileNotFoundError(name)

    def all(self) -> list[File]:
        """Every file that lies there, finished or not, whether or not the server has taken it away since."""
        with self._lock:
            return list(self._files.values())

    def finished(self) -> list[File]:
        """Every file that was ever finished, in order, also those removed or replaced since: the newest 5,000."""
        with self._lock:
            return list(self._kept)

    def _enter(self, file: File) -> File:
        file = replace(file, set_aside=file.finished and not self._knows(file.tracking_id))
        before = self._files.get((file.user, file.name))
        if before is not None and before.finished:
            self._replaced(before)
        self._files[file.user, file.name] = file
        if file.finished:
            self._kept.append(file)
            self._published(file)
        return file

    def _taken_away(self, file: File) -> bool:
        after = self.switches["consume_after_s"]
        return after is not None and file.finished and self._now() >= file.received_at + timedelta(seconds=after)
