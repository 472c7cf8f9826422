"""Dates and times as the wire writes them (section 1.2): local to the network, without a zone."""

from datetime import UTC, datetime

from palletflow.simulation.clock import LONDON, read_instant


def from_local(day: str, time: str) -> datetime:
    """The instant of ``yyyy-mm-dd`` and ``HH:MM[:SS]``. Raises ValueError."""
    return read_instant(f"{day}T{time}")


def from_epoch(seconds: str) -> datetime:
    """The instant of epoch seconds. Raises ValueError and OverflowError."""
    return datetime.fromtimestamp(int(seconds), UTC)


def day_of(instant: datetime) -> str:
    """``yyyy-mm-dd``; such texts sort as days do."""
    return instant.astimezone(LONDON).date().isoformat()


def minute_of(instant: datetime) -> str:
    """``HH:MM``."""
    return f"{instant.astimezone(LONDON):%H:%M}"


def second_of(instant: datetime) -> str:
    """``HH:MM:SS``."""
    return f"{instant.astimezone(LONDON):%H:%M:%S}"
