"""Service levels, time windows, working days and the cut-off (contract 5.1, 5.2, 5.4). Pure: the time is passed in."""

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import NamedTuple
from zoneinfo import ZoneInfo

from palletflow.orders.calendar import SATURDAY

SPECIFIC_DAY = "SD"
BEFORE_NOON, TIMED, BOOK_IN = "AM", "TD", "BI"
WINDOWS = (BEFORE_NOON, TIMED, BOOK_IN)
NOON = time(12)
DAY, TIME = re.compile("[0-9]{4}-[0-9]{2}-[0-9]{2}"), re.compile("[0-9]{2}:[0-9]{2}")


class Service(NamedTuple):
    """What an order asks for: level, time windows (at most one makes sense), and whether it goes to Amazon."""

    level: str
    windows: tuple[str, ...]
    for_amazon: bool

    @property
    def window(self) -> str:
        """The window it is sent with, "" for none; Amazon is booked in whatever the order says [NX-5-21]."""
        return BOOK_IN if self.for_amazon else self.windows[0] if self.windows else ""

    @property
    def key(self) -> str:
        """As the template's table of services names it: A, or A+TD [NX-5-2]."""
        return "+".join(filter(None, (self.level, self.window)))

    def is_among(self, listed: Collection[str]) -> bool:
        """Whether a list names it by level, window or both."""
        return not {self.level, self.window, self.key}.isdisjoint(listed)


class Window(NamedTuple):
    """When on its day a delivery may come; None where nothing is said."""

    start: time | None
    end: time | None


@dataclass(frozen=True)
class Calendar:
    """The template's `holidays` and `lead_days` (working days by level)."""

    holidays: frozenset[date]
    lead_days: Mapping[str, int]

    def is_working_day(self, day: date) -> bool:
        """Monday to Friday, and no holiday [NX-5-4]."""
        return day.weekday() < SATURDAY and day not in self.holidays

    def next_working_day(self, day: date) -> date:
        """The first one after `day`."""
        day += timedelta(days=1)
        while not self.is_working_day(day):
            day += timedelta(days=1)
        return day

    def earliest_delivery(self, level: str, collection: date) -> date:
        """The first day a level can deliver what is collected then; Specific Day any later day [NX-5-3, NX-5-4]."""
        if level not in self.lead_days:
            return collection + timedelta(days=1)
        day = collection
        for _ in range(self.lead_days[level]):
            day = self.next_working_day(day)
        return day


@dataclass(frozen=True)
class Cutoff:
    """The template's `cutoff`: from this wall time on, collections today and on the next day are closed."""

    time: time
    zone: ZoneInfo
    next_is_working_day: bool
    calendar: Calendar

    def earliest_collection(self, now: datetime) -> date:
        """The first day that can still be asked for at `now` [NX-5-12, NX-5-13]."""
        local = now.astimezone(self.zone)
        today = local.date()
        if local.time() < self.time:
            return today
        tomorrow = today + timedelta(days=1)
        following = self.calendar.next_working_day(today) if self.next_is_working_day else tomorrow
        return following + timedelta(days=1)


def chosen(service: str, surcharges: Sequence[str], amazon_extra: str) -> Service:
    """What an order's service and surcharges mean; surcharges that are neither window nor Amazon do not count."""
    return Service(service, tuple(code for code in surcharges if code in WINDOWS), amazon_extra in surcharges)


def delivery_date(
    service: Service, collection: date, ordered: date | None, booked: date | None, calendar: Calendar
) -> date | None:
    """The day to deliver, as far as the service fixes one [NX-2.4-9].

    `ordered`: the order's delivery date, which counts for Specific Day. `booked`: of a booking in; without one that
    delivery has no day yet.
    """
    if service.window == BOOK_IN and (booked or service.level != SPECIFIC_DAY):
        return booked
    if service.level == SPECIFIC_DAY:
        return ordered
    return calendar.earliest_delivery(service.level, collection)


def window(service: Service, start: time | None, end: time | None, booked: time | None) -> Window:
    """Between which times to deliver [NX-2.4-10, NX-5-5 to NX-5-7]. `start`, `end`: of the delivery stop."""
    match service.window:
        case "AM":
            return Window(None, NOON)
        case "BI" if booked:
            return Window(booked, booked)
        case "TD" | "BI":
            return Window(start, end)
    return Window(None, None)


def read_day(text: str) -> date | None:
    """A day written YYYY-MM-DD; None when it is not."""
    try:
        return date.fromisoformat(text) if DAY.fullmatch(text) else None
    except ValueError:
        return None


def read_time(text: str) -> time | None:
    """A time of day written HH:MM; None when it is not."""
    try:
        return time.fromisoformat(text) if TIME.fullmatch(text) else None
    except ValueError:
        return None
