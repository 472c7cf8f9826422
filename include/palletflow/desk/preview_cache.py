"""Previews for the pages of one web server process: a few are drawn at once, and what was drawn is kept for a while.

They are kept in memory and not in object storage: drawing one again takes a fifth of a second, and nothing has to be
cleaned up, found to be stale or restored.
"""

import logging
import threading
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import Future
from concurrent.futures import TimeoutError as StillUnderWay
from typing import NamedTuple

from palletflow.documents import previews
from palletflow.documents.child_process import ReaderBroken
from palletflow.documents.previews import Drawn

# Each may need a core and 300 MB; Airflow's own pages want theirs.
MOST_CHILDREN = 2
# So long a request waits for its turn or for the same preview that somebody else asked for.
WAIT_S = 10.0
MOST_BYTES = 64 * 1024 * 1024
THUMBNAIL, PREVIEW = 320, 1600
BUSY, BROKEN = "busy", "broken"

log = logging.getLogger(__name__)


class Asked(NamedTuple):
    """A page of a file, by the SHA-256 of its bytes, at most `side` pixels wide and high."""

    sha256: bytes
    side: int
    page: int


class PreviewCache:
    """Gives previews, drawing those it does not hold. May be asked by many threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._children = threading.BoundedSemaphore(MOST_CHILDREN)
        self._held: OrderedDict[Asked, Drawn] = OrderedDict()
        self._bytes = 0
        self._under_way: dict[Asked, Future[Drawn]] = {}

    def get(self, asked: Asked, media_type: str, read: Callable[[], bytes]) -> Drawn:
        """A preview; `read` gives the file's bytes if they are needed, and what it raises is raised here.

        What cannot be drawn has a fault: one of preview_child.FAULTS, and BUSY and BROKEN, which are not kept.
        """
        with self._lock:
            if found := self._held.get(asked):
                self._held.move_to_end(asked)
                return found
            other = self._under_way.get(asked)
            if other is None:
                mine = self._under_way[asked] = Future()
        if other is not None:
            try:
                return other.result(WAIT_S)
            except StillUnderWay:
                return Drawn(b"", 0, BUSY)
        try:
            drawn = self._draw(asked, media_type, read)
        except BaseException as error:
            mine.set_exception(error)
            raise
        else:
            mine.set_result(drawn)
            if drawn.fault not in (BUSY, BROKEN):
                self._keep(asked, drawn)
            return drawn
        finally:
            with self._lock:
                del self._under_way[asked]

    def _draw(self, asked: Asked, media_type: str, read: Callable[[], bytes]) -> Drawn:
        if media_type not in previews.PREVIEWED:
            return previews.draw(b"", media_type, asked.side)
        if not self._children.acquire(timeout=WAIT_S):
            return Drawn(b"", 0, BUSY)
        try:
            return previews.draw(read(), media_type, asked.side, asked.page)
        except (ReaderBroken, OSError):
            log.exception("Previews cannot be drawn")
            return Drawn(b"", 0, BROKEN)
        finally:
            self._children.release()

    def _keep(self, asked: Asked, drawn: Drawn) -> None:
        with self._lock:
            self._held[asked] = drawn
            self._bytes += _weight(drawn)
            while self._bytes > MOST_BYTES:
                _, gone = self._held.popitem(last=False)
                self._bytes -= _weight(gone)


def _weight(drawn: Drawn) -> int:
    """The bytes of an entry, with what surrounds it."""
    return len(drawn.png) + 1000


# One for the process: the desk and the customers' pages share what is drawn and how much of it at once.
PREVIEWS = PreviewCache()
