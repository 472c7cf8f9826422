"""The control paths under ``/_sim/``: how a test or a demo steers the network. They are no part of the wire.

``reset`` and ``clock`` are those of every simulated network, and so is how all paths answer: see
``palletflow.simulation``. Instants are ISO 8601; without an offset they are Europe/London, as on the wire.
"""

import random
from datetime import datetime
from typing import Any

from palletflow.simulation import steering
from palletflow.simulation.application import Body, Paths
from palletflow.simulation.steering import creation_times, instant, known, one_of, skip

from .freight import ROLES, SERVICE_LEAD_DAYS, consignment, draw_role
from .gazetteer import DEPOTS
from .members import OUR_DEPOTS
from .simulation import Simulation
from .state import STATUSES, Consignment, Status, put, with_overrides
from .times import wire_time
from .traffic import Change
from .wire import reported

_SYSTEM_ID = "002"
_MOST_SHOWN = 1_000
# Set by other keys of /_sim/consignments, because the index depends on them.
_NOT_FIELDS = {"trackingNumber": "trackingNumber", "consignmentStatus": "consignmentStatus", "lastUpdated": "at"}
_FILTERS = ("trackingNumber", "uniqueTransactionNumber", "consignmentNumber", "customersUniqueReference")
_HELD_FIELDS = (
    "trackingNumber",
    "consignmentNumber",
    "customersUniqueReference",
    "requestingDepot",
    "collectingDepot",
    "deliveryDepot",
    "serviceName",
    "consignmentStatus",
    "lastUpdated",
)
_EVENT_FIELDS = ("depot", "signatory", "note", "latitude", "longitude")


def faults(simulation: Simulation, body: Body) -> Body:
    """``POST /_sim/faults``: order a fault, clear them all, or (``{}``) just look.

    ``{"operation": name or "*", "fault": name, "count": 1, "trackingNumber": text, "options": {...}}``. ``count`` is
    how many matching requests it strikes; ``trackingNumber`` narrows it to requests that speak of that number (for
    barcode_changed: the consignment to change). Options and their defaults:

    - ``slow``: seconds (5).
    - ``reset``, ``empty_body``, ``html_500``, ``http_502``: accept (false: the network never sees the request; true: it
      does, and only the answer is lost).
    - ``http_429``, ``http_503``: retry_after in seconds (2; null = no such header).
    - ``page_fails``: page (2).
    - ``label_missing``: empty (false: no ``labelImages`` at all; true: an empty list).
    - ``events_late``: withhold (false: older statuses stand behind newer ones; true: they are left out while the fault
      lasts).
    - ``event_unknown_code``: code ("ZZZZ").
    - ``barcode_changed``: deliveryDepot, serviceName (neither: another service).

    ``{"clear": true}`` drops all. Answer: ``{"waiting": [the faults still to strike]}``.
    """
    return steering.faults(simulation.faults, body, "operation", "fault", "count", "trackingNumber", "options")


def switches(simulation: Simulation, body: Body) -> Body:
    """``POST /_sim/switches``: ``{switch: value, ...}``, all or none; ``{}`` just looks. Answer: all switches."""
    simulation.switches.set(body)
    return simulation.switches.all()


def consignments(simulation: Simulation, body: Body) -> Body:
    """``POST /_sim/consignments``: create consignments as the portal or another depot would.

    All keys are optional:

    - ``depot`` (900): one of our depots. ``role``: what it is to the consignment, ``requested``, ``collected`` or
      ``delivered`` (absent: drawn).
    - ``at``: instant of creation (now; never later). ``consignmentStatus``: ACCEPTED, UNACCEPTED or CANCELLED.
    - ``trackingNumber``: 13 digits not yet known (absent: minted).
    - ``fields``: ``{path: value}``, facts of the consignment, which routing, barcodes and progress follow.
    - ``overrides``: ``{path: value}``, raw values that change only what is served; null = field absent.
    - ``count`` (to 100,000): that many, evenly over ``from`` (a day ago) <= lastUpdated < ``to`` (now).
    - ``raw``, with only ``depot`` and ``at`` beside it: the value, whatever JSON it is, stands in ``manifests[]`` as
      it is.

    A path is a consignment field (``weight``, ``pallets``), a top-level one (``collectionAddress``,
    ``deliveryAddress``, ``uniqueTransactionNumber``; for overrides ``consignments`` too) or a field inside an address
    (``deliveryAddress.postcode``). Answer: ``{"created": n, "trackingNumbers": [...]}`` (none for raw).
    """
    keys = ("depot", "role", "at", "from", "to", "count", "consignmentStatus", "trackingNumber", "fields", "overrides")
    known(body, *(("raw", "depot", "at") if "raw" in body else keys))
    simulation.catch_up()
    depot = one_of(body, "depot", OUR_DEPOTS, OUR_DEPOTS[0])
    times = creation_times(simulation, body)
    if "raw" in body:
        simulation.network.add_raw(depot, body["raw"], times[0])
        return {"created": 1, "trackingNumbers": []}
    number = body.get("trackingNumber")
    if number is not None:
        if not isinstance(number, str) or len(number) != 13 or not (number.isascii() and number.isdigit()):
            raise ValueError("trackingNumber must be a text of 13 digits")
        if number in simulation.network.consignments:
            raise ValueError(f"trackingNumber {number} is known already")
        if len(times) > 1:
            raise ValueError("trackingNumber cannot be given for several consignments")
    # Everything that can be wrong is the same for all of them, so that trying one makes it all or none.
    with_overrides(*_made(simulation, body, depot, times[0]))
    return {"created": len(times), "trackingNumbers": [_create(simulation, body, depot, at) for at in times]}


