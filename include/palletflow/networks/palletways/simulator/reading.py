"""Read calls about consignments: keytest, getConsignment, conStatusBy..., consEntered, getDynConStatus (2.1 to 2.5)."""

from typing import Any

from .consignment import DELIVERED, STATUS_NAMES, Address, Consignment
from .envelopes import found
from .members import ACCOUNTS, DEPOTS, HUB
from .replies import Tree
from .times import day_of, minute_of, second_of
from .wire import Request

_REGRESSED = 700


def keytest(request: Request) -> Tree:
    """Section 2.1."""
    depot = DEPOTS[request.key.depot]
    owner = {"UserName": request.key.user, "DepotNo": depot.number, "DepotName": depot.name, "Network": "UK"}
    return found([owner])


def get_consignment(request: Request) -> Tree:
    """Section 2.3."""
    one = request.simulation.network.of_tracking_id(request.key, request.argument(0))
    return found([{"Manifest": manifest(one)}] if one else [])


def con_status_by_tracking_id(request: Request) -> Tree:
    """Section 2.4; in the shape ``legacy`` the status as text with the notes."""
    one = request.simulation.network.of_tracking_id(request.key, request.argument(0))
    if one is not None and request.simulation.switches["status_shape"] == "legacy":
        return _legacy(request, one)
    return _basics(request, [one] if one else [])


def con_status_by_id(request: Request) -> Tree:
    """Section 2.4: the bridge from a response ID to the tracking ID."""
    one = request.simulation.network.of_response_id(request.key, request.argument(0))
    return _basics(request, [one] if one else [])


def con_status_by_con_no(request: Request) -> Tree:
    """Section 2.4. Whoever looks for a number finds out what became of a lost submission."""
    listed = request.simulation.network.of_number(request.key, request.argument(0))
    request.simulation.unsettled -= {(one.account, one.reference) for one in listed}
    return _basics(request, listed)


def con_status_by_cust_ref(request: Request) -> Tree:
    """Section 2.4."""
    listed = [one for one in request.seen() if one.reference and one.reference == request.argument(0)]
    simulation = request.simulation
    simulation.unsettled = {entry for entry in simulation.unsettled if entry[1] != request.argument(0)}
    return _basics(request, listed)


def cons_entered(request: Request) -> Tree:
    """Section 2.4: what the customer, or all customers of the depot, entered on one date, today when none is given."""
    day = request.argument(0) or day_of(request.now)
    listed = [one for one in request.seen() if one.depot == request.key.depot and day_of(one.created) == day]
    if day == day_of(request.now):
        request.simulation.unsettled.clear()
    return _basics(request, listed)


def get_dyn_con_status(request: Request) -> Tree:
    """Section 2.5."""
    return _dynamic(request, request.simulation.network.of_tracking_id(request.key, request.argument(0)))


def get_dyn_con_status_by_con_no(request: Request) -> Tree:
    """Section 2.5: only the most recent of that number."""
    listed = request.simulation.network.of_number(request.key, request.argument(0))
    accepted = [one for one in listed if one.statuses]
    return _dynamic(request, accepted[-1] if accepted else None)


def _dynamic(request: Request, one: Consignment | None) -> Tree:
    if one is None:
        return found([])
    shape = request.simulation.switches["status_shape"]
    if shape == "legacy":
        return _legacy(request, one)
    if shape == "glossary":
        return found([_glossary(request, one)])
    code, name = _status(request, one)
    return found(
        [
            {
                "TrackingID": one.tracking_id,
                "ConNo": one.number,
                "StatusCode": str(code),
                "StatusDescription": name,
                "StatusDate": day_of(one.status.at),
                "StatusTime": second_of(one.status.at),
                "DeliveryDepot": one.delivery_depot,
            }
        ]
    )


def _status(request: Request, one: Consignment) -> tuple[int, str]:
    """The status code and its name as the switches have it shown."""
    switches = request.simulation.switches
    code = one.status.code
    if switches["unknown_code"] is not None:
        code = int(switches["unknown_code"])
    elif code == DELIVERED and switches.is_on("status_regress"):
        code = _REGRESSED
    return code, STATUS_NAMES.get(code, "SOMETHING NEW")


