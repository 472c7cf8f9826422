"""The control paths under ``/_sim/`` (section 11.4): how a test or a demo steers the network. No part of the wire.

Every path takes and gives a JSON object; a POST without a body counts as ``{}``. A request that makes no sense is
answered 422 ``{"error": sentence}`` and changes nothing. Instants are ISO 8601; without an offset they are
Europe/London. Keys are optional unless said otherwise.
"""

import base64
import random
import re
from collections.abc import Callable
from dataclasses import fields
from datetime import datetime, timedelta
from typing import Any

from .consignment import Address, Consignment, Pallet
from .freight import ROLES, consignment
from .lookups import ATTACHMENT_TYPES, DELIVERY_SERVICES, INTERNATIONAL_TYPES, PALLET_BASES, PALLET_TYPES, STATUSES
from .members import CUSTOMERS, DEPOTS, NETWORKS, OUR_DEPOTS
from .samples import MEDIA, Media, sample
from .simulation import Simulation
from .times import read_instant

Body = dict[str, Any]

_MOST_AT_ONCE = 100_000
_MOST_SHOWN = 1_000
# Key of POST /_sim/consignments: field of the consignment it sets, and the values it may have.
_GIVEN: dict[str, tuple[str, Any]] = {
    "customerID": ("customer_id", tuple(CUSTOMERS)),
    "customerReference": ("reference", str),
    "originatingDepotCode": ("originating", tuple(DEPOTS)),
    "collectingDepotCode": ("collecting", tuple(DEPOTS)),
    "deliveryDepotCode": ("delivery", tuple(DEPOTS)),
    "deliveryService": ("delivery_service", DELIVERY_SERVICES),
    "collectionDate": ("collection_due", str),
    "dueDate": ("due", str),
    "startWindow": ("start_window", str),
    "endWindow": ("end_window", str),
    "estimatedDelDate": ("estimated_day", str),
    "estimatedDelTime": ("estimated_time", str),
    "descriptionOfGoods": ("goods", str),
    "limitedQuantities": ("limited", bool),
    "notes": ("notes", str),
    "overrides": ("overrides", dict),
    "absent": ("absent", list),
}
_ADDRESSES = {"colAddress": "pickup", "delAddress": "receiver"}
_PALLET = {
    "palletType": ("type", PALLET_TYPES + INTERNATIONAL_TYPES),
    "palletBase": ("base", PALLET_BASES),
    "length": ("length", (int, float)),
    "width": ("width", (int, float)),
    "height": ("height", (int, float)),
    "weight": ("weight", (int, float)),
    "doNotStack": ("do_not_stack", bool),
    "barcode": ("barcode", str),
}
_ADDING = ("depot", "role", "network", "consignmentNumber", "at", "count", "from", "to", "status", "pallets")
_FILTERS = ("consignmentID", "consignmentNumber", "customerReference")


def reset(simulation: Simulation, body: Body) -> Body:
    """``POST /_sim/reset``: begin again: start data, default options, no faults, no records, the first clock.

    ``{"seed": number, "now": instant}`` begins with that seed, or frozen at that instant, from this reset on. Only the
    option ``foreign_url`` stays. Answer: ``{"seed", "now", "frozen"}``.
    """
    _known(body, "seed", "now")
    seed = body.get("seed")
    if seed is not None and type(seed) is not int:
        raise ValueError("seed must be a whole number")
    simulation.reset(seed=seed, now=_instant(body, "now") if "now" in body else None)
    return {"seed": simulation.seed, "now": simulation.clock.now().isoformat(), "frozen": simulation.clock.frozen}


