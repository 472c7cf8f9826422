"""What Nexus's statuses mean and do (contract 2.8, 7.5, 8.1, 8.2 and the inbound part of 10).

Pure: which name means what is data in the template, under `status_map`.
"""

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import date, datetime, time, timedelta
from typing import Any, NamedTuple

from palletflow.networks.nexus import wire
from palletflow.networks.nexus.record import Reply
from palletflow.networks.nexus.times import ZONE, Formats
from palletflow.orders.consignment import Role, is_ours_throughout
from palletflow.orders.lifecycle import Outcome, Reason, Status
from palletflow.orders.progress import SEVERITY
from palletflow.orders.tracking import Event, StopEffect

# More than this no status has, and a hostile one shall not fill the order store.
LONGEST = {
    "id": 20, "name": 100, "status_id": 20, "at": 40, "depot": 20, "barcode": 60, "signatory": 100, "note": 500,
}  # fmt: skip
# So far apart on the clock, what we read is still what we told [NX-8-27]; times may have lost their seconds.
ECHO_WINDOW = timedelta(seconds=60)
LAST_MINUTE = time(23, 59)
# What moves a stop, by our role [NX-8-2, NX-8-4, NX-8-5, NX-8-6].
AS_DELIVERY = {"pickup": {"completed": Status.COLLECTED}, "delivery_depot": {"completed": Status.AT_DELIVERY_DEPOT}}
AS_OTHERS = {"delivery": {"started": Status.OUT_FOR_DELIVERY, "completed": Status.DELIVERED}}
# How a delivery ended, by what was unclean about it; for anything else EXCEPTION.
OUTCOMES = {None: Outcome.CLEAN, Reason.DAMAGED: Outcome.DAMAGED}


class Meaning(NamedTuple):
    """What a name means in our vocabulary."""

    status: Status
    reason: Reason | None


class Rules:
    """The template's sections `status_map` and `history`, and how times are written."""

    def __init__(self, sections: Mapping[str, Any], formats: Formats) -> None:
        table = sections["status_map"]
        self._exact = {_folded(name): row for name, row in table["exact"].items()}
        self._patterns = [(re.compile(row["find"], re.IGNORECASE), row) for row in table["patterns"]]
        self.history: Mapping[str, Sequence[str]] = sections["history"]
        self.formats = formats

    def meaning(self, name: str, *, at_delivery_depot: bool = False) -> Meaning:
        """By name and never by id, without regard to case: the exact one, else the first pattern [NX-8-14]."""
        folded = _folded(name)
        row = self._exact.get(folded) or next((row for find, row in self._patterns if find.search(folded)), None)
        if row is None:
            return Meaning(Status.UNKNOWN, None)
        status = Status(row["at_delivery_depot"] if at_delivery_depot and "at_delivery_depot" in row else row["status"])
        reason = Reason(row["reason"]) if "reason" in row else None
        return Meaning(status, reason or (Reason.OTHER if status is Status.EXCEPTION else None))

    def moment(self, text: str) -> datetime | None:
        """A moment as Nexus writes it; None for what is none."""
        try:
            return self.formats.read_moment(text) if text else None
        except ValueError:
            return None

    def day(self, text: str) -> date | None:
        """A day as Nexus writes it; None for what is none."""
        try:
            return self.formats.read_day(text) if text else None
        except ValueError:
            return None

    def time_of_day(self, text: str) -> time | None:
        """A time of day as Nexus writes it; None for what is none."""
        try:
            return self.formats.read_time(text) if text else None
        except ValueError:
            return None


def same_name(one: str, other: str) -> bool:
    """Whether two names are one status of Nexus's."""
    return _folded(one) == _folded(other)


def _folded(name: str) -> str:
    return " ".join(name.casefold().split())


class Read(NamedTuple):
    """What became of a history's rows: events in the order they came, and what is wrong with the others."""

    events: list[Event]
    faults: list[str]


def nameless(rows: Iterable[Mapping[str, Any]], rules: Rules) -> set[int]:
    """The ids of statuses that came without their name."""
    ids = {
        wire.text(wire.first_of(row, rules.history["status_id"]))
        for row in rows
        if not wire.text(wire.first_of(row, rules.history["name"]))
    }
    return {int(id_) for id_ in ids if re.fullmatch("[0-9]{1,18}", id_)}


