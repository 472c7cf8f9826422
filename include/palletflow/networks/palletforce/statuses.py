"""What Palletforce's statuses mean (contract 2.3, 3 and 5). Pure: the tables are data in the template's `statuses`."""

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from palletflow.intake.folding import fold
from palletflow.networks.palletforce import barcodes, wire
from palletflow.networks.palletforce.settings import Settings
from palletflow.orders.consignment import Role
from palletflow.orders.lifecycle import Outcome, Reason, Status
from palletflow.orders.tracking import Event, StopEffect

# What is stored of an element: more no status has, and a hostile one shall not fill the order store.
RAW_FIELDS, RAW_LONGEST = 40, 500
LONGEST = {"eventcode": 20, "barcode": 60, "depot": 20, "signatory": 100, "note": 500, "latitude": 20, "longitude": 20}
# Times as other systems write them, in the form that Python reads: date and time of day.
DATES = (
    (re.compile(r"(\d{4})(\d\d)(\d\d)"), r"\1-\2-\3"),
    (re.compile(r"(\d\d)/(\d\d)/(\d{4})"), r"\3-\2-\1"),
)
CLOCKS = (
    (re.compile(r"(\d\d)(\d\d)"), r"\1:\2"),
    (re.compile(r"(\d\d)(\d\d)(\d\d)"), r"\1:\2:\3"),
    (re.compile(r"(\d):(\d\d(?::\d\d)?)"), r"0\1:\2"),
)
MOMENTS = (
    (re.compile(r"(\d{4})(\d\d)(\d\d)T?(\d\d)(\d\d)"), r"\1-\2-\3T\4:\5"),
    (re.compile(r"(\d{4})(\d\d)(\d\d)T?(\d\d)(\d\d)(\d\d)"), r"\1-\2-\3T\4:\5:\6"),
    (re.compile(r"(\d\d)/(\d\d)/(\d{4})[ T]+(\d\d:\d\d(?::\d\d)?)"), r"\3-\2-\1T\4"),
)


class Code(NamedTuple):
    """A row of the template's `statuses.codes`. `rank` orders what happened at the same time."""

    name: str
    rank: int
    status: Status
    reason: Reason | None
    outcome: Outcome | None
    needs: frozenset[str]
    ends: bool


class Rules:
    """The template's section `statuses` together with the connection's settings."""

    def __init__(self, section: Mapping[str, Any], settings: Settings) -> None:
        self.codes = {
            code: Code(
                row["name"],
                int(row["rank"]),
                Status(row["status"]),
                Reason(row["reason"]) if "reason" in row else None,
                Outcome(row["outcome"]) if "outcome" in row else None,
                frozenset(row.get("needs", ())),
                row.get("ends", False),
            )
            for code, row in section["codes"].items()
        }
        self.section = section
        self.worst_first: list[str] = section["worst_first"]
        self.same_code = settings.all_barcodes_rule == "same_code"
        self.echo_window = timedelta(seconds=settings.echo_window_s)
        self.derives_loading = settings.derive_delv
        self.local_time = settings.local_time

    def effects_of(self, roles: Collection[str]) -> Mapping[str, Mapping[str, list[str]]]:
        """The stops that statuses move, and the codes that do; none where both legs are ours [PF-5-17, PF-5-18]."""
        legs = [role for role in (Role.COLLECTING, Role.DELIVERY) if role in roles]
        if len(legs) > 1:
            return {}
        effects: Mapping[str, Mapping[str, list[str]]] = self.section["status_effects"].get(
            legs[0] if legs else Role.REQUESTING, {}
        )
        return effects

    def order(self, event: Event) -> tuple[datetime, int, int, str]:
        """Sorts by time, then by the rank of the code; of outcomes of one moment the worst is last [PF-5-20]."""
        known = self.codes.get(event.code)
        return event.at, known.rank if known else len(self.codes), -self._severity(event.code), event.barcode

    def worst(self, events: Iterable[Event]) -> Event:
        """The event whose code is the worst outcome [PF-5-14]."""
        return min(events, key=lambda event: self._severity(event.code))

    def _severity(self, code: str) -> int:
        return self.worst_first.index(code) if code in self.worst_first else len(self.worst_first)


class Read(NamedTuple):
    """What became of an answer's elements: events in the order they came, and what is wrong with the others."""

    events: list[Event]
    faults: list[str]