def clock(simulation: Simulation, body: Body) -> Body:
    """``POST /_sim/clock``: move time forward; ``{}`` just looks.

    ``{"now": instant}`` stands still there, ``{"advance_s": seconds}`` moves on (a running clock goes on running),
    ``{"run": true}`` runs with real time from where it stands. Answer: ``{"now": instant in UTC, "frozen": bool}``.
    """
    _known(body, "now", "advance_s", "run")
    if len(body) > 1:
        raise ValueError("Give one of now, advance_s and run")
    if "now" in body:
        simulation.clock.freeze(_instant(body, "now"))
    elif "advance_s" in body:
        seconds = body["advance_s"]
        if type(seconds) not in (int, float) or not 0 <= seconds <= 366 * 86_400:
            raise ValueError("advance_s must be a number of seconds, at most a year")
        simulation.clock.advance(timedelta(seconds=seconds))
    elif "run" in body:
        if body["run"] is not True:
            raise ValueError("run must be true")
        simulation.clock.run()
    simulation.catch_up()
    return {"now": simulation.clock.now().isoformat(), "frozen": simulation.clock.frozen}


def options(simulation: Simulation, body: Body) -> Body:
    """``POST /_sim/options``: ``{option: value, ...}``, all or none; ``{}`` just looks. Answer: all options.

    What there is, with defaults and meaning, stands in ``options.py``.
    """
    simulation.options.set(body)
    simulation.ids.shift = simulation.options["shift_ids"]
    simulation.network.rewrite()
    return simulation.options.all()


def faults(simulation: Simulation, body: Body) -> Body:
    """``POST /_sim/faults``: order a fault, clear them all (``{"clear": true}``), or (``{}``) just look.

    ``{"effect": name, "method": "*", "path": "*", "after": 0, "times": 1, "options": {...}}``. The path is that of the
    wire without ``v1/``, whatever its case: ``*`` stands for one part of it, ``**`` or a lone ``*`` for anything
    (``consignments`` list and create; ``consignments/*`` get and cancel; ``consignments**`` all of them and
    ``consignmentStatuses``; also ``files/*`` and ``optimize/etas``). ``times`` null = for ever. Effects and their
    options with defaults stand in ``faults.py``; ``accept`` true lets the network carry the request out, so that only
    the answer is lost. Answer: ``{"waiting": [the faults still to strike]}``.
    """
    if "clear" in body:
        _known(body, "clear")
        if body["clear"] is not True:
            raise ValueError("clear must be true")
        simulation.faults.clear()
    elif body:
        _known(body, "effect", "method", "path", "after", "times", "options")
        simulation.faults.order(body)
    return {"waiting": simulation.faults.waiting()}


def add(simulation: Simulation, body: Body) -> Body:
    """``POST /_sim/consignments``: create consignments as the portal or another depot would.

    - ``depot`` (PGD302) is one of ours, ``role`` what it is to the consignment: ``requesting``, ``collecting``,
      ``delivery`` or ``none`` (absent: drawn); ``network`` PALLEX or FORTEC (absent: drawn).
    - ``consignmentNumber`` (absent: the portal's next), ``at`` instant of creation (now; never later), ``status`` of
      all pallets since then (Booked).
    - ``pallets``: how many, or a list of pallet types or of ``{"palletType", "palletBase", "length", "width", "height",
      "weight", "doNotStack", "barcode"}``.
    - ``customerID``, ``customerReference``, ``originatingDepotCode``, ``collectingDepotCode``, ``deliveryDepotCode``,
      ``deliveryService`` (name), ``collectionDate``, ``dueDate``, ``startWindow``, ``endWindow``, ``estimatedDelDate``,
      ``estimatedDelTime``, ``descriptionOfGoods``, ``limitedQuantities``, ``notes``; ``colAddress`` and ``delAddress``:
      any of name, line1, line2, town, postcode, contact, telephone, email, country (name).
    - ``overrides``: ``{path: value}`` changes only what is served; ``absent``: paths not served at all. A path is names
      joined by dots (``network``, ``pallets.barcode``).
    - ``count`` (to 100,000): that many, evenly over ``from`` (a day ago) <= creation < ``to`` (now).

    Answer: ``{"created": n, "consignmentIDs": [...]}``.
    """
    _known(body, *_ADDING, *_GIVEN, *_ADDRESSES)
    simulation.catch_up()
    number, times = body.get("consignmentNumber"), _times(simulation, body)
    if number is not None and (not isinstance(number, str) or number in simulation.network.by_number or len(times) > 1):
        raise ValueError("consignmentNumber must be a text not known yet, for one consignment")
    status = _one_of(body, "status", STATUSES)
    # Everything that can be wrong is the same for all of them, so that trying one makes it all or none.
    _made(simulation, body, times[0], "TRIED")
    ids = []
    for at in times:
        made = _made(simulation, body, at, number or simulation.network.free_number())
        simulation.network.made += 1
        simulation.network.add(made)
        if status and status != "Booked":
            simulation.network.scan(made, status, at)
        ids.append(made.consignment_id)
    return {"created": len(ids), "consignmentIDs": ids}


