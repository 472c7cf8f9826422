"""What Palletways's status codes mean and do (contract 2.5, 4.1 and 4.2). Pure.

Which code means what is data in the template, under `status_map`. A code is of the whole consignment.
"""

import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from palletflow.networks.palletways import times
from palletflow.networks.palletways.notes import Pod
from palletflow.orders.consignment import Role, is_ours_throughout
from palletflow.orders.lifecycle import RANKS, Outcome, Reason, Status
from palletflow.orders.tracking import Event, StopEffect
from palletflow.store.network_notes import Note

# Where a code stands, in this order; a node of the last name that holds a `Code` is the answer's envelope [PW-2.5-2].
CODE_FIELDS = ("statuscode", "status_code", "status")
NAME_FIELDS = (*CODE_FIELDS, "statusdescription")
CODE = re.compile("0*([1-9][0-9]{0,5})")
LONGEST, LONGEST_DEPOT = 200, 20
# What completes a stop where others collect for us, and how far the goods must be: what came before may not be seen.
AS_DELIVERY = {"pickup": Status.COLLECTED, "delivery_depot": Status.AT_DELIVERY_DEPOT}
# How well the moment of a delivery is known: from its POD, from a POD without a time, from the status, as we saw it.
BASES = TO_THE_MINUTE, TO_THE_DAY, OF_STATUS, SEEN = "minute", "day", "status", "seen"


class Meaning(NamedTuple):
    """What a code means in our vocabulary."""

    status: Status
    reason: Reason | None


class Shown(NamedTuple):
    """The status that Palletways shows of a consignment. `at` None: it gives no time; `raw`: the texts it came as.

    `estimated`: of `at` only the day is known.
    """

    code: str
    at: datetime | None
    estimated: bool
    depot: str
    raw: Mapping[str, str]


class Delivery(NamedTuple):
    """When and to whom it was delivered; `basis` is one of BASES."""

    at: datetime
    basis: str
    signatory: str

    @property
    def estimated(self) -> bool:
        """Whether no POD says when it was [PW-4.2-3]."""
        return self.basis in (OF_STATUS, SEEN)


def meaning(code: str, status_map: Mapping[str, Mapping[str, str]]) -> Meaning:
    """What a code that completes no delivery means; UNKNOWN for what the template's `status_map` lacks."""
    row = status_map.get(code)
    if row is None or row["status"] == Status.DELIVERED:
        return Meaning(Status.UNKNOWN, None)
    return Meaning(Status(row["status"]), Reason(row["reason"]) if "reason" in row else None)


class Rules:
    """The template's `status_map`, the codes that complete a delivery, and the zone of Palletways's clocks."""

    def __init__(self, status_map: Mapping[str, Mapping[str, str]], completed: Iterable[int], zone: ZoneInfo) -> None:
        self._map = status_map
        self._by_name = {row["name"]: code for code, row in status_map.items()}
        self.completed = frozenset(map(str, completed))
        self.zone = zone

    def meaning(self, code: str) -> Meaning:
        """By number; only a completing code means delivered [PW-4.1-3]."""
        return Meaning(Status.DELIVERED, None) if code in self.completed else meaning(code, self._map)

    def is_known(self, code: str) -> bool:
        """Whether the map has it."""
        return code in self._map or code in self.completed

    def shown_as(self, code: str) -> str:
        """A code as a person knows it."""
        return f"{code} {self._map[code]['name']}" if code in self._map else code

    def code_named(self, name: str) -> str | None:
        """The code of exactly this name."""
        return self._by_name.get(name)


def shown(data: Any, rules: Rules) -> Shown | None:
    """Reads an answer about a consignment's status, of whatever shape [PW-2.5-1, PW-2.4-3].

    None when no code can be made out: then nothing is known, least of all that it was delivered [PW-2.5-2].
    """
    texts = list(_texts(data))
    code = _code(texts, rules)
    if code is None:
        return None
    found: dict[str, str] = {}
    for name, text in texts:
        found.setdefault(name, text)
    day, clock = times.read_day(found.get("statusdate", "")), times.read_time(found.get("statustime", ""))
    at = times.moment(day, clock, rules.zone) if day else None
    depot = found.get("deliverydepot", "") or found.get("for_depotnumber", "")
    return Shown(code, at, at is not None and clock is None, depot[:LONGEST_DEPOT], found)


def _code(texts: Sequence[tuple[str, str]], rules: Rules) -> str | None:
    for wanted in CODE_FIELDS:
        numbers = (CODE.fullmatch(text) for name, text in texts if name == wanted)
        number = next(filter(None, numbers), None)
        if number:
            return number[1]
    named = (rules.code_named(text) for wanted in NAME_FIELDS for name, text in texts if name == wanted)
    return next(filter(None, named), None)


