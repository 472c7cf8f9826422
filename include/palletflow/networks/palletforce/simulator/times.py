"""Local time as the wire writes it (section 1.1)."""

from datetime import UTC, date, datetime

from palletflow.simulation.clock import LONDON


def wire_time(instant: datetime) -> str:
    """``YYYY-MM-DDTHH:MM:SS``, Europe/London, no offset. Such texts sort as the wire sorts."""
    return instant.astimezone(LONDON).replace(tzinfo=None).isoformat(timespec="seconds")


def wire_date(day: date) -> str:
    """``YYYYMMDD``."""
    return day.strftime("%Y%m%d")


def from_wire_time(text: str) -> datetime:
    """Read ``YYYY-MM-DDTHH:MM:SS`` as Europe/London. Raises ValueError for any other form."""
    return datetime.strptime(text, "%Y-%m-%dT%H:%M:%S").replace(tzinfo=LONDON).astimezone(UTC)
