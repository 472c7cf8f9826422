"""Submissions: createConsignment, confirming and deleting (section 2.2), createSystemNote (section 2.7)."""

from datetime import datetime, timedelta
from functools import partial
from typing import Any, NamedTuple

from palletflow.simulation.clock import LONDON, add_working_days

from .consignment import Address, Consignment
from .envelopes import done, rendered
from .freight import LEAD_DAYS
from .members import ACCOUNTS, depot_for
from .replies import CUT, Problem, Reply, Tree
from .supplied import Node, nodes, supplied, text, texts
from .validation import consignment_errors, error, manifest_errors, note_errors, notes_errors
from .wire import Request, boolean

# Status of a consignment that its depot has just accepted.
_FIRST_CODE = {"D": 100, "C": 30, "3": 30}
_NOTHING_STORED = "No data has been imported as it was not requested."
_KINDS = {"D": "Delivery", "C": "Collection", "3": "Third Party"}


class _Submitted(NamedTuple):
    """A consignment of a manifest; ``place``: from 1."""

    place: int
    import_id: str
    account: str
    node: Node


def create_consignment(request: Request) -> Tree | Reply:
    """Validate a manifest, and with ``commit=yes`` store its consignments, all or none (section 2.2)."""
    manifest = supplied(dict(request.params), "Manifest")
    submitted = _submitted(manifest)
    _validate(request, manifest, submitted)
    if not _commits(request):
        return done({"Message": _NOTHING_STORED})
    released = boolean(text(manifest, "Confirm")) is not False
    return _stored(request, [_import_detail(request, one, released) for one in submitted])


def manifest_consignment(request: Request) -> Tree:
    """Confirm an outstanding consignment to the depot."""
    one = _outstanding(request)
    one.released = True
    _expect_acceptance(request, one)
    return done({"Message": "Confirmed."})


def delete_consignment(request: Request) -> Tree:
    """Delete an outstanding consignment."""
    request.simulation.network.delete(_outstanding(request))
    return done({"Message": "Deleted."})


def create_system_note(request: Request) -> Tree | Reply:
    """Validate notes, and with ``commit=yes`` add them, all or none (section 2.7)."""
    root = supplied(dict(request.params), "notes")
    listed = nodes(root, "note")
    network = request.simulation.network
    by_note: dict[int, list[Tree]] = {}
    for index, note in enumerate(listed, 1):
        problems = note_errors(note)
        if text(note, "pw_id") and network.of_tracking_id(request.key, text(note, "pw_id")) is None:
            problems.append(error("Note", "pw_id", "VALUE", f"Value provided = [{text(note, 'pw_id')}]"))
        if problems:
            by_note[index] = problems
    _refuse({}, notes_errors(root), [(index, "", problems) for index, problems in by_note.items()])
    if not _commits(request):
        return done({"Message": _NOTHING_STORED})
    return _stored(request, [_note_detail(request, note) for note in listed])


def _commits(request: Request) -> bool:
    """``commit``; absent = no."""
    commits = boolean(request.params.get("commit", "no"))
    if commits is None:
        raise Problem("ERROR_FORMAT_INVALID", "The commit parameter is neither yes nor no.")
    return commits


def _submitted(manifest: Node) -> list[_Submitted]:
    consignments = [
        (text(account, "Code"), one)
        for depot in nodes(manifest, "Depot")
        for account in nodes(depot, "Account")
        for one in nodes(account, "Consignment")
    ]
    return [_Submitted(i, text(one, "ImportID"), code, one) for i, (code, one) in enumerate(consignments, 1)]


def _validate(request: Request, manifest: Node, submitted: list[_Submitted]) -> None:
    by_consignment = [
        (one.place, one.import_id, problems) for one in submitted if (problems := consignment_errors(one.node))
    ]
    strangers = {one.account for one in submitted if one.account and not _may_use(request, one.account)}
    of_account = [error("Account", "Code", "VALUE", f"Value provided = [{code}]") for code in sorted(strangers)]
    depots = nodes(manifest, "Depot")
    other = [
        error("Depot", name, "VALUE", f"Value provided = [{value}]")
        for name in ("Number", "Code")
        for depot in depots
        for value in texts(depot, name)
        if value != request.key.depot
    ]
    _refuse({"Account": {"Error": of_account}} if of_account else {}, manifest_errors(manifest) + other, by_consignment)


def _may_use(request: Request, code: str) -> bool:
    account = ACCOUNTS.get(code)
    if request.key.is_customer:
        return code == request.key.account
    return account is not None and account.depot == request.key.depot


def _refuse(account: Tree, around: list[Tree], inside: list[tuple[int, str, list[Tree]]]) -> None:
    """Raise Problem ERROR_VALIDATION when anything is wrong: nothing of the whole submission is kept."""
    if not (account or around or inside):
        return
    shown: dict[str, Any] = dict(account)
    if around:
        shown["Error"] = around
    if inside:
        shown["Consignment"] = [
            {"Index": str(index), "ImportID": import_id, "Error": problems} for index, import_id, problems in inside
        ]
    raise Problem(
        "ERROR_VALIDATION", "Validation errors occurred. No data has been imported.", {"ValidationErrors": shown}
    )


