"""How Palletways writes days, times and text (contract 1.2). Pure.

No answer says in which zone its times are: they are read in the connection's.
"""

from datetime import UTC, date, datetime, time
from zoneinfo import ZoneInfo

DAYS = ("%Y-%m-%d", "%d/%m/%y")
TIMES = ("%H:%M:%S", "%H:%M")
LAST_MINUTE = time(23, 59)
# No day of a consignment lies outside; systems write the first and last days there are for "none".
YEARS = range(2000, 2100)


def clean(text: str, longest: int) -> str:
    """A text that the order store takes: no control characters, no half of a character, and not without end."""
    if not text.isprintable():
        text = "".join(sign if sign.isprintable() else " " for sign in text)
    return text.strip()[:longest]


def read_day(text: str) -> date | None:
    """A day; None for what is none."""
    for form in DAYS:
        try:
            day = datetime.strptime(text, form).date()  # noqa: DTZ007 - a day has no zone
        except ValueError:
            continue
        return day if day.year in YEARS else None
    return None


def read_time(text: str) -> time | None:
    """A time of day; None for what is none."""
    for form in TIMES:
        try:
            return datetime.strptime(text, form).time()  # noqa: DTZ007 - nor has a time of day
        except ValueError:
            continue
    return None


def moment(day: date, clock: time | None, zone: ZoneInfo) -> datetime:
    """A day and a time of day there as a moment; without a time the last minute of the day."""
    return datetime.combine(day, clock or LAST_MINUTE, zone).astimezone(UTC)


def local_day(at: datetime, zone: ZoneInfo) -> date:
    """The day it is there."""
    return at.astimezone(zone).date()


def note_day(at: datetime, zone: ZoneInfo) -> str:
    """A day as createSystemNote takes it [PW-1.2-13]."""
    return at.astimezone(zone).strftime("%d/%m/%y")


def note_time(at: datetime, zone: ZoneInfo) -> str:
    """A time of day as createSystemNote takes it."""
    return at.astimezone(zone).strftime("%H:%M")
