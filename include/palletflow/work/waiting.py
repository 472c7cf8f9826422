"""When work that waits for something else looks again: seldom, and together, as a look costs a run. Pure functions."""

from datetime import datetime, timedelta

LONGEST = timedelta(days=1)


def together(now: datetime, every: timedelta) -> datetime:
    """The next moment at which everything that waits so comes due, so that one run looks after all of it."""
    midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
    return midnight + ((now - midnight) // every + 1) * every


def as_long_again(now: datetime, since: datetime, least: timedelta) -> datetime:
    """After as long as it has waited already, `least` at least and a day at most.

    For what may never happen: what has waited for weeks is not looked after by the minute.
    """
    return now + min(max(now - since, least), LONGEST)
