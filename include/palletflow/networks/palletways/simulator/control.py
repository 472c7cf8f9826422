"""The control paths under ``/_sim/`` (section 8): how a test or a demo steers the network. No part of the wire, and
not counted as calls.

POST ``reset``, ``clock``, ``switches``, ``lift_ban``, ``consignments`` and ``consignments/{tracking ID}/`` with
``status``, ``notes``, ``photos`` or ``change``. GET ``journal``, ``violations``, ``consignments``, ``files``,
``files/content``, ``files/servers`` and ``files/sessions``. The functions below say what each takes and answers.

Every POST takes and every path gives a JSON object; a POST without a body counts as ``{}``. A request that makes no
sense is answered 422 ``{"error": sentence}`` and changes nothing. Instants are ISO 8601; without an offset they are
Europe/London. Keys are optional unless said otherwise.
"""

import base64
import hashlib
import random
import re
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from .consignment import Address, Consignment, Page
from .freight import ROLES, consignment
from .members import ACCOUNTS, BILL_UNITS, DEPOTS, OUR_DEPOTS
from .notes import FIELDS
from .photo_pdf import split
from .reading import manifest
from .received import File
from .simulation import Simulation
from .times import read_instant

Body = dict[str, Any]

_MOST_AT_ONCE = 20_000
_MOST_SHOWN = 1_000
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_TIME = re.compile(r"[0-9]{2}:[0-9]{2}")
# Key of POST /_sim/consignments that sets the field of that name: the values it may have.
_GIVEN: dict[str, Any] = {
    "account": tuple(ACCOUNTS),
    "type": ("D", "C", "3"),
    "collection_depot": tuple(DEPOTS),
    "delivery_depot": tuple(DEPOTS),
    "reference": str,
    "import_id": str,
    "classification": ("B2B", "B2R"),
    "lifts": int,
    "weight": (int, float),
    "handball": bool,
    "tail_lift": bool,
    "manifest_note": str,
    "due_date": _DAY,
    "due_time": _TIME,
    "delivery_time": _TIME,
    "collection_date": _DAY,
    "collection_reference": str,
    "book_in": bool,
    "book_in_contact": str,
    "book_in_reference": str,
    "barcodes": list,
    "overrides": dict,
}
_CHANGEABLE = ("collection_depot", "delivery_depot", "lifts", "weight", "due_date", "due_time", "barcodes", "overrides")
_ADDRESSES = {"collection": "Collection", "delivery": "Delivery"}
_ADDRESS_PARTS = ("company", "contact", "telephone", "lines", "town", "postcode", "county", "country")
_ADDING = ("depot", "role", "number", "tracking_id", "status", "at", "count", "bill_units", "service")
_FILTERS = ("tracking_id", "number", "reference", "account")


def reset(simulation: Simulation, body: Body) -> Body:
    """``POST reset``: begin again: no consignments but the sample traffic's, default switches, no files, no records,
    the first clock.

    ``{"seed": number, "now": instant}`` begins with that seed, or frozen at that instant, from this reset on. Answer:
    ``{"seed", "now", "frozen"}``.
    """
    _known(body, "seed", "now")
    seed = body.get("seed")
    if seed is not None and type(seed) is not int:
        raise ValueError("seed must be a whole number")
    simulation.reset(seed=seed, now=_instant(body, "now") if "now" in body else None)
    return {"seed": simulation.seed, "now": simulation.clock.now().isoformat(), "frozen": simulation.clock.frozen}


