"""The calls that read: list, get, history and lookups (sections 2.2, 2.3, 2.8 and 2.9)."""

import random
import re
from datetime import date
from typing import Any

from .consignment import Consignment
from .network import WINDOWS
from .replies import Refused, Reply, answer
from .traffic import one_more
from .wire import Request, lookup_name

_DEFAULT_LIMIT = 20
_FARTHEST_SHIFT = 5
_STATUS_STYLES = {"repeat": "statusid", "comma": "statusid", "brackets": "statusid[]"}


def listing(request: Request) -> Reply:
    """List consignments: filters combine with AND, both ends of a window are included."""
    simulation = request.simulation
    errors: dict[str, list[str]] = {}
    windows = tuple(
        (kind, _day(request, f"min{kind}date", errors), _day(request, f"max{kind}date", errors)) for kind in WINDOWS
    )
    ids = simulation.ids
    customer = _whole(request, "customerid", None, errors)
    type_ = _whole(request, "consignmenttypeid", None, errors)
    wanted = _statuses(request, errors)
    limit, offset = _paging(request, errors)
    if errors:
        raise Refused(400, errors)
    if request.struck_by("insert_row"):
        one_more(simulation.network, request.depot)
    term = request.text("searchterm").strip()
    found = simulation.network.search(
        request.depot,
        windows=tuple(window for window in windows if window[1] or window[2]),
        customer_id=customer,
        # An id that no row has finds nothing.
        type_=None if type_ is None else ids.named("consignmentTypes", type_) or "",
        statuses=None if wanted is None else frozenset(ids.named("consignmentStatuses", id_) or "" for id_ in wanted),
        term=term,
    )
    if term:
        simulation.violations.searched(term)
    if simulation.options["list_order"] == "shifting":
        found = _shifted(found, random.Random(f"{simulation.seed}|{request.number}"))
    if request.struck_by("repeat_row"):
        offset = max(0, offset - 1)
    rows = b"[" + b",".join(map(simulation.writer.row, found[offset : offset + limit])) + b"]"
    match simulation.options["list_envelope"]:
        case "wrapped":
            rows = b'{"total":%d,"items":%s}' % (len(found), rows)
        case "two_arrays":
            rows = b'{"warnings":[{"text":"sample"}],"consignments":%s}' % rows
    return Reply(200, rows)


def get(request: Request) -> Reply:
    """One consignment."""
    one = request.consignment()
    return answer(request.simulation.writer.full(one, routes=request.text("include").lower() == "routedetails"))


def history(request: Request) -> Reply:
    """Every status of a consignment in the order they came in."""
    return answer([request.simulation.writer.event(event) for event in request.consignment().events])


def lookups(request: Request) -> Reply:
    """A page of a lookup; ``searchTerm`` finds parts of names."""
    errors: dict[str, list[str]] = {}
    limit, offset = _paging(request, errors)
    if errors:
        raise Refused(400, errors)
    term = request.text("searchterm").strip().casefold()
    rows = request.simulation.ids.rows(lookup_name(request), request.depot)
    return answer([row for row in rows if term in row["name"].casefold()][offset : offset + limit])


def _paging(request: Request, errors: dict[str, list[str]]) -> tuple[int, int]:
    limit = _whole(request, "limit", _DEFAULT_LIMIT, errors) or _DEFAULT_LIMIT
    return min(limit, request.simulation.options["limit_max"]), _whole(request, "offset", 0, errors) or 0


def _whole(request: Request, name: str, default: int | None, errors: dict[str, list[str]]) -> int | None:
    text = request.text(name)
    if not text:
        return default
    if not re.fullmatch(r"[0-9]{1,9}", text):
        errors[name] = ["must be a whole number"]
        return default
    return int(text)


def _day(request: Request, name: str, errors: dict[str, list[str]]) -> str:
    text = request.text(name)
    try:
        return date.fromisoformat(text).isoformat() if text else ""
    except ValueError:
        errors[name] = ["must be yyyy-MM-dd"]
        return ""


def _statuses(request: Request, errors: dict[str, list[str]]) -> list[int] | None:
    """The wanted status ids as the present style reads them, None = all; another style goes unread."""
    style = request.simulation.options["array_style"]
    values = [value for name, value in request.query if name == _STATUS_STYLES[style]]
    if style == "comma" and values:
        values = values[0].split(",")
    if not all(re.fullmatch(r"[0-9]{1,9}", value) for value in values):
        errors["statusid"] = ["must be whole numbers"]
        return None
    return [int(value) for value in values] or None


def _shifted(found: list[Consignment], rng: random.Random) -> list[Consignment]:
    """Another order, in which no row is more than five places off."""
    places: list[tuple[Any, ...]] = [(place + rng.uniform(0, _FARTHEST_SHIFT), place) for place in range(len(found))]
    return [found[place] for _, place in sorted(places)]