def scan(simulation: Simulation, body: Body, one: Consignment) -> Body:
    """``POST /_sim/consignments/{id}/scan``: a status of a consignment.

    ``{"status": name (needed; a new one joins the lookup), "dateTime": instant (now), "depot": code, "signatory",
    "notes", "statusID": number shown instead of the lookup's}``. Without ``barcode`` or ``pallet`` (1, 2, ...) there is
    one event per pallet; ``"barcode": null`` is one event without barcode. Answer: ``{"events": [as the history shows
    them]}``.
    """
    _known(body, "status", "dateTime", "depot", "signatory", "notes", "statusID", "barcode", "pallet")
    name = body.get("status")
    if not isinstance(name, str) or not name:
        raise ValueError("status must be a text")
    texts = {key: _one_of(body, key, str) for key in ("depot", "signatory", "notes")}
    pallet = body.get("pallet")
    if pallet is not None and (type(pallet) is not int or not 1 <= pallet <= len(one.pallets)):
        raise ValueError("pallet must be the number of a pallet, from 1")
    barcodes = (
        [one.pallets[pallet - 1].barcode] if pallet else [_one_of(body, "barcode", str)] if "barcode" in body else None
    )
    simulation.ids.add_status(name)
    events = simulation.network.scan(
        one,
        name,
        _instant(body, "dateTime") if "dateTime" in body else simulation.clock.now(),
        barcodes=barcodes,
        status_id=_one_of(body, "statusID", int),
        **texts,
    )
    return {"events": [simulation.writer.event(event) for event in events]}


def attach(simulation: Simulation, body: Body, one: Consignment) -> Body:
    """``POST /_sim/consignments/{id}/attachments``: files as the delivering depot would add them.

    ``{"type": "POD", "media": "jpg" | "png" | "pdf" | "broken", "fileName": text, "content": base64 (absent: a sample),
    "at": instant from which it is there (now), "count": 1}``. Answer: ``{"attachments": [{"id", "sha256"}]}``.
    """
    _known(body, "type", "media", "fileName", "content", "at", "count")
    type_ = _one_of(body, "type", ATTACHMENT_TYPES) or "POD"
    media: Media = _one_of(body, "media", MEDIA) or "jpg"
    count = body.get("count", 1)
    if type(count) is not int or not 1 <= count <= 100:
        raise ValueError("count must be a whole number from 1 to 100")
    at = _instant(body, "at") if "at" in body else simulation.clock.now()
    encoded = _one_of(body, "content", str)
    given = None if encoded is None else base64.b64decode(encoded, validate=True)
    added = []
    for _ in range(count):
        place = sum(file.type == type_ for file in one.files) + 1
        name = _one_of(body, "fileName", str) or f"{one.number}_{type_}_{place:02d}.{media}"
        content = sample(type_, f"{one.number} {place}", media) if given is None else given
        added.append(simulation.network.attach(one, type_, name, content, at, "network"))
    return {"attachments": [{"id": file.file_id, "sha256": file.sha256} for file in added]}


def requests(simulation: Simulation, query: dict[str, str]) -> Body:
    """``GET /_sim/requests``: ``{"total": n, "requests": [...]}``, oldest first, the newest 5,000.

    A request: ``{"number", "method", "path": without v1, "query", "time": simulator's clock, "headers": names, "user",
    "status": null when no answer was sent, "fault": effect or null}``.
    """
    _known(query)
    return {"total": simulation.journal.total, "requests": simulation.journal.entries()}


def violations(simulation: Simulation, query: dict[str, str]) -> Body:
    """``GET /_sim/violations``: ``{"violations": [{"rule", "detail", "request": its number, "time"}]}``.

    Rules: rate, blind_post, echo_upload, bearer_on_foreign_host, network_mismatch, international_pallet.
    """
    _known(query)
    return {"violations": simulation.violations.listed()}


