"""Days as hauliers count them."""

from datetime import date, timedelta

SATURDAY = 5


def add_working_days(start: date, days: int) -> date:
    """The day a number of working days (Monday to Friday) after `start`; bank holidays count as working days."""
    day = start
    while days:
        day += timedelta(days=1)
        if day.weekday() < SATURDAY:
            days -= 1
    return day