def _stored(request: Request, details: list[Tree]) -> Reply:
    """The answer to what has been stored, which may get lost (``commit_then_drop``)."""
    if request.simulation.switches.strike("commit_then_drop", request.method):
        return CUT
    return rendered(done({"ImportDetail": details}), request.format, request.simulation.switches)


def _import_detail(request: Request, submitted: _Submitted, released: bool) -> Tree:
    simulation = request.simulation
    one = _consignment(request, submitted, released)
    known = (one.account, one.reference)
    if one.reference and known in simulation.unsettled:
        request.violation("blind_resend", f"{one.account} {one.reference}: sent again without looking for the first")
    if one.reference:
        simulation.unsettled.add(known)
    response_id = simulation.network.submit(one)
    if released:
        _expect_acceptance(request, one)
    detail = {
        "ImportID": submitted.import_id,
        "ResponseID": response_id,
        "Information": f"Consignment type:{_KINDS[one.type]}.",
    }
    # Customer keys have to ask for it (section 2.2).
    if one.tracking_id and not request.key.is_customer:
        detail["TrackingID"] = one.tracking_id
    return detail


def _expect_acceptance(request: Request, one: Consignment) -> None:
    """Let the depot accept a released consignment after ``tracking_delay_s``."""
    simulation = request.simulation
    accept = partial(simulation.network.accept, one, code=_FIRST_CODE[one.type])
    delay = simulation.switches["tracking_delay_s"]
    simulation.network.at(request.now + timedelta(seconds=delay), accept)
    simulation.network.catch_up()


def _outstanding(request: Request) -> Consignment:
    one = request.simulation.network.of_response_id(request.key, request.argument(0))
    if one is None:
        raise Problem("NO_RESULTS_FOUND", "No results found.")
    if one.released:
        raise Problem("ERROR_ALREADY_CONFIRMED", "The consignment has been confirmed to the depot.")
    return one


def _consignment(request: Request, submitted: _Submitted, released: bool) -> Consignment:
    node, depot = submitted.node, request.key.depot
    addresses = sorted((_address(address) for address in nodes(node, "Address")), key=lambda address: address.type)
    depots = {address.type: depot_for(address.postcode) for address in addresses}
    type_ = text(node, "Type")
    services = [
        (text(service, "Type"), text(service, "Code"), text(service, "Surcharge")) for service in nodes(node, "Service")
    ]
    return Consignment(
        number=text(node, "Number"),
        depot=depot,
        account=submitted.account,
        created=request.now,
        collection_depot=depot if type_ == "D" else depots["Collection"],
        delivery_depot=depot if type_ == "C" else depots["Delivery"],
        addresses=addresses,
        services=services,
        bill_units=[(text(unit, "Type"), int(text(unit, "Amount"))) for unit in nodes(node, "BillUnit")],
        due_date=text(node, "DeliveryDate") or _due_date(request.now, services),
        type=type_,
        reference=text(node, "Reference"),
        import_id=submitted.import_id,
        classification=text(node, "Classification"),
        lifts=int(text(node, "Lifts")),
        weight=float(text(node, "Weight")),
        handball=bool(boolean(text(node, "Handball"))),
        tail_lift=bool(boolean(text(node, "TailLift"))),
        manifest_note=text(node, "ManifestNote"),
        due_time=text(node, "DeliveryTime") or "17:00",
        delivery_time=text(node, "DeliveryTime"),
        collection_date=text(node, "CollectionDate"),
        collection_reference=text(node, "CollectionReference"),
        book_in=bool(boolean(text(node, "BookInRequest"))),
        book_in_contact=text(node, "BookInContactName"),
        released=released,
        payload=request.params.get("data", ""),
    )


def _address(node: Node) -> Address:
    return Address(
        type=text(node, "Type"),
        company=text(node, "CompanyName"),
        contact=text(node, "ContactName"),
        telephone=text(node, "Telephone"),
        lines=texts(node, "Line"),
        town=text(node, "Town"),
        postcode=text(node, "PostCode"),
        county=text(node, "County"),
        country=text(node, "Country") or "GB",
    )


def _due_date(now: datetime, services: list[tuple[str, str, str]]) -> str:
    days = next((LEAD_DAYS[code] for _, _, code in services if code in LEAD_DAYS), 1)
    return add_working_days(now.astimezone(LONDON).date(), days).isoformat()


def _note_detail(request: Request, node: Node) -> Tree:
    network = request.simulation.network
    one = network.by_tracking_id[text(node, "pw_id")]
    day, month, year = text(node, "note_create_date").split("/")
    fields: dict[str, str] = {
        "NoteDate": f"20{year}-{month}-{day}",
        "NoteTime": f"{text(node, 'note_create_time')}:00",
        "Barcode": text(node, "barcode"),
        "NoteText": text(node, "free_text"),
        "NoteGroup": text(node, "note_group"),
        "NoteType": text(node, "note_type"),
    }
    if any(fields.items() <= note.fields.items() for note in one.notes):
        request.violation("note_twice", f"{one.tracking_id}: {fields['NoteGroup']} {fields['NoteText']}")
    note = network.note(one, at=request.now, fields=fields)
    return {"ImportID": "", "ResponseID": str(note.sys_note), "Information": "Note added."}