def read(
    rows: Iterable[Mapping[str, Any]],
    *,
    rules: Rules,
    names: Mapping[int, str],
    pallets: Mapping[str, int],
    delivery_depot: str,
    now: datetime,
) -> Read:
    """The rows of one consignment's history as events. A bad row stops no other.

    `names`: of the ids that came without one. `pallets`: pallet number by barcode, as far as the order store knows
    them. `now` is when the history was read.
    """
    events: list[Event] = []
    faults: list[str] = []
    for position, row in enumerate(rows, 1):
        texts = {field: _storable(wire.first_of(row, paths), field) for field, paths in rules.history.items()}
        id_ = texts["status_id"]
        name = texts["name"] or (names.get(int(id_), "") if re.fullmatch("[0-9]{1,18}", id_) else "")
        if not name and not id_:
            faults.append(f"Row {position} of the status history has no status")
            continue
        at = rules.moment(texts["at"])
        if at is None and texts["at"]:
            faults.append(f"Row {position} of the status history has a time that is none ({texts['at']})")
        depot = texts["depot"].upper()
        meaning = rules.meaning(name, at_delivery_depot=depot != "" and depot == delivery_depot.upper())
        events.append(
            Event(
                code=name or f"status {id_}",
                status=meaning.status,
                reason=meaning.reason,
                barcode=texts["barcode"],
                pallet=pallets.get(texts["barcode"]),
                # What has no time keeps the order of the history.
                at=at or now + timedelta(microseconds=position),
                estimated=at is None,
                depot=depot,
                signatory=texts["signatory"],
                note=texts["note"],
                latitude="",
                longitude="",
                echo=False,
                raw={field: text for field, text in texts.items() if text},
            )
        )
    return Read(events, faults)


def _storable(value: Any, field: str) -> str:
    """A scalar as text that Postgres takes: no NUL, no half of a character."""
    text = wire.text(value)
    if not text.isprintable():
        text = "".join(sign if sign.isprintable() else " " for sign in text).strip()
    return text[: LONGEST[field]]


def shown(reply: Reply, rules: Rules, now: datetime) -> Event | None:
    """The status that a consignment itself shows, as an event of all its pallets; None when it shows none.

    Its time is delDateTime or colDate when that fits the status, else `now`, when it was read [NX-2.8-2].
    """
    name = _storable(reply.status_name, "name")
    if not name:
        return None
    meaning = rules.meaning(name)
    return Event(
        code=name,
        status=meaning.status,
        reason=meaning.reason,
        barcode="",
        pallet=None,
        at=_moment_of(meaning.status, reply, rules, now),
        estimated=False,
        depot="",
        signatory="",
        note="",
        latitude="",
        longitude="",
        echo=False,
        raw={"name": name},
    )


def _moment_of(status: Status, reply: Reply, rules: Rules, now: datetime) -> datetime:
    if status is Status.DELIVERED:
        return rules.moment(reply.text("delivered_at")) or now
    day = rules.day(reply.text("collected_on")) if status is Status.COLLECTED else None
    # A day has no time: at its end at the latest, and not after we saw it.
    return min(now, rules.formats.moment_of(day, LAST_MINUTE)) if day else now


def changed(held: Sequence[Event], now_shown: Event | None) -> list[Event]:
    """What a consignment shows, unless that is the last we heard of it. `held`: as they were stored [NX-2.8-2]."""
    if now_shown is None or (held and same_name(held[-1].code, now_shown.code)):
        return []
    return [now_shown]


def news(held: Iterable[Event], heard: Iterable[Event]) -> list[Event]:
    """Leaves out what is stored already: equal in barcode, name and time, without a time in those two [NX-7-18]."""
    keys = {_key(event) for event in held}
    named = {key[:2] for key in keys}
    found = []
    for event in heard:
        key = _key(event)
        if key in keys or (event.estimated and key[:2] in named):
            continue
        keys.add(key)
        named.add(key[:2])
        found.append(event)
    return found


def _key(event: Event) -> tuple[str, str, datetime | None]:
    return event.barcode, event.code, None if event.estimated else event.at


def is_echo(event: Event, told: Iterable[Event], *, timed: bool) -> bool:
    """Whether we told Nexus this ourselves [NX-8-27]. `timed`: the event's time is Nexus's and not our guess."""
    return any(
        same_name(event.code, one.code) and (not timed or event.estimated or _apart(event.at, one.at) <= ECHO_WINDOW)
        for one in told
    )


