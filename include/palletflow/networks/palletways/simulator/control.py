"""The control paths under ``/_sim/`` (section 8): how a test or a demo steers the network. No part of the wire, and
not counted as calls.

POST ``reset``, ``clock``, ``switches``, ``lift_ban``, ``consignments`` and ``consignments/{tracking ID}/`` with
``status``, ``notes``, ``photos`` or ``change``. GET ``journal``, ``violations``, ``consignments``, ``files``,
``files/content``, ``files/servers`` and ``files/sessions``. The functions below say what each takes and answers.

``reset`` and ``clock`` are those of every simulated network, and so is how all paths answer: see
``palletflow.simulation``. A reset forgets all consignments, files, records and switches, and begins the sample traffic
anew. Instants are ISO 8601; without an offset they are Europe/London. Keys are optional unless said otherwise.
"""

import base64
import hashlib
import random
import re
from datetime import datetime, timedelta
from typing import Any

from palletflow.simulation import steering
from palletflow.simulation.application import Body, Paths
from palletflow.simulation.steering import instant, known, one_of, skip, value_of

from .consignment import Address, Consignment, Page
from .freight import ROLES, consignment
from .members import ACCOUNTS, BILL_UNITS, DEPOTS, OUR_DEPOTS
from .notes import FIELDS
from .photo_pdf import split
from .reading import manifest
from .received import File
from .simulation import Simulation

_MOST_AT_ONCE = 20_000
_MOST_SHOWN = 1_000
_DAY = re.compile(r"([0-9]{4}-[0-9]{2}-[0-9]{2})?")
_TIME = re.compile(r"([0-9]{2}:[0-9]{2})?")
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


def switches(simulation: Simulation, body: Body) -> Body:
    """``POST switches``: ``{switch: value, ...}``, all or none; ``{}`` just looks. Answer: all switches.

    What there is, with defaults and forms of values, stands in ``switches.py``.
    """
    simulation.switches.set(body)
    return simulation.switches.all()


def lift_ban(simulation: Simulation, body: Body) -> Body:
    """``POST lift_ban``: end every ban and forget the calls that led to it. Answer: ``{"bans": {}}``."""
    known(body)
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
    known(body, *_ADDING, *_GIVEN, *_ADDRESSES)
    count = body.get("count", 1)
    if type(count) is not int or not 1 <= count <= _MOST_AT_ONCE:
        raise ValueError(f"count must be a whole number from 1 to {_MOST_AT_ONCE}")
    simulation.catch_up()
    at = instant(body, "at") if "at" in body else simulation.clock.now()
    tracking_id, code = one_of(body, "tracking_id", str, ""), one_of(body, "status", int, 100)
    if tracking_id and (count > 1 or tracking_id in simulation.network.by_tracking_id):
        raise ValueError("tracking_id must be one that is not known yet, for one consignment")
    network = simulation.network
    # Everything that can be wrong is the same for all of them, so that making one before makes it all or none.
    made = [_made(simulation, body, at, "TRIED")]
    made = [_made(simulation, body, at, body.get("number") or network.free_number()) for _ in range(count)]
    for one in made:
        network.add(one, tracking_id=tracking_id, code=code)
    return {"created": count, "tracking_ids": [one.tracking_id for one in made]}


def status(simulation: Simulation, body: Body, one: Consignment) -> Body:
    """``POST consignments/{tracking ID}/status``: the consignment reaches a status.

    ``{"code": number (needed), "at": instant (now), "note": true = a note says so, "signatory": name in the note of a
    delivery, null = no POD data, "pod_at": instant of the POD data (at)}``. Answer: ``{"statuses": [{"code", "at"}]}``.
    """
    known(body, "code", "at", "note", "signatory", "pod_at")
    if type(body.get("code")) is not int:
        raise ValueError("code must be a whole number")
    simulation.network.reach(
        one,
        body["code"],
        at=instant(body, "at") if "at" in body else None,
        note=body.get("note", True) is True,
        signatory=body.get("signatory", "SAMPLE"),
        pod_at=instant(body, "pod_at") if "pod_at" in body else None,
    )
    return {"statuses": [{"code": entry.code, "at": entry.at.isoformat()} for entry in one.statuses]}


def add_note(simulation: Simulation, body: Body, one: Consignment) -> Body:
    """``POST consignments/{tracking ID}/notes``: a note of another depot or the network.

    Fields as in section 2.6 (``NoteText``, ``PodDate``, ``StatusCode``, ...), ``"at": instant (now)``; ``"sys_note"``:
    that of a note which exists is changed, and gets ``at`` as its ``Delta``. Answer: ``{"sys_note": number, "delta":
    epoch seconds}``.
    """
    known(body, "at", "sys_note", *FIELDS)
    fields = {name: str(body[name]) for name in FIELDS if name in body}
    at = instant(body, "at") if "at" in body else simulation.clock.now()
    note = simulation.network.note(one, at=at, fields=fields, sys_note=one_of(body, "sys_note", int))
    return {"sys_note": note.sys_note, "delta": int(note.delta.timestamp())}