def read(
    elements: Sequence[Any],
    tracking_number: str,
    *,
    rules: Rules,
    aliases: Mapping[str, str],
    known: Mapping[str, int],
    now: datetime,
) -> Read:
    """The elements of one consignment's `trackingData` as events. A bad element stops no other.

    `known`: pallet number by barcode, as far as the order store has them. `now` is when the answer was read.
    """
    events: list[Event] = []
    faults: list[str] = []
    for position, element in enumerate(elements, 1):
        folded = fold(element, aliases)
        if not isinstance(folded, dict):
            faults.append(f"trackingData element {position} is no status")
            continue
        texts = {name: _storable(value) for name, value in folded.items() if isinstance(value, str)}
        number = texts.get("trackingnumber", "")
        if number and number != tracking_number:
            faults.append(f"trackingData element {position} is of consignment '{number}', not of {tracking_number}")
            continue
        parts = {name: texts.get(name, "")[:longest] for name, longest in LONGEST.items()}
        code, barcode = parts["eventcode"].upper(), parts["barcode"]
        if not code:
            faults.append(f"trackingData element {position} has no eventCode")
            continue
        at = moment(texts, rules.local_time)
        if at is None and any(texts.get(name) for name in ("eventdatetime", "eventdate", "eventtime")):
            faults.append(f"trackingData element {position} ({code}) has a time that is none; taken as without a time")
        meaning = rules.codes.get(code)
        events.append(
            Event(
                code=code,
                status=meaning.status if meaning else Status.UNKNOWN,
                reason=meaning.reason if meaning else None,
                barcode=barcode,
                pallet=pallet_of(barcode, tracking_number, known),
                # What has no time keeps the order of the list [PF-2.3-8].
                at=at or now + timedelta(microseconds=position),
                estimated=at is None,
                depot=parts["depot"],
                signatory=parts["signatory"],
                note=parts["note"],
                latitude=parts["latitude"],
                longitude=parts["longitude"],
                echo=False,
                raw=dict(list(texts.items())[:RAW_FIELDS]),
            )
        )
    return Read(events, faults)


def moment(texts: Mapping[str, str], local_time: wire.LocalTime) -> datetime | None:
    """When a status happened, from `eventdatetime` or from `eventdate` and `eventtime`; None without a time.

    [PF-2.3-7] ISO with or without an offset, YYYYMMDDHHMM[SS], dd/MM/yyyy HH:mm[:ss].
    """
    text = texts.get("eventdatetime", "")
    if not text and texts.get("eventdate"):
        day, clock = _rewritten(texts["eventdate"], DATES), _rewritten(texts.get("eventtime", ""), CLOCKS)
        text = f"{day}T{clock}" if clock else day
    if not text:
        return None
    # A zone may stand behind a space, and Python reads no more than six digits of a second.
    text = re.sub(r"(\.\d{6})\d+", r"\1", re.sub(r" (?=[+-]\d\d:?\d\d$)", "", text))
    # As it stands first, for a connection whose own form is another; digits alone Python would take apart otherwise.
    for form in ([] if text.isdecimal() else [text]) + [_rewritten(text, MOMENTS)]:
        try:
            return local_time.read(form)
        except ValueError:
            continue
    return None


def _rewritten(text: str, forms: Iterable[tuple[re.Pattern[str], str]]) -> str:
    for form, iso in forms:
        if form.fullmatch(text):
            return form.sub(iso, text)
    return text


def _storable(text: str) -> str:
    """A text that Postgres takes: no NUL, no half of a character."""
    if not text.isprintable():
        text = "".join(sign if sign.isprintable() else " " for sign in text).strip()
    return text[:RAW_LONGEST]


def pallet_of(barcode: str, tracking_number: str, known: Mapping[str, int]) -> int | None:
    """The pallet a barcode stands for, also one we have not seen yet [PF-3-13]; None for another shape [PF-3-17]."""
    if barcode in known:
        return known[barcode]
    parts = barcodes.read(barcode)
    return parts.pallet if parts and parts.tracking_number == tracking_number else None


class News(NamedTuple):
    """What an answer tells beyond what is stored: new events, and stored ones without a time that now have one."""

    events: list[Event]
    timed: list[Event]


def news(held: Iterable[Event], heard: Iterable[Event]) -> News:
    """Leaves out what is stored already [PF-2.3-9]: equal in barcode, code and time; without a time in those two."""
    timed: set[tuple[str, str, datetime]] = set()
    untimed: set[tuple[str, str, datetime]] = set()
    for event in held:
        (untimed if event.estimated else timed).add((event.barcode, event.code, event.at))
    estimated = {key[:2] for key in untimed}
    seen = estimated | {key[:2] for key in timed}
    found = News([], [])
    for event in sorted(heard, key=lambda event: event.estimated):
        key = event.barcode, event.code
        if event.estimated:
            if key not in seen:
                found.events.append(event)
        elif (*key, event.at) not in timed:
            (found.timed if key in estimated else found.events).append(event)
            estimated.discard(key)
            timed.add((*key, event.at))
        seen.add(key)
    return found


def is_echo(event: Event, told: Iterable[Event], rules: Rules) -> bool:
    """Whether we told the network this ourselves [PF-5-19]. Times as on the wire, where an hour of autumn is twice."""
    return any(
        event.code == one.code
        and (
            event.barcode == one.barcode or not one.barcode or (event.pallet is not None and event.pallet == one.pallet)
        )
        and (event.estimated or rules.local_time.apart(event.at, one.at) <= rules.echo_window)
        for one in told
    )