def change(simulation: Simulation, body: Body) -> Body:
    """``POST /_sim/change``: change a consignment as the network or the portal would; ``lastUpdated`` moves to now.

    ``{"trackingNumber": text}`` and any of ``deliveryDepot``, ``serviceName``, ``consignmentStatus``, or
    ``"cancel": true``. Answer: ``{"trackingNumber", "lastUpdated", "deliveryDepot", "serviceName", "consignmentStatus",
    "barcodes": [valid from now on]}``.
    """
    known(body, "trackingNumber", "deliveryDepot", "serviceName", "consignmentStatus", "cancel")
    simulation.catch_up()
    found = _consignment(simulation, body)
    status = one_of(body, "consignmentStatus", STATUSES)
    if "cancel" in body:
        if body["cancel"] is not True or status is not None:
            raise ValueError("cancel must be true, and stand without consignmentStatus")
        status = "CANCELLED"
    wanted = Change(
        simulation.clock.now(),
        one_of(body, "deliveryDepot", tuple(DEPOTS)),
        one_of(body, "serviceName", tuple(SERVICE_LEAD_DAYS)),
        status,
    )
    if not any(wanted[1:]):
        raise ValueError("Give one of deliveryDepot, serviceName, consignmentStatus and cancel")
    simulation.network.change(found, wanted)
    return {
        "trackingNumber": found.number,
        "lastUpdated": found.last_updated,
        "deliveryDepot": found.delivery_depot,
        "serviceName": found.facts["serviceName"],
        "consignmentStatus": found.status,
        "barcodes": found.barcodes(),
    }


def events(simulation: Simulation, body: Body) -> Body:
    """``POST /_sim/events``: inject statuses of a consignment.

    ``{"trackingNumber", "eventCode", "at": instant (now), "barcode": text, "depot", "signatory", "note", "latitude",
    "longitude"}``. Without ``barcode`` there is one status for each barcode valid now; ``""`` = all pallets. The code
    may be one that section 5 does not know. With ``raw``, which has only ``trackingNumber`` and ``at`` beside it, the
    value stands in ``trackingData[]`` as it is. Answer: ``{"injected": [elements]}``.
    """
    known(body, "trackingNumber", "at", *(("raw",) if "raw" in body else ("eventCode", "barcode", *_EVENT_FIELDS)))
    simulation.catch_up()
    found = _consignment(simulation, body)
    at = instant(body, "at") if "at" in body else simulation.clock.now()
    if "raw" in body:
        elements = [body["raw"]]
    else:
        wrong = [name for name in ("eventCode", "barcode", *_EVENT_FIELDS) if not isinstance(body.get(name, ""), str)]
        if wrong or not body.get("eventCode"):
            raise ValueError(f"{(wrong or ['eventCode'])[0]} must be a text")
        extra = {name: body[name] for name in _EVENT_FIELDS if name in body}
        elements = [
            {
                "trackingNumber": found.number,
                "barcode": barcode,
                "eventCode": body["eventCode"],
                "eventDateTime": wire_time(at),
                **extra,
            }
            for barcode in ([body["barcode"]] if "barcode" in body else found.barcodes())
        ]
    found.statuses += [Status(at, element) for element in elements]
    return {"injected": elements}


def held(simulation: Simulation, query: dict[str, str]) -> Body:
    """``GET /_sim/consignments``: what the network holds, ``{"total": n, "consignments": [...]}``, oldest first.

    Any of ``trackingNumber``, ``uniqueTransactionNumber``, ``consignmentNumber`` and ``customersUniqueReference`` in
    the query narrows it to equal ones. ``total`` counts all, the list ends after 1,000; ``offset`` skips so many of
    them. A consignment:
    ``{"trackingNumber", "uniqueTransactionNumber", "consignmentNumber", "customersUniqueReference", "requestingDepot",
    "collectingDepot", "deliveryDepot", "serviceName", "consignmentStatus", "lastUpdated", "barcodes": [valid now]}``.
    """
    known(query, *_FILTERS, "offset")
    skipped = skip(query)
    simulation.catch_up()
    everything = [(one, _held(one)) for one in simulation.network.consignments.values()]
    wanted = {name: value for name, value in query.items() if name in _FILTERS}
    matching = [(one, facts) for one, facts in everything if wanted.items() <= facts.items()]
    shown = [{**facts, "barcodes": one.barcodes()} for one, facts in matching[skipped : skipped + _MOST_SHOWN]]
    return {"total": len(matching), "consignments": shown}


