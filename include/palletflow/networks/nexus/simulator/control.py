"""The control paths under ``/_sim/`` (section 11.4): how a test or a demo steers the network. No part of the wire.

``reset`` and ``clock`` are those of every simulated network, and so is how all paths answer: see
``palletflow.simulation``. After a reset only the option ``foreign_url`` stays. Instants are ISO 8601; without an offset
they are Europe/London. Keys are optional unless said otherwise.
"""

import base64
import random
from dataclasses import fields
from datetime import datetime
from typing import Any

from palletflow.simulation import steering
from palletflow.simulation.application import Body, Paths
from palletflow.simulation.steering import creation_times, instant, known, one_of, skip, value_of

from .consignment import Address, Consignment, Pallet
from .freight import ROLES, consignment
from .lookups import ATTACHMENT_TYPES, DELIVERY_SERVICES, INTERNATIONAL_TYPES, PALLET_BASES, PALLET_TYPES, STATUSES
from .members import CUSTOMERS, DEPOTS, NETWORKS, OUR_DEPOTS
from .samples import MEDIA, Media, sample
from .simulation import Simulation

_MOST_SHOWN = 1_000
_TEXT = (str, type(None))  # null clears it
# Key of POST /_sim/consignments: field of the consignment it sets, and the values it may have.
_GIVEN: dict[str, tuple[str, Any]] = {
    "customerID": ("customer_id", tuple(CUSTOMERS)),
    "customerReference": ("reference", _TEXT),
    "originatingDepotCode": ("originating", tuple(DEPOTS)),
    "collectingDepotCode": ("collecting", tuple(DEPOTS)),
    "deliveryDepotCode": ("delivery", tuple(DEPOTS)),
    "deliveryService": ("delivery_service", DELIVERY_SERVICES),
    "collectionDate": ("collection_due", _TEXT),
    "dueDate": ("due", _TEXT),
    "startWindow": ("start_window", _TEXT),
    "endWindow": ("end_window", _TEXT),
    "estimatedDelDate": ("estimated_day", _TEXT),
    "estimatedDelTime": ("estimated_time", _TEXT),
    "descriptionOfGoods": ("goods", _TEXT),
    "limitedQuantities": ("limited", bool),
    "notes": ("notes", _TEXT),
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
    "barcode": ("barcode", _TEXT),
}
_ADDING = ("depot", "role", "network", "consignmentNumber", "at", "count", "from", "to", "status", "pallets")
_FILTERS = ("consignmentID", "consignmentNumber", "customerReference")


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
    return steering.faults(simulation.faults, body, "effect", "method", "path", "after", "times", "options")


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
    known(body, *_ADDING, *_GIVEN, *_ADDRESSES)
    simulation.catch_up()
    number, times = body.get("consignmentNumber"), creation_times(simulation, body)
    if number is not None and (not isinstance(number, str) or number in simulation.network.by_number or len(times) > 1):
        raise ValueError("consignmentNumber must be a text not known yet, for one consignment")
    status = one_of(body, "status", STATUSES)
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
    known(body, "status", "dateTime", "depot", "signatory", "notes", "statusID", "barcode", "pallet")
    name = body.get("status")
    if not isinstance(name, str) or not name:
        raise ValueError("status must be a text")
    texts = {key: one_of(body, key, _TEXT) for key in ("depot", "signatory", "notes")}
    pallet = body.get("pallet")
    if pallet is not None and (type(pallet) is not int or not 1 <= pallet <= len(one.pallets)):
        raise ValueError("pallet must be the number of a pallet, from 1")
    barcodes = (
        [one.pallets[pallet - 1].barcode] if pallet else [one_of(body, "barcode", _TEXT)] if "barcode" in body else None
    )
    simulation.ids.add_status(name)
    events = simulation.network.scan(
        one,
        name,
        instant(body, "dateTime") if "dateTime" in body else simulation.clock.now(),
        barcodes=barcodes,
        status_id=one_of(body, "statusID", int),
        **texts,
    )
    return {"events": [simulation.writer.event(event) for event in events]}


def attach(simulation: Simulation, body: Body, one: Consignment) -> Body:
    """``POST /_sim/consignments/{id}/attachments``: files as the delivering depot would add them.

    ``{"type": "POD", "media": "jpg" | "png" | "pdf" | "broken", "fileName": text, "content": base64 (absent: a sample),
    "at": instant from which it is there (now), "count": 1}``. Answer: ``{"attachments": [{"id", "sha256"}]}``.
    """
    known(body, "type", "media", "fileName", "content", "at", "count")
    type_ = one_of(body, "type", ATTACHMENT_TYPES) or "POD"
    media: Media = one_of(body, "media", MEDIA) or "jpg"
    count = body.get("count", 1)
    if type(count) is not int or not 1 <= count <= 100:
        raise ValueError("count must be a whole number from 1 to 100")
    at = instant(body, "at") if "at" in body else simulation.clock.now()
    encoded = one_of(body, "content", _TEXT)
    given = None if encoded is None else base64.b64decode(encoded, validate=True)
    added = []
    for _ in range(count):
        place = sum(file.type == type_ for file in one.files) + 1
        name = one_of(body, "fileName", _TEXT) or f"{one.number}_{type_}_{place:02d}.{media}"
        content = sample(type_, f"{one.number} {place}", media) if given is None else given
        added.append(simulation.network.attach(one, type_, name, content, at, "network"))
    return {"attachments": [{"id": file.file_id, "sha256": file.sha256} for file in added]}