def effects(
    events: Iterable[Event], pallets: Collection[int], roles: Collection[str], rules: Rules
) -> dict[str, StopEffect]:
    """What the statuses of a consignment do to its stops by our role: all of them anew from all of its statuses.

    `events`: everything read so far, in any order; `pallets`: the numbers of the pallets it has. [PF-5-13..17, PF-5-20]
    """
    by_pallet = _by_pallet((event for event in events if not event.echo), pallets, rules)
    found = {}
    for stop, kinds in rules.effects_of(roles).items():
        arrived, completed = (_fired(by_pallet, kinds.get(kind, []), rules) for kind in ("arrived", "completed"))
        if arrived or completed:
            found[stop] = _effect(arrived, completed, by_pallet, rules)
    return found


def _by_pallet(events: Iterable[Event], pallets: Collection[int], rules: Rules) -> dict[int, list[Event]]:
    """The events of each pallet in order; those without a barcode are of every pallet [PF-2.3-4]."""
    ordered = sorted(events, key=rules.order)
    return {pallet: [event for event in ordered if not event.barcode or event.pallet == pallet] for pallet in pallets}


def _fired(by_pallet: Mapping[int, list[Event]], codes: Collection[str], rules: Rules) -> dict[int, Event]:
    """The latest event of each pallet with one of the codes; {} unless every pallet has one."""
    latest = {
        pallet: next((event for event in reversed(events) if event.code in codes), None)
        for pallet, events in by_pallet.items()
    }
    had = {pallet: event for pallet, event in latest.items() if event is not None}
    if len(had) < len(by_pallet) or (rules.same_code and len({event.code for event in had.values()}) > 1):
        return {}
    return had


def _effect(
    arrived: Mapping[int, Event], completed: Mapping[int, Event], by_pallet: Mapping[int, list[Event]], rules: Rules
) -> StopEffect:
    arrived_at = max((event.at for event in arrived.values()), default=None)
    if not completed:
        return StopEffect(arrived_at, None, None, "", "")
    worst = rules.worst(completed.values())
    is_open = any(_is_reopened(event, by_pallet[pallet], rules) for pallet, event in completed.items())
    signatories = [event.signatory for event in sorted(completed.values(), key=rules.order) if event.signatory]
    return StopEffect(
        arrived_at,
        max(event.at for event in completed.values()),
        None if is_open else rules.codes[worst.code].outcome,
        "" if is_open else worst.note,
        signatories[-1] if signatories else "",
    )


def _is_reopened(ending: Event, events: list[Event], rules: Rules) -> bool:
    """Whether a delivery that failed is tried again [PF-5-16]."""
    reopened = rules.section["reopened"]
    later = events[events.index(ending) + 1 :]
    return ending.code in reopened["after"] and any(event.code in reopened["by"] for event in later)


def ended_at(events: Iterable[Event], pallets: Collection[int], rules: Rules) -> datetime | None:
    """Since when there is nothing more to wait for: every pallet ended with a code that `ends` it [PF-2.3-10]."""
    outcomes = {code for code, meaning in rules.codes.items() if meaning.outcome}
    by_pallet = _by_pallet(events, pallets, rules)
    endings = [next((event for event in reversed(of) if event.code in outcomes), None) for of in by_pallet.values()]
    found = [event.at for event in endings if event is not None and rules.codes[event.code].ends]
    return max(found) if found and len(found) == len(by_pallet) else None


class Routing(NamedTuple):
    """What barcodes are built from, as the network last told it; `at`: when it last changed it, if we know."""

    tracking_number: str
    delivery_depot: str
    service: str
    at: datetime | None


class Drift(NamedTuple):
    """What statuses say of barcodes: those the network uses, new ones of pallets of ours, older and foreign ones."""

    confirmed: list[str]
    adopted: list[tuple[int, str]]
    older: list[tuple[int, str]]
    foreign: list[str]


def drift(
    events: Iterable[Event],
    pallets: Collection[int],
    current: Mapping[int, str],
    known: Collection[str],
    routing: Routing,
    rules: Rules,
) -> Drift:
    """Compares the barcodes that statuses carry with ours [PF-3-14, PF-3-16, PF-3-17].

    `current`: our barcode by pallet; `known`: every barcode in the order store. The newest status of a pallet decides,
    unless the network changed the routing after it.
    """
    found = Drift([], [], [], [])
    carried: dict[int, list[str]] = {}
    newest: dict[int, Event] = {}
    for event in sorted(events, key=rules.order):
        if not event.barcode:
            continue
        pallet = event.pallet
        if pallet is not None and pallet in pallets and barcodes.read(event.barcode):
            carried.setdefault(pallet, []).append(event.barcode)
            newest[pallet] = event
        elif event.barcode not in known and event.barcode not in found.foreign:
            found.foreign.append(event.barcode)
    for pallet, event in sorted(newest.items()):
        ours = current.get(pallet)
        is_routed = ours in barcodes.of_pallets(
            routing.delivery_depot, routing.service, routing.tracking_number, max(pallets)
        )
        stays = event.barcode == ours or (is_routed and routing.at is not None and event.at <= routing.at)
        if not stays:
            found.adopted.append((pallet, event.barcode))
            ours = event.barcode
        if ours in carried[pallet]:
            found.confirmed.append(str(ours))
        found.older.extend((pallet, text) for text in dict.fromkeys(carried[pallet]) if text != ours)
    return Drift(found.confirmed, found.adopted, [one for one in found.older if one[1] not in known], found.foreign)