def clock(simulation: Simulation, body: Body) -> Body:
    """``POST clock``: move time forward; ``{}`` just looks.

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


def switches(simulation: Simulation, body: Body) -> Body:
    """``POST switches``: ``{switch: value, ...}``, all or none; ``{}`` just looks. Answer: all switches.

    What there is, with defaults and forms of values, stands in ``switches.py``.
    """
    simulation.switches.set(body)
    return simulation.switches.all()


def lift_ban(simulation: Simulation, body: Body) -> Body:
    """``POST lift_ban``: end every ban and forget the calls that led to it. Answer: ``{"bans": {}}``."""
    _known(body)
    simulation.rate_limit.lift()
    return {"bans": {}}


def add(simulation: Simulation, body: Body) -> Body:
    """``POST consignments``: add consignments as another depot's system or the portal enters them, accepted at once.

    - ``depot`` (123) is one of ours, ``role`` what it is to the consignment: ``requesting``, ``collecting``,
      ``delivering`` or ``none`` (absent: requesting). The others are drawn, or given as ``collection_depot`` and
      ``delivery_depot``.
    - ``number`` (the next), ``tracking_id`` (the next), ``status`` code (100), ``at`` instant of entry (now).
    - ``bill_units``: ``{"FP": 2}``; ``lifts`` (their sum); ``service``: ``[[type, group, code], ...]``; ``collection``
      and ``delivery``: any of company, contact, telephone, lines, town, postcode, county, country.
    - ``account``, ``type``, ``reference``, ``import_id``, ``classification``, ``weight``, ``handball``, ``tail_lift``,
      ``manifest_note``, ``due_date``, ``due_time``, ``delivery_time``, ``collection_date``, ``collection_reference``,
      ``book_in``, ``book_in_contact``, ``book_in_reference``, ``barcodes``.
    - ``overrides``: ``{node: value}`` changes only what getConsignment shows in ``Consignment``.
    - ``count``: so many of them.

    What is not given is drawn. Answer: ``{"created": n, "tracking_ids": [...]}``.
    """
    _known(body, *_ADDING, *_GIVEN, *_ADDRESSES)
    count = body.get("count", 1)
    if type(count) is not int or not 1 <= count <= _MOST_AT_ONCE:
        raise ValueError(f"count must be a whole number from 1 to {_MOST_AT_ONCE}")
    at = _instant(body, "at") if "at" in body else simulation.clock.now()
    tracking_id, code = _one_of(body, "tracking_id", str), _one_of(body, "status", int)
    if tracking_id and (count > 1 or tracking_id in simulation.network.by_tracking_id):
        raise ValueError("tracking_id must be one that is not known yet, for one consignment")
    network = simulation.network
    # Everything that can be wrong is the same for all of them, so that making one before makes it all or none.
    made = [_made(simulation, body, at, "TRIED")]
    made = [_made(simulation, body, at, body.get("number") or network.free_number()) for _ in range(count)]
    for one in made:
        network.add(one, tracking_id=tracking_id or "", code=code or 100)
    return {"created": count, "tracking_ids": [one.tracking_id for one in made]}


def status(simulation: Simulation, body: Body, one: Consignment) -> Body:
    """``POST consignments/{tracking ID}/status``: the consignment reaches a status.

    ``{"code": number (needed), "at": instant (now), "note": true = a note says so, "signatory": name in the note of a
    delivery, null = no POD data, "pod_at": instant of the POD data (at)}``. Answer: ``{"statuses": [{"code", "at"}]}``.
    """
    _known(body, "code", "at", "note", "signatory", "pod_at")
    if type(body.get("code")) is not int:
        raise ValueError("code must be a whole number")
    simulation.network.reach(
        one,
        body["code"],
        at=_instant(body, "at") if "at" in body else None,
        note=body.get("note", True) is True,
        signatory=body.get("signatory", "SAMPLE"),
        pod_at=_instant(body, "pod_at") if "pod_at" in body else None,
    )
    return {"statuses": [{"code": entry.code, "at": entry.at.isoformat()} for entry in one.statuses]}


def add_note(simulation: Simulation, body: Body, one: Consignment) -> Body:
    """``POST consignments/{tracking ID}/notes``: a note of another depot or the network.

    Fields as in section 2.6 (``NoteText``, ``PodDate``, ``StatusCode``, ...), ``"at": instant (now)``; ``"sys_note"``:
    that of a note which exists is changed, and gets ``at`` as its ``Delta``. Answer: ``{"sys_note": number, "delta":
    epoch seconds}``.
    """
    _known(body, "at", "sys_note", *FIELDS)
    fields = {name: str(body[name]) for name in FIELDS if name in body}
    at = _instant(body, "at") if "at" in body else simulation.clock.now()
    note = simulation.network.note(one, at=at, fields=fields, sys_note=_one_of(body, "sys_note", int))
    return {"sys_note": note.sys_note, "delta": int(note.delta.timestamp())}


def add_photos(simulation: Simulation, body: Body, one: Consignment) -> Body:
    """``POST consignments/{tracking ID}/photos``: POD images of another source than our uploads.

    ``{"labels": [text of a sample photo, ...] (one with a label of its own), "content": base64 of a JPEG, PNG, TIFF or
    PDF instead, "at": instant from which they are there (now), "after_s": seconds from now instead}``. Answer:
    ``{"photos": [{"sha256": of the JPEG itself, "at"}]}``.
    """
    _known(body, "labels", "content", "at", "after_s")
    at = _instant(body, "at") if "at" in body else simulation.clock.now() + timedelta(seconds=body.get("after_s", 0))
    if "content" in body:
        pages = [Page(at, image) for image in split(base64.b64decode(body["content"], validate=True))]
    else:
        labels = body.get("labels", [f"photo {len(one.pages) + 1}"])
        if not isinstance(labels, list) or not all(isinstance(label, str) for label in labels):
            raise ValueError("labels must be a list of texts")
        pages = [Page(at, label=f"{one.tracking_id} {label}") for label in labels]
    simulation.network.show(one, pages)
    return {"photos": [{"sha256": hashlib.sha256(page.image).hexdigest(), "at": at.isoformat()} for page in pages]}


def change(simulation: Simulation, body: Body, one: Consignment) -> Body:
    """``POST consignments/{tracking ID}/change``: other values of ``collection_depot``, ``delivery_depot``, ``lifts``,
    ``weight``, ``due_date``, ``due_time``, ``barcodes`` or ``overrides``. Answer: the consignment as GET shows it.
    """
    _known(body, *_CHANGEABLE)
    values = {name: _value(body, name, _GIVEN[name]) for name in body}
    for name, value in values.items():
        setattr(one, name, value)
    return _shown(one)


def journal(simulation: Simulation, query: dict[str, str]) -> Body:
    """``GET journal``: ``{"total": n, "largest_in_60_s": n, "bans": {address: until}, "calls": [...]}``, oldest first.

    The newest 5,000 calls are kept. ``method=getNotes`` narrows them. ``largest_in_60_s``: the most calls of one
    address in any 60 s of the virtual clock. A call: ``{"number", "verb", "host": api2 or portal, "method",
    "arguments", "params": the key as ***, "key": user of the key, wrong or missing, "address", "time", "status": null
    when no answer was sent, "fault": hang, http_code, banned, slow, drop_mid_body or null}``.
    """
    _known(query, "method")
    method = query.get("method", "").lower()
    calls = [call for call in simulation.journal.entries() if not method or call["method"].lower() == method]
    return {
        "total": simulation.journal.total,
        "largest_in_60_s": simulation.rate_limit.largest,
        "bans": simulation.rate_limit.bans(simulation.clock.now()),
        "calls": calls,
    }


def violations(simulation: Simulation, query: dict[str, str]) -> Body:
    """``GET violations``: ``{"violations": [{"rule", "detail", "request": its number in the journal, "time"}]}``.

    Rules: blind_resend (a reference submitted again, the first not looked for), note_twice, overwritten_upload (a
    finished file replaced), not_delivering (a photo for a consignment the depot does not deliver), echo_upload (bytes
    that podimages gave for that consignment).
    """
    _known(query)
    return {"violations": simulation.violations.listed()}


def held(simulation: Simulation, query: dict[str, str]) -> Body:
    """``GET consignments``: what the network holds, ``{"total": n, "consignments": [...]}``, oldest first.

    ``tracking_id``, ``number``, ``reference`` and ``account`` narrow it to equal ones. ``total`` counts all, the list
    ends after 1,000. A consignment: ``{"tracking_id", "response_id", "number", "reference", "account", "depot",
    "collection_depot", "delivery_depot", "released", "created", "statuses": [{"code", "at"}], "notes": [{"sys_note",
    "delta", fields}], "photos": [{"at", "sha256", "source": network or upload}], "manifest": as getConsignment shows
    it, "payload": data of its submission}``.
    """
    _known(query, *_FILTERS)
    simulation.catch_up()
    found = [
        one
        for one in simulation.network.consignments
        if all(query.get(name, getattr(one, name)) == getattr(one, name) for name in _FILTERS)
    ]
    return {"total": len(found), "consignments": [_shown(one) for one in found[:_MOST_SHOWN]]}


def files(simulation: Simulation, query: dict[str, str]) -> Body:
    """``GET files``: what was uploaded: ``{"files": what lies there, "finished": all that ever got its final name}``.

    A file: ``{"user", "name", "size", "sha256", "received_at", "tracking_id", "set_aside"}``.
    """
    _known(query)
    received = simulation.received
    return {
        "files": [_file(file) for file in received.all()],
        "finished": [_file(file) for file in received.finished()],
    }


def file_content(simulation: Simulation, query: dict[str, str]) -> Body:
    """``GET files/content?user=...&name=...``: ``{"content": base64}`` of a file that lies there."""
    _known(query, "user", "name")
    for file in simulation.received.all():
        if (file.user, file.name) == (query.get("user"), query.get("name")):
            return {"content": base64.b64encode(file.data).decode()}
    raise LookupError("There is no such file")


def file_servers(simulation: Simulation, query: dict[str, str]) -> Body:
    """``GET files/servers``: ``{"ftp": port, "ftps": port, "sftp": port}``; empty while they do not run."""
    _known(query)
    return dict(simulation.file_servers.ports) if simulation.file_servers else {}


def file_sessions(simulation: Simulation, query: dict[str, str]) -> Body:
    """``GET files/sessions``: ``{"connections": by server, "commands": [...]}``, as ``files/sessions.py`` says."""
    _known(query)
    if simulation.file_servers is None:
        return {"connections": {}, "commands": []}
    sessions = simulation.file_servers.sessions
    return {"connections": sessions.connections(), "commands": sessions.entries()}


_POSTS: dict[str, Callable[[Simulation, Body], Body]] = {
    "reset": reset,
    "clock": clock,
    "switches": switches,
    "lift_ban": lift_ban,
    "consignments": add,
}
_POSTS_OF_ONE: dict[str, Callable[[Simulation, Body, Consignment], Body]] = {
    "status": status,
    "notes": add_note,
    "photos": add_photos,
    "change": change,
}
_GETS: dict[str, Callable[[Simulation, dict[str, str]], Body]] = {
    "journal": journal,
    "violations": violations,
    "consignments": held,
    "files": files,
    "files/content": file_content,
    "files/servers": file_servers,
    "files/sessions": file_sessions,
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
    simulation.catch_up()
    if path in _POSTS:
        return _POSTS[path](simulation, body)
    match = re.fullmatch(r"consignments/([0-9]{1,18})/([a-z]+)", path)
    if match is None or match[2] not in _POSTS_OF_ONE:
        one_of = (f"consignments/{{tracking ID}}/{name}" for name in _POSTS_OF_ONE)
        raise LookupError(f"There is no control path POST /_sim/{path}; there are: {', '.join((*_POSTS, *one_of))}")
    one = simulation.network.by_tracking_id.get(match[1])
    if one is None:
        raise LookupError(f"There is no consignment {match[1]}")
    return _POSTS_OF_ONE[match[2]](simulation, body, one)


def _made(simulation: Simulation, body: Body, at: datetime, number: str) -> Consignment:
    """The next consignment as ordered, not yet in the network."""
    network = simulation.network
    given = {name: _value(body, name, allowed) for name, allowed in _GIVEN.items() if name in body}
    if "bill_units" in body:
        units = body["bill_units"]
        if not isinstance(units, dict) or not units or set(units) - set(BILL_UNITS):
            raise ValueError(f"bill_units must be an object of: {', '.join(BILL_UNITS)}")
        given["bill_units"] = [(unit, int(amount)) for unit, amount in units.items()]
        given.setdefault("lifts", sum(int(amount) for amount in units.values()))
    if "service" in body:
        given["services"] = [(str(type_), str(group), str(code)) for type_, group, code in body["service"]]
    network.made += 1
    made = consignment(
        random.Random(f"palletways|{simulation.seed}|made|{network.made}"),
        depot=_one_of(body, "depot", OUR_DEPOTS) or OUR_DEPOTS[0],
        created=at,
        number=_value({"number": number}, "number", str),
        role=_one_of(body, "role", ROLES) or "requesting",
        given=given,
    )
    for key, type_ in _ADDRESSES.items():
        parts = body.get(key, {})
        if not isinstance(parts, dict) or set(parts) - set(_ADDRESS_PARTS):
            raise ValueError(f"{key} must be an object of: {', '.join(_ADDRESS_PARTS)}")
        for part, value in parts.items():
            setattr(_address(made, type_), part, value)
    return made


def _address(one: Consignment, type_: str) -> Address:
    return next(address for address in one.addresses if address.type == type_)


def _shown(one: Consignment) -> Body:
    return {
        "tracking_id": one.tracking_id,
        "response_id": str(one.response_id or ""),
        "number": one.number,
        "reference": one.reference,
        "account": one.account,
        "depot": one.depot,
        "collection_depot": one.collection_depot,
        "delivery_depot": one.delivery_depot,
        "released": one.released,
        "created": one.created.isoformat(),
        "statuses": [{"code": entry.code, "at": entry.at.isoformat()} for entry in one.statuses],
        "notes": [
            {"sys_note": note.sys_note, "delta": int(note.delta.timestamp()), **note.fields} for note in one.notes
        ],
        "photos": [
            {"at": page.at.isoformat(), "sha256": hashlib.sha256(page.image).hexdigest(), "source": page.source}
            for page in one.pages
        ],
        "manifest": manifest(one),
        "payload": one.payload,
    }


def _file(file: File) -> Body:
    return {
        "user": file.user,
        "name": file.name,
        "size": len(file.data),
        "sha256": hashlib.sha256(file.data).hexdigest(),
        "received_at": file.received_at.isoformat(),
        "tracking_id": file.tracking_id,
        "set_aside": file.set_aside,
    }


def _known(body: Body, *names: str) -> None:
    for name in body:
        if name not in names:
            raise ValueError(f"There is no key {name!r} here; the keys are: {', '.join(names) or 'none'}")


def _one_of(body: Body, name: str, allowed: Any) -> Any:
    return _value(body, name, allowed) if body.get(name) is not None else None


def _value(body: Body, name: str, allowed: Any) -> Any:
    """A value of a body: of the form, one of the values, or of the types, that ``allowed`` names."""
    value = body[name]
    if isinstance(allowed, re.Pattern):
        good = isinstance(value, str) and (not value or allowed.fullmatch(value) is not None)
    elif isinstance(allowed, type) or isinstance(allowed[0], type):
        good = isinstance(value, allowed) and (not isinstance(value, bool) or allowed is bool)
    else:
        good = value in allowed
    if not good:
        raise ValueError(f"{name} cannot be {value!r}")
    return value


def _instant(body: Body, name: str) -> datetime:
    try:
        return read_instant(body[name])
    except (TypeError, ValueError):
        raise ValueError(f"{name} must be an ISO 8601 instant such as 2026-07-13T09:45:00+01:00") from None
