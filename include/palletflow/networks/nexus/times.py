"""Dates and times as Nexus writes and reads them (contract 1.3). Pure functions."""

from datetime import UTC, date, datetime, time
from zoneinfo import ZoneInfo

ZONE = ZoneInfo("Europe/London")
ISO = "iso"


class Formats:
    """The template's forms of a day, a time and a moment: strptime's, or for moments `iso`."""

    def __init__(self, date: str = "%Y-%m-%d", time: str = "%H:%M", datetime: str = ISO) -> None:
        self._date, self._time, self._moment = date, time, datetime

    def write_day(self, day: date) -> str:
        """A day as Nexus's filters and fields have it."""
        return day.strftime(self._date)

    def write_time(self, moment: time) -> str:
        """A time of day."""
        return moment.strftime(self._time)

    def write_moment(self, moment: datetime) -> str:
        """A moment, always with its offset, which is that of UTC [NX-1-7]."""
        in_utc = moment.astimezone(UTC)
        return in_utc.isoformat(timespec="seconds") if self._moment == ISO else in_utc.strftime(self._moment)

    def read_day(self, text: str) -> date:
        """A day; of a moment, its day in Nexus's zone. Raises ValueError."""
        try:
            return datetime.strptime(text, self._date).date()  # noqa: DTZ007 - a calendar day has no zone
        except ValueError:
            return self.local_day(self.read_moment(text))

    def read_time(self, text: str) -> time:
        """A time of day, with or without seconds. Raises ValueError."""
        try:
            return datetime.strptime(text, self._time).time()  # noqa: DTZ007 - a time of day has no zone
        except ValueError:
            return time.fromisoformat(text).replace(tzinfo=None)

    def read_moment(self, text: str) -> datetime:
        """The moment a text means, in UTC. Raises ValueError.

        Without an offset it is wall time in Nexus's zone, in the doubled autumn hour the earlier one [NX-1-6].
        """
        moment = datetime.fromisoformat(text) if self._moment == ISO else self._read_moment(text)
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=ZONE)
        try:
            # Whoever shows it or asks for its day does so in Nexus's zone.
            return moment.astimezone(ZONE).astimezone(UTC)
        except OverflowError as error:  # the first or last day there is, in a zone that moves it over the edge
            raise ValueError(f"{text} is no time") from error

    def _read_moment(self, text: str) -> datetime:
        try:
            return datetime.strptime(text, self._moment)  # noqa: DTZ007 - the zone is added by the caller
        except ValueError:
            return datetime.fromisoformat(text)

    def moment_of(self, day: date, of_day: time) -> datetime:
        """The moment of a wall time in Nexus's zone, in UTC."""
        return datetime.combine(day, of_day, ZONE).astimezone(UTC)

    def local_day(self, moment: datetime) -> date:
        """The day it is in Nexus's zone."""
        return moment.astimezone(ZONE).date()