def etas(simulation: Simulation, query: dict[str, str]) -> Body:
    """``GET /_sim/etas``: ``{"calls": [{"depotCode", "tripReference", "calculatedAt", "etas": accepted, "rejected",
    "time"}]}``, in order.
    """
    _known(query)
    return {"calls": simulation.etas}


def held(simulation: Simulation, query: dict[str, str]) -> Body:
    """``GET /_sim/consignments``: what the network holds, ``{"total": n, "consignments": [...]}``, oldest first.

    ``consignmentID``, ``consignmentNumber`` and ``customerReference`` narrow it to equal ones. ``total`` counts all,
    the list ends after 1,000. A consignment is what get shows (before overrides), and ``"barcodes"``,
    ``"labelsFetched"``, ``"payload"``: the create call's body,
    ``"statuses": [{"status", "dateTime", "depot", "barcode", "signatory", "notes", "source": network or depot code}]``,
    ``"attachments": [{"id", "type", "fileName", "sha256", "size", "source"}]``.
    """
    _known(query, *_FILTERS)
    simulation.catch_up()
    found = [
        one
        for one in simulation.network.consignments.values()
        if query.get("consignmentID", str(one.consignment_id)) == str(one.consignment_id)
        and query.get("consignmentNumber", one.number) == one.number
        and query.get("customerReference", one.reference) == one.reference
    ]
    return {"total": len(found), "consignments": [_shown(simulation, one) for one in found[:_MOST_SHOWN]]}


_POSTS: dict[str, Callable[[Simulation, Body], Body]] = {
    "reset": reset,
    "clock": clock,
    "options": options,
    "faults": faults,
    "consignments": add,
}
_POSTS_OF_ONE: dict[str, Callable[[Simulation, Body, Consignment], Body]] = {"scan": scan, "attachments": attach}
_GETS: dict[str, Callable[[Simulation, dict[str, str]], Body]] = {
    "requests": requests,
    "violations": violations,
    "etas": etas,
    "consignments": held,
}


def look(simulation: Simulation, path: str, query: dict[str, str]) -> Body:
    """Answer a GET. Raises LookupError for a path that is none, ValueError for a query that makes no sense."""
    if path not in _GETS:
        raise LookupError(f"There is no control path GET /_sim/{path}; there are: {', '.join(_GETS)}")
    return _GETS[path](simulation, query)


def steer(simulation: Simulation, path: str, body: Any) -> Body:
    """Answer a POST. Raises LookupError for a path or consignment there is none of, ValueError for a senseless body."""
    if not isinstance(body, dict):
        raise ValueError("The request body must be a JSON object")  # noqa: TRY004
    if path in _POSTS:
        return _POSTS[path](simulation, body)
    match = re.fullmatch(r"consignments/([0-9]{1,18})/([a-z]+)", path)
    if match is None or match[2] not in _POSTS_OF_ONE:
        one_of = (f"consignments/{{id}}/{name}" for name in _POSTS_OF_ONE)
        raise LookupError(f"There is no control path POST /_sim/{path}; there are: {', '.join((*_POSTS, *one_of))}")
    simulation.catch_up()
    one = simulation.network.consignments.get(int(match[1]))
    if one is None:
        raise LookupError(f"There is no consignment {match[1]}")
    return _POSTS_OF_ONE[match[2]](simulation, body, one)


def _made(simulation: Simulation, body: Body, at: datetime, number: str) -> Consignment:
    """The next consignment as ordered, not yet in the network."""
    rng = random.Random(f"nexus|{simulation.seed}|made|{simulation.network.made}")
    given = {field: _value(body, key, allowed) for key, (field, allowed) in _GIVEN.items() if key in body}
    for day in ("collection_due", "due", "estimated_day"):
        if given.get(day):
            datetime.strptime(given[day], "%Y-%m-%d")  # noqa: DTZ007  # only the form counts
    made = consignment(
        rng,
        depot=_one_of(body, "depot", OUR_DEPOTS) or OUR_DEPOTS[0],
        created=at,
        number=number,
        role=_one_of(body, "role", ROLES),
        network=_one_of(body, "network", NETWORKS),
        pallets=_pallets(body),
        given=given,
    )
    parts = {field.name for field in fields(Address)}
    for key, name in _ADDRESSES.items():
        given_parts = body.get(key, {})
        if not isinstance(given_parts, dict) or set(given_parts) - parts:
            raise ValueError(f"{key} must be an object of: {', '.join(sorted(parts))}")
        for part, value in given_parts.items():
            setattr(getattr(made, name), part, value)
    return made


