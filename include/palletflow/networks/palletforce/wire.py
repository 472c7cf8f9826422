"""Reading Palletforce's JSON leniently (contract 1.2) and writing its local times (contract 1.1). Pure functions."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from palletflow.intake.folding import fold, folded_key


class Unreadable(ValueError):
    """A body that is no JSON object."""


def parse(body: bytes) -> dict[str, Any]:
    """The body as a JSON object, untouched. Raises Unreadable."""
    try:
        content = json.loads(body, parse_int=_integer)
    except (ValueError, RecursionError) as error:
        raise Unreadable(f"no readable JSON ({error})") from error
    if not isinstance(content, dict):
        raise Unreadable("JSON, but no object")
    return content


def _integer(digits: str) -> int | str:
    # Python refuses to read numbers of thousands of digits; one absurd field must not make the body unreadable.
    return int(digits) if len(digits) < 20 else digits


def field(reply: Mapping[str, Any], name: str, aliases: Mapping[str, str]) -> Any:
    """A top-level field of an unfolded reply by its contract name; None when it is not there."""
    wanted = name.casefold()
    found = None
    for key, value in reply.items():
        folded = folded_key(key)
        if aliases.get(folded, folded) == wanted and _is_empty(found):
            found = value
    return found


def _is_empty(value: Any) -> bool:
    return value is None or value == [] or (isinstance(value, str) and not value.strip())


def succeeded(reply: Mapping[str, Any], aliases: Mapping[str, str]) -> bool:
    """Whether `success` is true, as boolean or as text in any case (1.2 item 3)."""
    return str(field(reply, "success", aliases)).strip().casefold() == "true"


def failure_texts(reply: Mapping[str, Any], aliases: Mapping[str, str]) -> list[str]:
    """Every reason a reply gives for failing, those of each refused element included (1.2 item 5)."""
    texts: list[str] = []
    for name in ("failedConsignments", "failedTracking"):
        for element in fold(field(reply, name, aliases) or [], aliases):
            if isinstance(element, dict):
                texts += _texts(element.get("failurereasons"))
    for name in ("failureReasons", "message", "errorMessage", "errors"):
        texts += _texts(fold(field(reply, name, aliases), aliases))
    return texts


def _texts(reasons: Any) -> list[str]:
    if isinstance(reasons, str):
        return [reasons] if reasons else []
    if isinstance(reasons, dict):
        return [str(reasons[name]) for name in ("message", "reason", "value") if reasons.get(name)][:1]
    if isinstance(reasons, list):
        return [text for reason in reasons if not isinstance(reason, list) for text in _texts(reason)]
    return []


class LocalTime:
    """The network's wall-clock times: written without an offset, in its zone (contract 1.1, local time)."""

    def __init__(self, zone: str, form: str) -> None:
        """`zone` is an IANA name, `form` a strftime form. Raises ZoneInfoNotFoundError."""
        self._zone, self._form = ZoneInfo(zone), form

    def read(self, text: str) -> datetime:
        """The moment a wall-clock time means; in the doubled autumn hour the earlier one. Raises ValueError."""
        try:
            moment = datetime.strptime(text, self._form)  # noqa: DTZ007 - the zone is added below
        except ValueError:
            moment = datetime.fromisoformat(text)
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=self._zone)
        try:
            return moment.astimezone(UTC)
        except OverflowError as error:  # the first or last day there is, in a zone that moves it over the edge
            raise ValueError(f"{text} is no time") from error

    def window(self, start: datetime, end: datetime) -> tuple[str, str]:
        """Wall-clock bounds, lower <= t < upper, that cover every wall-clock time within [start, end).

        When clocks go back inside or beside the window, the doubled hour is asked for whole: rather twice than never.
        """
        local_start, local_end = start.astimezone(self._zone), end.astimezone(self._zone)
        lower, upper = local_start.replace(tzinfo=None), local_end.replace(tzinfo=None)
        shift = self._turned_back(start, end)
        if shift:
            before, after = shift
            lower, upper = min(lower, after), max(upper, before)
        return lower.strftime(self._form), self._whole_second(upper).strftime(self._form)

    def apart(self, one: datetime, other: datetime) -> timedelta:
        """How far apart two moments read on the wall clock."""
        readings = [moment.astimezone(self._zone).replace(tzinfo=None) for moment in (one, other)]
        return abs(readings[0] - readings[1])

    def write(self, moment: datetime) -> str:
        """A moment as the network writes it."""
        return moment.astimezone(self._zone).strftime(self._form)

    def _turned_back(self, start: datetime, end: datetime) -> tuple[datetime, datetime] | None:
        """The wall-clock readings just before and just after clocks go back within the window, if they do."""
        # Clocks change on a quarter of an hour, everywhere.
        moment = start.astimezone(UTC).replace(minute=start.minute // 15 * 15, second=0, microsecond=0)
        while moment < end:
            before = moment.astimezone(self._zone)
            moment += timedelta(minutes=15)
            after = moment.astimezone(self._zone)
            if after.replace(tzinfo=None) - before.replace(tzinfo=None) < timedelta(0):
                return before.replace(tzinfo=None) + timedelta(minutes=15), after.replace(tzinfo=None)
        return None

    @staticmethod
    def _whole_second(moment: datetime) -> datetime:
        # The form has whole seconds; rounding the upper bound down would lose the last part of a second.
        return moment if not moment.microsecond else moment.replace(microsecond=0) + timedelta(seconds=1)
