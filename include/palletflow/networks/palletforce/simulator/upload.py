"""The two operations that write: UploadManifest (section 2.1) and UploadTracking (section 2.6)."""

import json
import re
from collections.abc import Iterator
from datetime import datetime
from typing import Any

from .answers import Answer
from .freight import PALLET_TYPES, SERVICE_LEAD_DAYS
from .gazetteer import DEPOTS, depot_for
from .members import ACCOUNTS
from .progress import EVENT_CODES, OUTCOMES
from .state import Status
from .times import from_wire_time
from .wire import Refused, Request, failed_consignment, failure_texts, records, scalar

_SYSTEM_ID = "001"
_NOTIFICATION_TYPES = ("EMAIL", "SMS", "TWITTER")
_TRACKING_RULE = "Tracking number must be 13 digits and begin with the requesting depot code"

_ADDRESS_REQUIRED = ("name", "streetAddress", "town", "postcode", "countryCode")
_ADDRESS_LIMITS = {
    "name": 50,
    "streetAddress": 50,
    "location": 50,
    "town": 50,
    "county": 50,
    "countryCode": 2,
    "phoneNumber": 20,
    "contactName": 50,
}
_CONSIGNMENT_REQUIRED = ("requestingDepot", "consignmentNumber", "CustomerAccountNumber", "serviceName")
_CONSIGNMENT_LIMITS = {"consignmentNumber": 7, "customersUniqueReference": 35, "customersUniqueReference2": 35}
_NOTE_LIMIT = 36
_TWO_DIGITS = ("insuranceCode", "hubIdentifyingCode")
_BATCH_LIMIT = 100
_ON_DELIVERY_ROUND = ("DELV", "DONR", "ARDL", *OUTCOMES)


def upload_manifest(request: Request) -> Answer:
    """Register consignments: all that are in order are taken, each of the others is refused with every reason.

    A tracking number known as unaccepted in the same depot is taken over (section 6, rule 8).
    """
    network = request.simulation.network
    listed = records(request.body, "consignments")
    if not listed:
        raise Refused("consignments: must not be empty")
    transaction = request.text("uniqueTransactionNumber")
    sent = {name: value for name, value in request.body.items() if name != "accessKey"}
    wording = json.dumps(sent, sort_keys=True)
    earlier = network.transactions.get((request.depot, transaction))
    if earlier is not None and earlier[0] == wording and request.simulation.switches.is_on("transaction_replay"):
        return _uploaded(request, earlier[1], [])

    common = [] if transaction else ["uniqueTransactionNumber: must not be blank"]
    if earlier is not None:
        common.append(f"Transaction number {transaction} has already been used")
    codes: list[str] = []
    failed: list[tuple[dict[str, Any], list[str]]] = []
    for consignment in listed:
        reasons = [
            *_forced(request, consignment),
            *common,
            *_address_faults(sent, "collectionAddress"),
            *_address_faults(sent, "deliveryAddress"),
            *_consignment_faults(request, consignment),
        ]
        if reasons:
            failed.append((consignment, reasons))
        else:
            codes.append(_register(request, sent, consignment))
    if not failed:
        network.transactions[request.depot, transaction] = (wording, codes)
    request.created += codes
    if request.struck_by("partial_success") and codes:
        failed.append((listed[0], ["Registered, but the label is not ready yet"]))
    return _uploaded(request, [] if request.struck_by("success_without_code") else codes, failed)


def _uploaded(request: Request, codes: list[str], failed: list[tuple[dict[str, Any], list[str]]]) -> Answer:
    refused = [failed_consignment(request.simulation, consignment, reasons) for consignment, reasons in failed]
    return request.answer(
        {"successfulTrackingCodes": codes, "failedConsignments": refused},
        success=not failed,
        reasons=[reason for _, reasons in failed for reason in reasons],
    )