def _apart(one: datetime, other: datetime) -> timedelta:
    """How far apart two moments read on the clock: without offsets, an hour of autumn is read as the earlier one."""
    readings = [moment.astimezone(ZONE).replace(tzinfo=None) for moment in (one, other)]
    return abs(readings[0] - readings[1])


def effects(events: Iterable[Event], pallets: Collection[int], roles: Collection[str]) -> dict[str, StopEffect]:
    """What statuses do to a consignment's stops by our role: all of it anew, from all that were ever read.

    `events` in any order; `pallets`: the numbers of the pallets it has. [NX-8-2, NX-8-4, NX-8-5, NX-8-6, NX-8-10..12]
    """
    if is_ours_throughout(roles) or not roles:
        return {}
    read = [event for event in events if not event.echo]
    found = {}
    for stop, moves in (AS_DELIVERY if Role.DELIVERY in roles else AS_OTHERS).items():
        started, completed = (
            everywhere(read, pallets, moves[what]) if what in moves else [] for what in ("started", "completed")
        )
        if started or completed:
            found[stop] = _effect(started, completed, [event for event in read if event.status is moves["completed"]])
    return found


def everywhere(events: Iterable[Event], pallets: Collection[int], status: Status) -> list[Event]:
    """The first event of each pallet with a status; [] unless every pallet has it [NX-8-11].

    One without a barcode is of all of them.
    """
    of_status = sorted((event for event in events if event.status is status), key=lambda event: event.at)
    firsts = [
        next((event for event in of_status if not event.barcode or event.pallet == pallet), None) for pallet in pallets
    ]
    had = [event for event in firsts if event is not None]
    return had if len(had) == len(firsts) else []


def since(events: Sequence[Event]) -> datetime | None:
    """When the last pallet came that far."""
    return max((event.at for event in events), default=None)


def _effect(started: Sequence[Event], completed: Sequence[Event], endings: Iterable[Event]) -> StopEffect:
    if not completed:
        return StopEffect(None, None, None, "", "", since(started))
    unclean = [event for event in completed if event.reason]
    worst = min(unclean, key=lambda event: SEVERITY.index(event.reason or Reason.OTHER), default=None)
    signatories = [event.signatory for event in sorted(endings, key=lambda event: event.at) if event.signatory]
    return StopEffect(
        arrived_at=None,
        completed_at=since(completed),
        outcome=OUTCOMES.get(worst.reason if worst else None, Outcome.EXCEPTION),
        reason=worst.note if worst else "",
        signatory=signatories[-1] if signatories else "",
        started_at=since(started),
    )


class Eta(NamedTuple):
    """Between when Nexus expects the delivery; `end` None when it does not say."""

    start: datetime
    end: datetime | None


def eta(reply: Reply, rules: Rules) -> Eta | None:
    """When the delivering depot expects to be there [NX-10-12]; None without a day and a time."""
    day = rules.day(reply.text("estimated_date"))
    start = rules.time_of_day(reply.text("estimated_time")) or rules.time_of_day(reply.text("window_from"))
    end = rules.time_of_day(reply.text("window_to"))
    if day is None or start is None:
        return None
    ends = rules.formats.moment_of(day, end) if end and end > start else None
    return Eta(rules.formats.moment_of(day, start), ends)


class Drift(NamedTuple):
    """What Nexus says of barcodes: those it uses, and new ones by pallet."""

    confirmed: list[str]
    adopted: dict[int, str]


def drift(listed: Sequence[str], pallets: Sequence[int], current: Mapping[int, str]) -> Drift:
    """Compares the barcodes that Nexus lists, one a pallet, with ours (`current`: by pallet) [NX-3-4].

    Nothing of it counts unless there are as many as pallets. Their order decides only where a pallet needs a new one.
    """
    if len(listed) != len(pallets) or len(set(listed)) != len(listed) or "" in listed:
        return Drift([], {})
    held = {current[pallet] for pallet in pallets if pallet in current}
    new = {pallet: barcode for pallet, barcode in zip(pallets, listed, strict=True) if barcode not in held}
    lacking = [pallet for pallet in pallets if current.get(pallet) not in listed]
    placed = {pallet: new[pallet] for pallet in lacking if pallet in new}
    others = [barcode for barcode in new.values() if barcode not in placed.values()]
    placed |= dict(zip((pallet for pallet in lacking if pallet not in placed), others, strict=True))
    return Drift(list(listed), placed)
