"""Photos of deliveries as Palletways has them (contract 5): when to look for them and how, which are new, what they are
called, who sees them. Pure functions.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from palletflow.documents import media
from palletflow.documents.fingerprints import Fingerprint, same
from palletflow.networks.palletways.settings import Settings

# The source of a document that came from Palletways; one of any other source is our own [PW-5-11, PW-6-4].
ORIGIN = "palletways photos"
# A delivery that we first see so late gets one attempt and no window [PW-5-15].
TOO_LATE = timedelta(hours=24)
# The clocks of machines differ: work that came due a moment early is due.
EARLY = timedelta(seconds=2)
# How long files that are no photos are kept, and nobody is alerted again of the same [PW-5-33].
KEPT_FOR = timedelta(days=30)
# Whether late checks look for what has photos already [PW-5-36].
ALL = "all"
EXACT = "exact"


class Schedule(NamedTuple):
    """When to look, counted from T0. The last of `window` closes it; `late` is empty unless the catch-up is on.

    `late_all`: late checks look for more where there are photos already.
    """

    window: tuple[timedelta, ...]
    late: tuple[timedelta, ...]
    late_all: bool


class Search(NamedTuple):
    """How far the search for a delivery's photos has come.

    `begun_at` is T0; `single`: one attempt is all. `attempted_at`: up to when attempts have covered the schedule, None
    before the first. `found`: any photo has come. `closed`: the last attempt of the window was made.
    """

    begun_at: datetime
    single: bool
    attempted_at: datetime | None = None
    found: bool = False
    closed: bool = False


class Attempt(NamedTuple):
    """An attempt that is due. `covers` the schedule up to that moment; `closes`: it is the last one of the window.

    `late`: it belongs to the catch-up, or to a delivery that was seen late, and can wait for what cannot.
    """

    covers: datetime
    closes: bool
    late: bool


def read_schedule(settings: Settings) -> Schedule:
    """The schedule of a connection [PW-5-4, PW-5-36]."""
    return Schedule(
        window=tuple(timedelta(minutes=minutes) for minutes in settings.photo_schedule_minutes),
        late=tuple(timedelta(hours=hours) for hours in settings.late_schedule) if settings.late_catch_up else (),
        late_all=settings.late_scope == ALL,
    )


def is_single(completed_at: datetime | None, seen_at: datetime, enabled_at: datetime) -> bool | None:
    """Whether a completed delivery that is first seen now gets but one attempt; None: none at all [PW-5-14, PW-5-15].

    `completed_at` None: nobody says when it was.
    """
    at = completed_at or seen_at
    return None if at < enabled_at else seen_at - at > TOO_LATE


def next_at(search: Search, schedule: Schedule) -> datetime | None:
    """When the next attempt is due; None when there is none left. Missed ones are one [PW-5-16]."""
    window = _window(search, schedule)
    if not search.closed:
        # Its end stays due until it has been closed, also when the schedule has become shorter meanwhile.
        return next((at for at in window if _is_ahead(search, at)), window[-1])
    if search.single or (search.found and not schedule.late_all):
        return None
    return next((at for pause in schedule.late if _is_ahead(search, at := search.begun_at + pause)), None)


def due(search: Search, schedule: Schedule, now: datetime) -> Attempt | None:
    """The attempt to make now; None when the next one is not due yet or none is left.

    It stands for all that were missed, and one that closes a window comes at its end or later [PW-5-16].
    """
    first = next_at(search, schedule)
    if first is None or first > now + EARLY:
        return None
    covers = max(first, now)
    closes = not search.closed and covers >= _window(search, schedule)[-1]
    return Attempt(covers, closes=closes, late=search.single or search.closed)


def reads_pod(search: Search, attempt: Attempt) -> bool:
    """Whether the notes are read again with an attempt: the first, the one that closes, late ones [PW-4.2-4]."""
    return search.attempted_at is None or attempt.closes or attempt.late


def asks_for_latest(search: Search, attempt: Attempt) -> bool:
    """Whether a window would close empty, so that the method for the latest image is asked once [PW-2.8-4]."""
    return attempt.closes and not search.single and not search.found


def fresh(fetched: Sequence[Fingerprint], known: Sequence[Fingerprint], how: str) -> list[int]:
    """Which of the photos of one file are new, by their place in it [PW-5-22, PW-5-24].

    Pictures with equal pixels are one. Of the others each fetched photo is paired with one known photo at the most, so
    photos of one file that look alike stay several. `how`: "near" or "exact".
    """
    first = {print_.exact: place for place, print_ in reversed(list(enumerate(fetched)))}
    held = {print_.exact for print_ in known}
    left = [place for place, print_ in enumerate(fetched) if first[print_.exact] == place and print_.exact not in held]
    if how == EXACT:
        return left
    free = [print_ for print_ in known if print_.exact not in first]
    pairs = _paired([[number for number, one in enumerate(free) if same(fetched[place], one, how)] for place in left])
    return [place for number, place in enumerate(left) if number not in pairs]


def file_name(tracking_id: str, number: int, media_type: str) -> str:
    """The name of a downloaded photo [PW-5-11]."""
    return f"{tracking_id}_photo_{number:02d}{media.ENDINGS[media_type][0]}"


def is_visible(customers: Mapping[str, Any], account: str, default: bool) -> bool:
    """Whether customers see the photos of an account's consignments; `customers` is the template's [PW-5-9]."""
    return bool(customers.get(account, {}).get("photos_visible", default))


def _window(search: Search, schedule: Schedule) -> list[datetime]:
    if search.single:
        return [search.begun_at]
    return [search.begun_at + pause for pause in schedule.window]


def _is_ahead(search: Search, at: datetime) -> bool:
    return search.attempted_at is None or at > search.attempted_at


def _paired(candidates: Sequence[Sequence[int]]) -> set[int]:
    """The places on the left that find a partner of their own, when as many as possible shall find one."""
    partners: dict[int, int] = {}

    def finds(left: int, tried: set[int]) -> bool:
        for right in candidates[left]:
            if right not in tried:
                tried.add(right)
                if right not in partners or finds(partners[right], tried):
                    partners[right] = left
                    return True
        return False

    return {left for left in range(len(candidates)) if finds(left, set())}