def requests(simulation: Simulation, query: dict[str, str]) -> Body:
    """``GET /_sim/requests``: ``{"total": n, "requests": [...]}``, oldest first, the newest 5,000.

    A request: ``{"number", "method", "path": without v1, "query", "time": simulator's clock, "headers": names, "user",
    "status": null when no answer was sent, "fault": effect or null}``.
    """
    known(query)
    return {"total": simulation.journal.total, "requests": simulation.journal.entries()}


def violations(simulation: Simulation, query: dict[str, str]) -> Body:
    """``GET /_sim/violations``: ``{"violations": [{"rule", "detail", "request": its number, "time"}]}``.

    Rules: rate, blind_post, echo_upload, bearer_on_foreign_host, network_mismatch, international_pallet.
    """
    known(query)
    return {"violations": simulation.violations.listed()}


def etas(simulation: Simulation, query: dict[str, str]) -> Body:
    """``GET /_sim/etas``: ``{"calls": [{"depotCode", "tripReference", "calculatedAt", "etas": accepted, "rejected",
    "time"}]}``, in order.
    """
    known(query)
    return {"calls": simulation.etas}


def held(simulation: Simulation, query: dict[str, str]) -> Body:
    """``GET /_sim/consignments``: what the network holds, ``{"total": n, "consignments": [...]}``, oldest first.

    ``consignmentID``, ``consignmentNumber`` and ``customerReference`` narrow it to equal ones. ``total`` counts all,
    the list ends after 1,000; ``offset`` skips so many of them. A consignment is what get shows (before overrides),
    and ``"barcodes"``,
    ``"labelsFetched"``, ``"payload"``: the create call's body,
    ``"statuses": [{"status", "dateTime", "depot", "barcode", "signatory", "notes", "source": network or depot code}]``,
    ``"attachments": [{"id", "type", "fileName", "sha256", "size", "source"}]``.
    """
    known(query, *_FILTERS, "offset")
    skipped = skip(query)
    simulation.catch_up()
    found = [
        one
        for one in simulation.network.consignments.values()
        if query.get("consignmentID", str(one.consignment_id)) == str(one.consignment_id)
        and query.get("consignmentNumber", one.number) == one.number
        and query.get("customerReference", one.reference) == one.reference
    ]
    shown = found[skipped : skipped + _MOST_SHOWN]
    return {"total": len(found), "consignments": [_shown(simulation, one) for one in shown]}


def _found(simulation: Simulation, consignment_id: str) -> Consignment | None:
    simulation.catch_up()
    digits = consignment_id.isascii() and consignment_id.isdigit() and len(consignment_id) < 19
    return simulation.network.consignments.get(int(consignment_id)) if digits else None


PATHS = Paths[Simulation](
    gets={"requests": requests, "violations": violations, "etas": etas, "consignments": held},
    posts={
        "reset": steering.reset,
        "clock": steering.clock,
        "options": options,
        "faults": faults,
        "consignments": add,
    },
    posts_of_one={"scan": scan, "attachments": attach},
    find=_found,
)


def _made(simulation: Simulation, body: Body, at: datetime, number: str) -> Consignment:
    """The next consignment as ordered, not yet in the network."""
    rng = random.Random(f"nexus|{simulation.seed}|made|{simulation.network.made}")
    given = {field: value_of(body, key, allowed) for key, (field, allowed) in _GIVEN.items() if key in body}
    for day in ("collection_due", "due", "estimated_day"):
        if given.get(day):
            datetime.strptime(given[day], "%Y-%m-%d")  # noqa: DTZ007  # only the form counts
    made = consignment(
        rng,
        depot=one_of(body, "depot", OUR_DEPOTS) or OUR_DEPOTS[0],
        created=at,
        number=number,
        role=one_of(body, "role", ROLES),
        network=one_of(body, "network", NETWORKS),
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
        known(facts, *_PALLET)
        given = {field: value_of(facts, key, allowed) for key, (field, allowed) in _PALLET.items() if key in facts}
        made.append(Pallet(**{"type": PALLET_TYPES[0], **given}))
    return made


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
