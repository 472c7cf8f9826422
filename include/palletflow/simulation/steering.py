"""Control paths that all simulated networks have, and how such paths read what they are given.

Instants are ISO 8601; without an offset they are Europe/London. Whatever makes no sense raises ValueError with a
sentence.
"""

import re
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any, Protocol

from .application import Body
from .clock import Clock, read_instant

# Most things that one request makes.
_MOST_AT_ONCE = 100_000
_YEAR_S = 366 * 86_400


class Steered(Protocol):
    """What a simulation must offer to be steered."""

    seed: int
    clock: Clock

    def reset(self, *, seed: int | None = None, now: datetime | None = None) -> None:
        """Begin again as on the first day, or with another seed or frozen at another instant from now on."""

    def catch_up(self) -> None:
        """Let everything happen that is due by the clock's time."""


class Ordered(Protocol):
    """Faults in waiting."""

    def order(self, body: Body) -> None: ...
    def clear(self) -> None: ...
    def waiting(self) -> list[Body]: ...


def reset(simulation: Steered, body: Body) -> Body:
    """``POST reset``: begin again: start data, defaults, no faults, no records, the first clock.

    ``{"seed": number, "now": instant}`` begins with that seed, or frozen at that instant, from this reset on. Answer:
    ``{"seed", "now", "frozen"}``.
    """
    known(body, "seed", "now")
    seed = body.get("seed")
    if seed is not None and type(seed) is not int:
        raise ValueError("seed must be a whole number")
    simulation.reset(seed=seed, now=instant(body, "now") if "now" in body else None)
    return {"seed": simulation.seed, **_time(simulation)}


def clock(simulation: Steered, body: Body) -> Body:
    """``POST clock``: move time forward; ``{}`` just looks.

    ``{"now": instant}`` stands still there, ``{"advance_s": seconds}`` moves on (a running clock goes on running),
    ``{"run": true}`` runs with real time from where it stands. Answer: ``{"now": instant in UTC, "frozen": bool}``.
    """
    known(body, "now", "advance_s", "run")
    if len(body) > 1:
        raise ValueError("Give one of now, advance_s and run")
    if "now" in body:
        simulation.clock.freeze(instant(body, "now"))
    elif "advance_s" in body:
        seconds = body["advance_s"]
        if type(seconds) not in (int, float) or not 0 <= seconds <= _YEAR_S:
            raise ValueError("advance_s must be a number of seconds, at most a year")
        simulation.clock.advance(timedelta(seconds=seconds))
    elif "run" in body:
        if body["run"] is not True:
            raise ValueError("run must be true")
        simulation.clock.run()
    simulation.catch_up()
    return _time(simulation)


def faults(ordered: Ordered, body: Body, *keys: str) -> Body:
    """``POST faults``: order one with ``keys``, clear them all (``{"clear": true}``), or (``{}``) just look.

    Answer: ``{"waiting": [the faults still to strike]}``.
    """
    if "clear" in body:
        known(body, "clear")
        if body["clear"] is not True:
            raise ValueError("clear must be true")
        ordered.clear()
    elif body:
        known(body, *keys)
        ordered.order(body)
    return {"waiting": ordered.waiting()}


# Reading a body


def known(body: Iterable[str], *names: str) -> None:
    """Refuse a body or a query with other keys than these."""
    for name in body:
        if name not in names:
            raise ValueError(f"There is no key {name!r} here; the keys are: {', '.join(names) or 'none'}")


def one_of(body: Body, name: str, allowed: Any, default: Any = None) -> Any:
    """The value of a key as ``value_of`` reads it; ``default`` when it is not given."""
    return value_of(body, name, allowed) if name in body else default


def value_of(body: Body, name: str, allowed: Any) -> Any:
    """The value of a key. ``allowed``: its form (a pattern), its type or types, or all values there are."""
    given = body[name]
    if isinstance(allowed, re.Pattern):
        good = isinstance(given, str) and allowed.fullmatch(given) is not None
    else:
        options = (allowed,) if isinstance(allowed, type) else tuple(allowed)
        if not isinstance(options[0], type):
            if given not in options:
                raise ValueError(f"{name} must be one of: {', '.join(map(str, options))}")
            return given
        # To Python true and false are numbers.
        good = isinstance(given, options) and (not isinstance(given, bool) or bool in options)
    if not good:
        raise ValueError(f"{name} cannot be {given!r}")
    return given


def instant(body: Body, name: str) -> datetime:
    """The value of a key as an instant in UTC."""
    try:
        return read_instant(body[name])
    except (TypeError, ValueError):
        raise ValueError(f"{name} must be an ISO 8601 instant such as 2026-07-13T09:45:00+01:00") from None


def skip(query: Mapping[str, str]) -> int:
    """How many entries of a list that ends after so many are to be left out, by the query's ``offset`` (0)."""
    text = query.get("offset", "0")
    if not (text.isascii() and text.isdigit() and len(text) < 10):
        raise ValueError("offset must be a whole number from 0")
    return int(text)


def creation_times(simulation: Steered, body: Body) -> list[datetime]:
    """When the consignments that a body orders are created.

    One at ``at`` (now); or ``count`` of them, to 100,000, evenly over ``from`` (a day ago) <= creation < ``to`` (now).
    """
    now = simulation.clock.now()
    if "count" not in body:
        if "from" in body or "to" in body:
            raise ValueError("from and to go with count; one consignment has at")
        listed = [instant(body, "at") if "at" in body else now]
    else:
        count = body["count"]
        if "at" in body:
            raise ValueError("at is for one consignment; count goes with from and to")
        if type(count) is not int or not 1 <= count <= _MOST_AT_ONCE:
            raise ValueError(f"count must be a whole number from 1 to {_MOST_AT_ONCE}")
        end = instant(body, "to") if "to" in body else now
        start = instant(body, "from") if "from" in body else end - timedelta(days=1)
        if start >= end:
            raise ValueError("to must be after from")
        listed = [start + (end - start) * i / count for i in range(count)]
    if listed[-1] > now:
        raise ValueError("A consignment cannot be created later than the simulator's clock")
    return listed


def _time(simulation: Steered) -> Body:
    return {"now": simulation.clock.now().isoformat(), "frozen": simulation.clock.frozen}
