"""Ways to call that the network has closed to us, remembered for a while so that they are not tried again (1.3)."""

import logging
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import NamedTuple

from palletflow.networks.palletways.methods import Way
from palletflow.store import alerts, lookup_cache
from palletflow.store.connection import Connection, ConnectionLost, DatabaseUnavailable
from palletflow.store.lookup_cache import Kept

UNAVAILABLE, REFUSED = "unavailable", "refused"
LASTS = {UNAVAILABLE: timedelta(hours=24), REFUSED: timedelta(hours=1)}

log = logging.getLogger(__name__)


class Closed(NamedTuple):
    """Why a way is closed, UNAVAILABLE or REFUSED, since when, and what the network said."""

    why: str
    since: datetime
    said: str


class ClosedMethods:
    """What one client remembers by itself."""

    def __init__(self, clock: Callable[[], datetime]) -> None:
        self._clock = clock
        self._known: dict[Way, Closed | None] = {}

    def get(self, way: Way) -> Closed | None:
        """Why a way is closed now; None when it is open as far as is known."""
        if way not in self._known:
            self._known[way] = self.recalled(way)
        closed = self._known[way]
        return closed if closed and self._clock() < closed.since + LASTS[closed.why] else None

    def close(self, way: Way, why: str, said: str) -> Closed:
        """Remembers it from now on."""
        closed = self._known[way] = Closed(why, self._clock(), said)
        self.remembered(way, closed)
        return closed

    def recalled(self, way: Way) -> Closed | None:
        """What others have remembered."""
        return None

    def remembered(self, way: Way, closed: Closed) -> None:
        """Tells others."""


class SharedClosedMethods(ClosedMethods):
    """What all processes remember of a connection, in the order store. Who finds a method refused raises an alert."""

    def __init__(
        self, open_connection: Callable[[], Connection], connection: str, clock: Callable[[], datetime]
    ) -> None:
        super().__init__(clock)
        self._open, self._connection = open_connection, connection

    def recalled(self, way: Way) -> Closed | None:
        """See ClosedMethods. Raises DatabaseUnavailable."""
        with self._open() as conn:
            kept = lookup_cache.read(conn, self._connection, _name(way))
        if kept is None or not kept.rows:
            return None
        return Closed(kept.rows[0]["why"], kept.read_at, kept.rows[0]["said"])

    def remembered(self, way: Way, closed: Closed) -> None:
        """See ClosedMethods. It is only a pity when the order store is away just then."""
        row = {"why": closed.why, "said": closed.said}
        try:
            with self._open() as conn:
                lookup_cache.write(conn, self._connection, _name(way), Kept([row], closed.since))
                if closed.why == REFUSED:
                    self._alert(conn, way, closed.said)
        except (DatabaseUnavailable, ConnectionLost):
            log.warning("%s: that %s is closed could not be kept", self._connection, _name(way), exc_info=True)

    def _alert(self, conn: Connection, way: Way, said: str) -> None:
        method, host = way
        message = (
            f"Palletways does not let the key of connection '{self._connection}' use {method} at {host}: {said}. What "
            "needs it does not work meanwhile. Ask Palletways to open the method to this key, or use another key."
        )
        subject = f"{method} is closed to {self._connection}"
        alerts.raise_alert(conn, subject, message, LASTS[REFUSED].total_seconds())


def _name(way: Way) -> str:
    return f"closed {way[0]}@{way[1]}"