def _register(request: Request, sent: dict[str, Any], consignment: dict[str, Any]) -> str:
    network = request.simulation.network
    requesting = scalar(consignment, "requestingDepot")
    number = scalar(consignment, "trackingNumber")
    known = bool(number)
    if not known:
        own = scalar(consignment, "consignmentNumber")
        number = network.mint(requesting, _SYSTEM_ID, int(own) if own.isascii() and own.isdigit() else None)
    document = {
        **sent,
        "consignments": [
            {
                **consignment,
                "collectingDepot": _depot(sent, consignment, "collectingDepot", "collectionAddress"),
                "deliveryDepot": _depot(sent, consignment, "deliveryDepot", "deliveryAddress"),
                "trackingNumber": number,
                "consignmentStatus": "UNACCEPTED" if scalar(consignment, "acceptedStatus") == "N" else "ACCEPTED",
            }
        ],
    }
    now = request.simulation.clock.now()
    if number in network.consignments:
        network.replace(document, now)
    else:
        network.add(document, now)
    return number


def _depot(sent: dict[str, Any], consignment: dict[str, Any], field: str, address: str) -> str | None:
    """The depot sent, else the one of the address's postcode."""
    return scalar(consignment, field) or depot_for(scalar(sent[address], "postcode"))


def _forced(request: Request, consignment: dict[str, Any]) -> Iterator[str]:
    """The refusals that a fault orders."""
    depot = scalar(consignment, "requestingDepot")
    if request.struck_by("duplicate_tracking"):
        number = scalar(consignment, "trackingNumber") or f"{depot}{_SYSTEM_ID}0000001"
        yield f"Tracking number {number} is already registered"
    if request.struck_by("unknown_depot"):
        yield f"Depot {depot} is not recognised"
    if request.struck_by("notifications_off"):
        sent = [scalar(entry, "notificationType") for entry in records(consignment, "notifications")]
        yield f"Customer does not have {[*sent, 'EMAIL'][0]} notifications enabled"


def _address_faults(sent: dict[str, Any], which: str) -> Iterator[str]:
    address = sent.get(which)
    if not isinstance(address, dict):
        yield f"{which}: must not be blank"
        return
    for name in _ADDRESS_REQUIRED:
        if not scalar(address, name):
            yield f"{which}.{name}: must not be blank"
    yield from _too_long(address, _ADDRESS_LIMITS, f"{which}.")
    if which == "deliveryAddress" and not scalar(address, "phoneNumber").replace(" ", "").strip("0"):
        yield "deliveryAddress.phoneNumber: must be neither blank nor all zeros"


def _consignment_faults(request: Request, consignment: dict[str, Any]) -> Iterator[str]:
    for name in _CONSIGNMENT_REQUIRED:
        if not scalar(consignment, name):
            yield f"{name}: must not be blank"
    yield from _too_long(consignment, _CONSIGNMENT_LIMITS)
    yield from _depot_faults(request, consignment)
    yield from _tracking_number_faults(request, consignment)
    account = ACCOUNTS.get(scalar(consignment, "CustomerAccountNumber"))
    if scalar(consignment, "CustomerAccountNumber") and (account is None or account["depot"] != request.depot):
        yield "CustomerAccountNumber: unknown account"
    if scalar(consignment, "serviceName") and scalar(consignment, "serviceName") not in SERVICE_LEAD_DAYS:
        yield "serviceName: unknown service"
    for name in _TWO_DIGITS:
        if not re.fullmatch(r"([0-9]{2})?", scalar(consignment, name)):
            yield f"{name}: must be two digits or empty"
    if scalar(consignment, "acceptedStatus") not in ("", "Y", "N"):
        yield "acceptedStatus: must be Y or N"
    yield from _freight_faults(consignment)
    for note in records(consignment, "notes"):
        if len(scalar(note, "value")) > _NOTE_LIMIT:
            yield f"notes: must not be longer than {_NOTE_LIMIT} characters each"
    for entry in records(consignment, "notifications"):
        kind = scalar(entry, "notificationType")
        if kind not in _NOTIFICATION_TYPES:
            yield f"notifications: unknown type {kind}"
        elif account is not None and not account["notifications"]:
            yield f"Customer does not have {kind} notifications enabled"