def shown_statuses(simulation: Simulation, query: dict[str, str]) -> Body:
    """``GET /_sim/statuses``: ``{"statuses": {tracking number: [elements of trackingData]}}`` as shown without a fault.

    Of all consignments, those moved by the network itself, injected and uploaded, oldest first; ``trackingNumber``
    narrows it to one.
    """
    known(query, "trackingNumber")
    simulation.catch_up()
    wanted = query.get("trackingNumber")
    return {
        "statuses": {
            number: [status.element for status in reported(simulation, one)]
            for number, one in simulation.network.consignments.items()
            if wanted in (None, number)
        }
    }


def journal(simulation: Simulation, query: dict[str, str]) -> Body:
    """``GET /_sim/journal``: ``{"total": n, "requests": [...]}``, oldest first, the newest 5,000.

    A request: ``{"number", "time": simulator's clock in UTC, "operation", "path", "body": as sent with access keys
    masked, "status": HTTP status or null when no answer was sent, "outcome": OK, REFUSED, UNAUTHORISED, NOT_FOUND,
    FAULT or NO_ANSWER, "reasons": [...], "fault": name or null}``.
    """
    known(query)
    return {"total": simulation.journal.total, "requests": simulation.journal.entries()}


PATHS = Paths[Simulation](
    gets={"journal": journal, "consignments": held, "statuses": shown_statuses},
    posts={
        "faults": faults,
        "switches": switches,
        "clock": steering.clock,
        "consignments": consignments,
        "change": change,
        "events": events,
        "reset": steering.reset,
    },
)


def _create(simulation: Simulation, body: Body, depot: str, at: datetime) -> str:
    network = simulation.network
    document, overrides = _made(simulation, body, depot, at)
    facts = document["consignments"][0]
    facts["trackingNumber"] = body.get("trackingNumber") or network.mint(facts["requestingDepot"], _SYSTEM_ID)
    if "consignmentNumber" not in body.get("fields", {}):
        facts["consignmentNumber"] = facts["trackingNumber"][-7:]
    network.made += 1
    return network.add(document, at, overrides).number


def _made(simulation: Simulation, body: Body, depot: str, at: datetime) -> tuple[dict[str, Any], dict[str, Any]]:
    """The next consignment as ordered, not yet in the network, and its overrides."""
    rng = random.Random(f"palletforce|{simulation.seed}|made|{simulation.network.made}")
    drawn = draw_role(rng)
    role = one_of(body, "role", ROLES, drawn)
    document = consignment(rng, depot=depot, role=role, booked=at, serial=_SYSTEM_ID + "0000000")
    facts = document["consignments"][0]
    facts["consignmentStatus"] = one_of(body, "consignmentStatus", STATUSES, STATUSES[0])
    for path, value in _paths(body, "fields").items():
        if path in _NOT_FIELDS or path == "consignments":
            raise ValueError(f"fields: {path} is set by {_NOT_FIELDS.get(path, 'its single fields')}")
        put(document, path, value)
    for name in ("requestingDepot", "collectingDepot", "deliveryDepot"):
        one_of(facts, name, tuple(DEPOTS))
    one_of(facts, "serviceName", tuple(SERVICE_LEAD_DAYS))
    if not isinstance(document["uniqueTransactionNumber"], str):
        raise ValueError("fields: uniqueTransactionNumber must be a text")  # noqa: TRY004
    for name in ("collectionAddress", "deliveryAddress"):
        if not isinstance(document[name], dict):
            raise ValueError(f"fields: {name} must be an object")  # noqa: TRY004
    dates = facts["datesAndTimes"]
    if not isinstance(dates, list) or not all(isinstance(entry, dict) for entry in dates):
        raise ValueError("fields: datesAndTimes must be a list of {dateTimeType, value}")
    try:
        pallets = sum(int(pallet["numberofPallets"]) for pallet in facts["pallets"])
    except (TypeError, ValueError, KeyError):
        pallets = 0
    if not 1 <= pallets <= 99:
        raise ValueError("fields: pallets must be a list of {palletType, numberofPallets}, 1 to 99 in all")
    return document, _paths(body, "overrides")


def _paths(body: Body, name: str) -> dict[str, Any]:
    value = body.get(name, {})
    if not isinstance(value, dict):
        raise ValueError(f"{name} must be an object of field and value")  # noqa: TRY004
    return value


def _held(consignment: Consignment) -> Body:
    transaction = consignment.document["uniqueTransactionNumber"]
    return {"uniqueTransactionNumber": transaction, **{name: consignment.facts.get(name) for name in _HELD_FIELDS}}


def _consignment(simulation: Simulation, body: Body) -> Any:
    number = body.get("trackingNumber")
    found = simulation.network.consignments.get(number) if isinstance(number, str) else None
    if found is None:
        raise ValueError(f"There is no consignment with trackingNumber {number!r}")
    return found
