"""The clock of a simulated network, its time zone and its working days."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

LONDON = ZoneInfo("Europe/London")


class Clock:
    """Gives the simulator's time, in UTC: frozen at an instant, or running with real time at an offset."""

    def __init__(self, frozen_at: datetime | None) -> None:
        """Freeze at ``frozen_at`` (aware), or run with real time when it is None."""
        self._frozen = None if frozen_at is None else aware(frozen_at)
        self._ahead = timedelta(0)

    @property
    def frozen(self) -> bool:
        return self._frozen is not None

    def now(self) -> datetime:
        return self._frozen if self._frozen is not None else datetime.now(UTC) + self._ahead

    def freeze(self, at: datetime) -> None:
        """Stand still at ``at``. Raises ValueError when that lies in the past: what was served cannot be unserved."""
        at = aware(at)
        if at < self.now():
            raise ValueError("The clock only moves forward; use /_sim/reset with now to go back")
        self._frozen = at

    def advance(self, by: timedelta) -> None:
        """Move on by ``by``; a running clock goes on running from there."""
        if by < timedelta(0):
            raise ValueError("The clock only moves forward; use /_sim/reset with now to go back")
        if self._frozen is None:
            self._ahead += by
        else:
            self._frozen += by

    def run(self) -> None:
        """Run with the speed of real time from wherever the clock stands."""
        if self._frozen is not None:
            self._ahead = self._frozen - datetime.now(UTC)
            self._frozen = None


def aware(instant: datetime) -> datetime:
    """Return ``instant`` in UTC. Raises ValueError when it has no offset."""
    if instant.tzinfo is None:
        raise ValueError("The simulator's clock needs a time with an offset")
    return instant.astimezone(UTC)


def read_instant(text: str) -> datetime:
    """An ISO 8601 text in UTC; without an offset it is Europe/London. Raises ValueError for any other text."""
    instant = datetime.fromisoformat(text)
    return aware(instant if instant.tzinfo else instant.replace(tzinfo=LONDON))


def add_working_days(day: date, days: int) -> date:
    """Count ``days`` Mondays to Fridays on from ``day``; 0 gives ``day`` itself, or the Monday after a weekend."""
    while day.weekday() >= 5:
        day += timedelta(days=1)
    for _ in range(days):
        day += timedelta(days=3 if day.weekday() == 4 else 1)
    return day