def _depot_faults(request: Request, consignment: dict[str, Any]) -> Iterator[str]:
    requesting = scalar(consignment, "requestingDepot")
    if requesting and requesting != request.depot:
        yield f"Depot {requesting} is not recognised"
    for name, which in (("collectingDepot", "collectionAddress"), ("deliveryDepot", "deliveryAddress")):
        depot = scalar(consignment, name)
        if depot and depot not in DEPOTS:
            yield f"Depot {depot} is not recognised"
        address = request.body.get(which)
        postcode = scalar(address, "postcode") if isinstance(address, dict) else ""
        if not depot and postcode and depot_for(postcode) is None:
            yield f"No depot serves postcode {postcode}"


def _tracking_number_faults(request: Request, consignment: dict[str, Any]) -> Iterator[str]:
    number = scalar(consignment, "trackingNumber")
    if not number:
        return
    if not re.fullmatch(r"[0-9]{13}", number) or not number.startswith(scalar(consignment, "requestingDepot")):
        yield _TRACKING_RULE
        return
    known = request.simulation.network.consignments.get(number)
    if known is not None and (known.status != "UNACCEPTED" or known.requesting_depot != request.depot):
        yield f"Tracking number {number} is already registered"


def _freight_faults(consignment: dict[str, Any]) -> Iterator[str]:
    total = 0
    for pallet in records(consignment, "pallets"):
        if scalar(pallet, "palletType") not in PALLET_TYPES:
            yield f"pallets: unknown pallet type {scalar(pallet, 'palletType')}"
        count = _whole(scalar(pallet, "numberofPallets"))
        if not 1 <= count <= 99:
            yield "pallets: numberofPallets must be a whole number from 1 to 99"
        total += count
    if not records(consignment, "pallets"):
        yield "pallets: at least one pallet is required"
    elif total > 99:
        yield "pallets: more than 99 pallets"
    if _whole(scalar(consignment, "palletSpaces")) < 1:
        yield "palletSpaces: must be a whole number of at least 1"
    if not 1 <= _whole(scalar(consignment, "weight")) <= 9999:
        yield "weight: must be a whole number of kg from 1 to 9999"
    dates = {scalar(entry, "dateTimeType"): scalar(entry, "value") for entry in records(consignment, "datesAndTimes")}
    if "COLD" not in dates:
        yield "datesAndTimes: COLD is required"
    for kind in ("COLD", "DELD"):
        if kind in dates and not _is_date(dates[kind]):
            yield f"datesAndTimes: {kind} must be a date YYYYMMDD"
    surcharges = scalar(consignment, "surcharges")
    if not re.fullmatch(r"([A-Z]{2}( [A-Z]{2})*)?", surcharges):
        yield "surcharges: must be two-letter codes separated by one space"
    if "AZ" in surcharges.split(" "):
        for name in ("cartonCount", "aSNFBABOLReferenceNumber"):
            if not scalar(consignment, name):
                yield f"{name}: required with surcharge AZ"


def _too_long(record: dict[str, Any], limits: dict[str, int], prefix: str = "") -> Iterator[str]:
    for name, limit in limits.items():
        if len(scalar(record, name)) > limit:
            yield f"{prefix}{name}: must not be longer than {limit} characters"


def _whole(text: str) -> int:
    """The whole number in ``text``, or -1."""
    return int(text) if re.fullmatch(r"[0-9]{1,9}", text) else -1


def _is_date(text: str) -> bool:
    try:
        datetime.strptime(text, "%Y%m%d")  # noqa: DTZ007
    except ValueError:
        return False
    return len(text) == 8


# Section 2.6