def _pallets(body: Body) -> list[Pallet] | None:
    wanted = body.get("pallets")
    if wanted is None:
        return None
    listed = [PALLET_TYPES[0]] * min(wanted, 100) if type(wanted) is int else wanted
    if not isinstance(listed, list) or not 1 <= len(listed) <= 99:
        raise ValueError("pallets must be a number or a list, 1 to 99")
    made = []
    for entry in listed:
        facts = entry if isinstance(entry, dict) else {"palletType": entry}
        _known(facts, *_PALLET)
        given = {field: _value(facts, key, allowed) for key, (field, allowed) in _PALLET.items() if key in facts}
        made.append(Pallet(**{"type": PALLET_TYPES[0], **given}))
    return made


def _times(simulation: Simulation, body: Body) -> list[datetime]:
    """When the consignments are created."""
    now = simulation.clock.now()
    if "count" not in body:
        if "from" in body or "to" in body:
            raise ValueError("from and to go with count; one consignment has at")
        times = [_instant(body, "at") if "at" in body else now]
    else:
        count = body["count"]
        if "at" in body or type(count) is not int or not 1 <= count <= _MOST_AT_ONCE:
            raise ValueError(
                f"count must be a whole number from 1 to {_MOST_AT_ONCE}, and goes with from and to, not at"
            )
        end = _instant(body, "to") if "to" in body else now
        start = _instant(body, "from") if "from" in body else end - timedelta(days=1)
        times = [start + (end - start) * i / count for i in range(count)]
    if times[0] > times[-1] or times[-1] > now:
        raise ValueError("A consignment cannot be created later than the simulator's clock, nor to lie before from")
    return times


def _shown(simulation: Simulation, one: Consignment) -> Body:
    statuses = [
        {
            "status": event.status,
            "dateTime": event.at.isoformat(),
            "depot": event.depot,
            "barcode": event.barcode,
            "signatory": event.signatory,
            "notes": event.notes,
            "source": event.source,
        }
        for event in one.events
    ]
    attachments = [
        {
            "id": file.file_id,
            "type": file.type,
            "fileName": file.name,
            "sha256": file.sha256,
            "size": len(file.content),
            "source": file.source,
        }
        for file in one.files
    ]
    return {
        **simulation.writer.known(one),
        "barcodes": [pallet.barcode for pallet in one.pallets],
        "labelsFetched": one.labels_fetched,
        "statuses": statuses,
        "attachments": attachments,
        "payload": one.payload,
    }


def _known(body: Body, *names: str) -> None:
    for name in body:
        if name not in names:
            raise ValueError(f"There is no key {name!r} here; the keys are: {', '.join(names) or 'none'}")


def _one_of(body: Body, name: str, allowed: Any) -> Any:
    return _value(body, name, allowed) if name in body else None


def _value(body: Body, name: str, allowed: Any) -> Any:
    """A value of a body: one of the values, or of the types, that ``allowed`` names; null clears a text."""
    value = body[name]
    types = isinstance(allowed, type) or isinstance(allowed[0], type)
    if types:
        if not isinstance(value, allowed) and not (value is None and allowed is str):
            raise ValueError(f"{name} cannot be {value!r}")
    elif value not in allowed:
        raise ValueError(f"{name} must be one of: {', '.join(map(str, allowed))}")
    return value


def _instant(body: Body, name: str) -> datetime:
    try:
        return read_instant(body[name])
    except (TypeError, ValueError):
        raise ValueError(f"{name} must be an ISO 8601 instant such as 2026-07-13T09:45:00+01:00") from None