def _legacy(request: Request, one: Consignment) -> Tree:
    """The form of 2017, without an envelope."""
    return {"status": _status(request, one)[1], "notes": [note.fields.get("NoteText", "") for note in one.notes]}


def _basics(request: Request, listed: list[Consignment]) -> Tree:
    return found([_glossary(request, one) for one in listed])


def _glossary(request: Request, one: Consignment) -> Tree:
    services = {type_: (group, code) for type_, group, code in one.services}
    collection, delivery = services.get("Collection", ("", "")), services.get("Delivery", ("", ""))
    basics = {
        "dc_syscon": one.tracking_id,
        "d_shift-asn": day_of(one.created),
        "c_transaction": one.type,
        "c_account": one.account,
        "c_accname": ACCOUNTS[one.account].name,
        "c_carcon": one.number,
        "c_cusref": one.reference,
        "dc_weight": f"{one.weight:.2f}",
        "i_syscardep": DEPOTS[one.collection_depot].internal,
        "i_d-syscardep": DEPOTS[one.delivery_depot].internal,
        "for_DepotNumber": one.delivery_depot,
        "i_pay-syscardep": DEPOTS[one.depot].internal,
        "c_service": collection[1],
        "c_d-service": delivery[0],
        "c_d-surcharge": delivery[1],
        "d_duedate": one.due_date,
        "i_duetime": one.due_time,
        "l_handball": _yes(one.handball),
        "l_taillift": _yes(one.tail_lift),
        "l_bin": _yes(bool(one.book_in_reference)),
        "l_binrequest": _yes(one.book_in),
        "l_DelPaper": "no",
    }
    if request.simulation.switches["status_shape"] == "glossary" and one.statuses:
        basics["status_code"] = str(_status(request, one)[0])
    return basics


def manifest(one: Consignment) -> Tree:
    """The ``Manifest`` node of getConsignment."""
    shown: dict[str, Any] = {
        "Number": one.decorated,
        "TrackingID": one.tracking_id,
        "Type": one.type,
        "Classification": one.classification,
        "CollectionReference": one.collection_reference,
        "Lifts": str(one.lifts),
        "Weight": f"{one.weight:.2f}",
        "HandBall": _yes(one.handball),
        "TailLift": _yes(one.tail_lift),
        "ADRGoods": "no",
        "LimitedQuantityGoods": "no",
        "Insurance": "",
        "PaperworkType": "PALLETWAYS",
        "CollectionDepot": one.collection_depot,
        "DeliveryDepot": one.delivery_depot,
        "DueDate": one.due_date,
        "DueTime": one.due_time,
        "BookedIn": _yes(bool(one.book_in_reference)),
        "BookInRequest": _yes(one.book_in),
        "BookInContactName": one.book_in_contact,
        "BookInEmailAddress": "",
        "BookInReference": one.book_in_reference,
        "Pallet": one.barcodes,
        "BillUnit": [{"Type": type_, "Amount": str(amount)} for type_, amount in one.bill_units],
        "Service": [{"Type": t, "Code": group, "Surcharge": code} for t, group, code in one.services],
        "Address": [_address(address) for address in one.addresses],
        "Hub": [{"Sequence": "1", "Name": HUB}],
    }
    account = {"Name": ACCOUNTS[one.account].name, "Code": one.account, "Consignment": [{**shown, **one.overrides}]}
    return {
        "Date": day_of(one.created),
        "Time": minute_of(one.created),
        "Depot": {"Number": one.depot, "Account": account},
    }


def _address(address: Address) -> Tree:
    return {
        "Type": address.type,
        "ContactName": address.contact,
        "CompanyName": address.company,
        "Line": address.lines,
        "Addr1": address.lines[0] if address.lines else "",
        "Town": address.town,
        "County": address.county,
        "Country": address.country,
        "PostCode": address.postcode,
        "Telephone": address.telephone,
    }


def _yes(flag: bool) -> str:
    return "yes" if flag else "no"