def upload_tracking(request: Request) -> Answer:
    """Take in statuses, each for itself. A repeated one changes nothing."""
    if not request.text("uniqueTransactionNumber"):
        raise Refused("uniqueTransactionNumber: must not be blank")
    listed = records(request.body, "trackingData")
    if not listed:
        raise Refused("trackingData: must not be empty")
    if len(listed) > _BATCH_LIMIT:
        raise Refused(f"trackingData: must not have more than {_BATCH_LIMIT} elements")
    if request.struck_by("tracking_upload_refused"):
        reasons = ["Statuses could not be stored"]
        facts = {"failedTracking": [], **failure_texts(request.simulation, reasons)}
        return request.answer(facts, success=False, reasons=reasons)
    failed: list[dict[str, Any]] = []
    texts: list[str] = []
    for position, element in enumerate(listed):
        reasons = list(_status_faults(request, element))
        if position == 0 and request.struck_by("tracking_upload_partial"):
            reasons.append("Status could not be stored")
        if not reasons:
            _record(request, element)
            continue
        texts += reasons
        named = {name: scalar(element, name) for name in ("trackingNumber", "barcode", "eventCode")}
        failed.append({**named, **failure_texts(request.simulation, reasons)})
    return request.answer({"failedTracking": failed}, success=not failed, reasons=texts)


def _status_faults(request: Request, element: dict[str, Any]) -> Iterator[str]:
    number, code = scalar(element, "trackingNumber"), scalar(element, "eventCode")
    consignment = request.simulation.network.visible(request.depot, number)
    if consignment is None:
        yield f"Tracking number {number} is not known"
    elif scalar(element, "barcode") and scalar(element, "barcode") not in consignment.barcodes():
        yield f"barcode: {scalar(element, 'barcode')} is not a valid barcode of {number}"
    if code not in EVENT_CODES:
        yield f"eventCode: unknown code {code}"
    try:
        from_wire_time(scalar(element, "eventDateTime"))
    except ValueError:
        yield "eventDateTime: must be YYYY-MM-DDTHH:MM:SS"
    if scalar(element, "depot") != request.depot:
        yield f"Depot {scalar(element, 'depot')} is not recognised"
    order, total = scalar(element, "deliveryOrder"), scalar(element, "totalDeliveries")
    if code in _ON_DELIVERY_ROUND and not 1 <= _whole(order) <= _whole(total):
        yield f"deliveryOrder: deliveryOrder and totalDeliveries are required with {code}"
    if code not in _ON_DELIVERY_ROUND and (order or total):
        yield f"deliveryOrder: deliveryOrder and totalDeliveries must be empty with {code}"
    if code in ("POD", "PODD", "PODE") and not scalar(element, "signatory"):
        yield f"signatory: required with {code}"
    if code in ("PODD", "PODE", "DMGD", "ABRT") and not scalar(element, "note"):
        yield f"note: required with {code}"
    if len(scalar(element, "note")) > 140:
        yield "note: must not be longer than 140 characters"
    for name in ("latitude", "longitude"):
        if not re.fullmatch(r"(-?[0-9]{1,3}(\.[0-9]+)?)?", scalar(element, name)):
            yield f"{name}: must be decimal degrees or empty"


def _record(request: Request, element: dict[str, Any]) -> None:
    """Keep a status as DownloadTracking will show it."""
    consignment = request.simulation.network.consignments[scalar(element, "trackingNumber")]
    names = ("trackingNumber", "barcode", "eventCode", "eventDateTime", "depot")
    shown = {name: scalar(element, name) for name in names}
    for name in ("signatory", "note", "latitude", "longitude"):
        if scalar(element, name):
            shown[name] = scalar(element, name)

    def identity(status: Any) -> list[Any]:
        return [status.get(name) for name in names[:4]] if isinstance(status, dict) else []

    if identity(shown) not in [identity(known.element) for known in consignment.statuses]:
        consignment.statuses.append(Status(from_wire_time(shown["eventDateTime"]), shown))