def _texts(node: Any) -> Iterator[tuple[str, str]]:
    """Every text in a node with its name in lower case, what lies deeper last; the envelope's status left out."""
    deeper = []
    for key, value in node.items() if isinstance(node, Mapping) else ():
        name = str(key).casefold()
        for one in value if isinstance(value, list) else [value]:
            if isinstance(one, str):
                text = times.clean(one, LONGEST)
                if text:
                    yield name, text
            elif isinstance(one, Mapping) and not (name == "status" and "code" in map(str.casefold, map(str, one))):
                deeper.append(one)
    for one in deeper:
        yield from _texts(one)


def heard(shown: Shown | None, notes: Iterable[Note], rules: Rules, seen_at: datetime) -> list[Event]:
    """Everything that the status and the notes say, as events of all pallets, in the order it happened.

    A note tells of codes on the way. That the job is complete only the status itself says.
    """
    on_the_way = [
        _event(note.status_code, note.noted_at, rules, note=note.text, raw=note.raw)
        for note in notes
        if note.status_code and note.status_code not in rules.completed
    ]
    events = sorted(on_the_way, key=lambda event: event.at)
    if shown:
        at = seen_at if shown.at is None or (shown.estimated and shown.at > seen_at) else shown.at
        estimated = shown.at is None or shown.estimated
        events.append(_event(shown.code, at, rules, estimated=estimated, depot=shown.depot, raw=shown.raw))
    return events


def _event(
    code: str,
    at: datetime,
    rules: Rules,
    *,
    raw: Mapping[str, str],
    estimated: bool = False,
    depot: str = "",
    note: str = "",
) -> Event:
    meaning = rules.meaning(code)
    return Event(
        code=code,
        status=meaning.status,
        reason=meaning.reason,
        barcode="",
        pallet=None,
        at=at,
        estimated=estimated,
        depot=depot,
        signatory="",
        note=note,
        latitude="",
        longitude="",
        echo=False,
        raw=raw,
    )


def news(held: Sequence[Event], heard: Iterable[Event]) -> list[Event]:
    """Leaves out what is stored already: the same code at the same time, without a time the code that came last.

    `held`: in the order they were stored. Once it is complete a code that does not say so changes nothing any more: it
    is kept without a meaning [PW-4.1-4].
    """
    known = {(event.code, event.at) for event in held if not event.estimated}
    untimed = {event.code for event in held if event.estimated}
    last = held[-1].code if held else None
    is_complete = completion(held) is not None
    found = []
    for event in heard:
        if event.code == last if event.estimated else (event.code, event.at) in known:
            continue
        if event.status is Status.DELIVERED:
            is_complete = True
        elif is_complete:
            event = event._replace(status=Status.UNKNOWN, reason=None)
        # The order store keeps one event without a time for each code.
        found.append(event._replace(estimated=event.estimated and event.code not in untimed))
        known.add((event.code, event.at))
        untimed |= {event.code} if event.estimated else set()
        last = event.code
    return found


def completion(events: Iterable[Event]) -> Event | None:
    """The event that completed it, the first by time whose time is known; None while it is not complete."""
    delivered = [event for event in events if event.status is Status.DELIVERED]
    return min(delivered, key=lambda event: (event.estimated, event.at), default=None)


def delivery(pod: Pod | None, completed: Event, seen_at: datetime, rules: Rules) -> Delivery:
    """When and to whom it was delivered (4.2). `completed`: see completion(); `seen_at`: when that was first seen."""
    if pod and pod.time:
        return Delivery(times.moment(pod.day, pod.time, rules.zone), TO_THE_MINUTE, pod.signatory)
    if pod:
        # The status's time serves on that day; else its end, or when we saw it if that was before.
        fits = not completed.estimated and times.local_day(completed.at, rules.zone) == pod.day
        at = completed.at if fits else min(times.moment(pod.day, None, rules.zone), seen_at)
        return Delivery(at, TO_THE_DAY, pod.signatory)
    return Delivery(completed.at, SEEN if completed.estimated else OF_STATUS, "")


def effects(events: Sequence[Event], roles: Collection[str], delivered: Delivery | None) -> dict[str, StopEffect]:
    """What statuses do to the stops of a consignment by our role, all of it anew from all that were ever read.

    Where both legs are ours our own people say it all.
    """
    if not roles or is_ours_throughout(roles):
        return {}
    if Role.DELIVERY in roles:
        reached = {stop: _first(events, RANKS[least]) for stop, least in AS_DELIVERY.items()}
        return {stop: StopEffect(None, at, None, "", "") for stop, at in reached.items() if at}
    started = min((event.at for event in events if event.status is Status.OUT_FOR_DELIVERY), default=None)
    if delivered is None:
        return {"delivery": StopEffect(None, None, None, "", "", started)} if started else {}
    # A complete job may not be a clean delivery [PW-4.1-4]: without a POD how it ended stays open.
    outcome = None if delivered.estimated else Outcome.CLEAN
    return {"delivery": StopEffect(None, delivered.at, outcome, "", delivered.signatory, started)}


def _first(events: Iterable[Event], rank: int) -> datetime | None:
    return min((event.at for event in events if RANKS.get(event.status, 0) >= rank), default=None)
