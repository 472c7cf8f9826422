"""Dates and times as the wire writes them (section 1.3)."""

from datetime import datetime

from palletflow.simulation.clock import LONDON


def day_of(instant: datetime) -> str:
    """``yyyy-MM-dd`` in Europe/London. Such texts sort as days do."""
    return instant.astimezone(LONDON).date().isoformat()


def time_of(instant: datetime) -> str:
    """``HH:mm`` in Europe/London."""
    return f"{instant.astimezone(LONDON):%H:%M}"


def stamp(instant: datetime, *, wall: bool) -> str:
    """ISO 8601 to the second: in UTC with its offset, or as ``wall`` time of Europe/London without one."""
    if wall:
        return instant.astimezone(LONDON).replace(tzinfo=None).isoformat(timespec="seconds")
    return instant.isoformat(timespec="seconds")