def add_photos(simulation: Simulation, body: Body, one: Consignment) -> Body:
    """``POST consignments/{tracking ID}/photos``: POD images of another source than our uploads.

    ``{"labels": [text of a sample photo, ...] (one with a label of its own), "content": base64 of a JPEG, PNG, TIFF or
    PDF instead, "at": instant from which they are there (now), "after_s": seconds from now instead}``. Answer:
    ``{"photos": [{"sha256": of the JPEG itself, "at"}]}``.
    """
    known(body, "labels", "content", "at", "after_s")
    at = instant(body, "at") if "at" in body else simulation.clock.now() + timedelta(seconds=body.get("after_s", 0))
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
    known(body, *_CHANGEABLE)
    values = {name: value_of(body, name, _GIVEN[name]) for name in body}
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
    known(query, "method")
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
    known(query)
    return {"violations": simulation.violations.listed()}


def held(simulation: Simulation, query: dict[str, str]) -> Body:
    """``GET consignments``: what the network holds, ``{"total": n, "consignments": [...]}``, oldest first.

    ``tracking_id``, ``number``, ``reference`` and ``account`` narrow it to equal ones. ``total`` counts all, the list
    ends after 1,000; ``offset`` skips so many of them. A consignment: ``{"tracking_id", "response_id", "number",
    "reference", "account", "depot", "collection_depot", "delivery_depot", "released", "created", "statuses":
    [{"code", "at"}], "notes": [{"sys_note", "delta", fields}], "photos": [{"at", "sha256", "source": network or
    upload}], "manifest": as getConsignment shows it, "payload": data of its submission}``.
    """
    known(query, *_FILTERS, "offset")
    skipped = skip(query)
    simulation.catch_up()
    found = [
        one
        for one in simulation.network.consignments
        if all(query.get(name, getattr(one, name)) == getattr(one, name) for name in _FILTERS)
    ]
    return {"total": len(found), "consignments": [_shown(one) for one in found[skipped : skipped + _MOST_SHOWN]]}


def files(simulation: Simulation, query: dict[str, str]) -> Body:
    """``GET files``: what was uploaded: ``{"files": what lies there, "finished": all that ever got its final name}``.

    A file: ``{"user", "name", "size", "sha256", "received_at", "tracking_id", "set_aside"}``.
    """
    known(query)
    received = simulation.received
    return {
        "files": [_file(file) for file in received.all()],
        "finished": [_file(file) for file in received.finished()],
    }


def file_content(simulation: Simulation, query: dict[str, str]) -> Body:
    """``GET files/content?user=...&name=...``: ``{"content": base64}`` of a file that lies there."""
    known(query, "user", "name")
    for file in simulation.received.all():
        if (file.user, file.name) == (query.get("user"), query.get("name")):
            return {"content": base64.b64encode(file.data).decode()}
    raise LookupError("There is no such file")


def file_servers(simulation: Simulation, query: dict[str, str]) -> Body:
    """``GET files/servers``: ``{"ftp": port, "ftps": port, "sftp": port}``; empty while they do not run."""
    known(query)
    return dict(simulation.file_servers.ports) if simulation.file_servers else {}


def file_sessions(simulation: Simulation, query: dict[str, str]) -> Body:
    """``GET files/sessions``: ``{"connections": by server, "commands": [...]}``, as ``files/sessions.py`` says."""
    known(query)
    if simulation.file_servers is None:
        return {"connections": {}, "commands": []}
    sessions = simulation.file_servers.sessions
    return {"connections": sessions.connections(), "commands": sessions.entries()}


def _find(simulation: Simulation, tracking_id: str) -> Consignment | None:
    simulation.catch_up()
    return simulation.network.by_tracking_id.get(tracking_id)


PATHS: Paths[Simulation] = Paths(
    gets={
        "journal": journal,
        "violations": violations,
        "consignments": held,
        "files": files,
        "files/content": file_content,
        "files/servers": file_servers,
        "files/sessions": file_sessions,
    },
    posts={
        "reset": steering.reset,
        "clock": steering.clock,
        "switches": switches,
        "lift_ban": lift_ban,
        "consignments": add,
    },
    posts_of_one={"status": status, "notes": add_note, "photos": add_photos, "change": change},
    find=_find,
)


def _made(simulation: Simulation, body: Body, at: datetime, number: str) -> Consignment:
    """The next consignment as ordered, not yet in the network."""
    network = simulation.network
    given = {name: value_of(body, name, allowed) for name, allowed in _GIVEN.items() if name in body}
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
        depot=one_of(body, "depot", OUR_DEPOTS, OUR_DEPOTS[0]),
        created=at,
        number=value_of({"number": number}, "number", str),
        role=one_of(body, "role", ROLES, "requesting"),
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
