"""The plot of the last two days, worked out for the template: bars of each hour, one strip for each thing that happens.

Each strip has a scale of its own, because an import brings in an hour what is delivered in a week. Lengths are the
units of the drawing, which are pixels where the page is as wide as the drawing is meant for.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import NamedTuple
from zoneinfo import ZoneInfo

LONDON = ZoneInfo("Europe/London")
HOURS = 48
HOUR = timedelta(hours=1)
LEFT, STRIP, HEAD, AXIS, LABEL = 4, 44, 22, 22, 36


class Bar(NamedTuple):
    """An hour in which something happened; `said` tells it in words."""

    x: float
    y: float
    width: float
    height: float
    said: str


class Strip(NamedTuple):
    """One thing that happens: its name, how often in all, and in the fullest hour. `top` and `base` of its bars."""

    name: str
    total: int
    most: int
    top: float
    base: float
    bars: Sequence[Bar]


class Tick(NamedTuple):
    """A mark of the axis; `is_day`: where a day begins. Without a label where there is no room for it."""

    x: float
    label: str
    is_day: bool


class Plot(NamedTuple):
    """A drawing, and in words what it shows."""

    width: float
    height: float
    strips: Sequence[Strip]
    ticks: Sequence[Tick]
    said: str


def first_hour(now: datetime) -> datetime:
    """When the plot begins: its last hour is the one that has just begun."""
    return now.astimezone(UTC).replace(minute=0, second=0, microsecond=0) - (HOURS - 1) * HOUR


def drawn(
    hours: Mapping[tuple[datetime, str], int], names: Sequence[str], now: datetime, *, width: float, every: int
) -> Plot:
    """The plot of what happened by (hour, name), the names one below the other; `every` so many hours the axis says
    the time."""
    starts = [first_hour(now) + number * HOUR for number in range(HOURS)]
    step = (width - 2 * LEFT) / HOURS
    strips = []
    for position, name in enumerate(names):
        counts = [hours.get((start, name), 0) for start in starts]
        most = max(counts)
        base = (position + 1) * (HEAD + STRIP)
        bars = []
        for number, (start, count) in enumerate(zip(starts, counts, strict=True)):
            if count:
                # However few, they are to be seen.
                height = max(2.0, STRIP * count / most)
                said = f"{start.astimezone(LONDON):%a %-d %b %H:%M}: {count:,} {name}"
                bars.append(Bar(LEFT + number * step + 0.5, base - height, step - 1, height, said))
        strips.append(Strip(name, sum(counts), most, base - STRIP, base, bars))
    ticks = []
    for number, start in enumerate(starts):
        local = start.astimezone(LONDON)
        if local.hour % every == 0:
            label = f"{local:%a %-d}" if local.hour == 0 else f"{local:%H:%M}"
            x = LEFT + number * step
            ticks.append(Tick(x, label if x + LABEL < width else "", local.hour == 0))
    totals = ", ".join(f"{strip.total:,} {strip.name}, at most {strip.most:,} in an hour" for strip in strips)
    height = len(names) * (HEAD + STRIP) + AXIS
    return Plot(width, height, strips, ticks, f"Consignments of the last {HOURS} hours, hour by hour: {totals}.")
