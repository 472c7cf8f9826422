"""Strict validation of manifests and notes (sections 2.2 and 2.7): what is required, and what values may be.

Error codes are ``ERROR_<NODE>_<FIELD>_<KIND>``, kinds MANDATORY and VALUE.
"""

import re
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, NamedTuple

from .members import BILL_UNITS, SERVICES, TIMED
from .replies import Tree
from .supplied import Node, nodes, text, texts
from .wire import boolean

Check = Callable[[str], bool]

_POSTCODE = re.compile(r"[A-Z]{1,2}[0-9][0-9A-Z]? ?[0-9][A-Z]{2}", re.IGNORECASE)
_MOST_LINES = 5
_EARLIEST, _LATEST = "08:00", "18:00"


class _Field(NamedTuple):
    check: Check
    required: bool = False
    most: int | None = 1  # how many of it there may be; None = any number


def _any(_: str) -> bool:
    return True


def _matches(pattern: str) -> Check:
    return lambda value: re.fullmatch(pattern, value) is not None


def _one_of(*values: str) -> Check:
    return lambda value: value in values


def _written(*forms: str) -> Check:
    def check(value: str) -> bool:
        for form in forms:
            try:
                datetime.strptime(value, form)  # noqa: DTZ007  # only the form counts
            except ValueError:
                continue
            return True
        return False

    return check


def _flag(value: str) -> bool:
    return boolean(value) is not None


_DATE, _TIME, _NOTE_DATE = _written("%Y-%m-%d"), _written("%H:%M", "%H:%M:%S"), _written("%d/%m/%y")
_UNSIGNED, _AMOUNT = _matches(r"[0-9]{1,9}"), _matches(r"[0-9]{1,7}(\.[0-9]{1,3})?")


def _positive(check: Check) -> Check:
    return lambda value: check(value) and float(value) > 0


_Fields = Mapping[str, _Field]

# Fields that have children themselves are checked one by one below; their entry here says how many there may be.
_MANIFEST: _Fields = {
    "Date": _Field(_DATE),
    "Time": _Field(_TIME),
    "Confirm": _Field(_flag),
    "Depot": _Field(_any, required=True),
}
_DEPOT: _Fields = {"Number": _Field(_any), "Code": _Field(_any), "Account": _Field(_any, required=True)}
_ACCOUNT: _Fields = {
    "Code": _Field(_any, required=True),
    "Consignment": _Field(_any, required=True, most=None),
}
_CONSIGNMENT: _Fields = {
    "Type": _Field(_one_of("D", "C", "3"), required=True),
    "Number": _Field(_matches(r"[ -~]{1,30}"), required=True),
    "ImportID": _Field(_any),
    "Reference": _Field(_any),
    "Lifts": _Field(_positive(_UNSIGNED), required=True),
    "Weight": _Field(_positive(_AMOUNT), required=True),
    "Classification": _Field(_one_of("B2B", "B2R"), required=True),
    "Handball": _Field(_flag),
    "TailLift": _Field(_flag),
    "ManifestNote": _Field(_any),
    "BookInRequest": _Field(_flag),
    "BookInContactName": _Field(_any),
    "BookInContactPhone": _Field(_any),
    "BookInContactNote": _Field(_any),
    "BookInInstructions": _Field(_any),
    "CollectionDate": _Field(_DATE),
    "DeliveryDate": _Field(_DATE),
    "DeliveryTime": _Field(_matches(r"[0-9]{2}:[0-9]{2}")),
    "CollectionContactName": _Field(_any),
    "CollectionContactNumber": _Field(_any),
    "CollectionReference": _Field(_any),
    "DeliveryAddressContactName": _Field(_any),
    "DeliveryAddressContactNumber": _Field(_any),
    "Service": _Field(_any, required=True, most=None),
    "Address": _Field(_any, required=True, most=2),
    "BillUnit": _Field(_any, required=True, most=None),
    "NotificationSet": _Field(_any, most=None),
    "Product": _Field(_any, most=None),
}
_CHILDREN: Mapping[str, _Fields] = {
    "Service": {
        "Type": _Field(_one_of("Delivery", "Collection"), required=True),
        "Code": _Field(_one_of(*{service.group for service in SERVICES}), required=True),
        "Surcharge": _Field(_one_of(*{service.code for service in SERVICES}), required=True),
    },
    "Address": {
        "Type": _Field(_one_of("Delivery", "Collection"), required=True),
        "ContactName": _Field(_any, required=True),
        "Telephone": _Field(_any, required=True),
        "Fax": _Field(_any),
        "CompanyName": _Field(_any, required=True),
        "Line": _Field(_any, required=True, most=_MOST_LINES),
        "Town": _Field(_any, required=True),
        "County": _Field(_any),
        "PostCode": _Field(_any, required=True),
        "Country": _Field(_matches("[A-Z]{2}")),
    },
    "BillUnit": {
        "Type": _Field(_one_of(*BILL_UNITS), required=True),
        "Amount": _Field(_positive(_UNSIGNED), required=True),
    },
    "NotificationSet": {
        "SysGroup": _Field(_UNSIGNED, most=None),
        "SMSNumber": _Field(_any),
        "Email": _Field(_matches(r"[^@\s]+@[^@\s]+")),
    },
    "Product": {
        "LineNo": _Field(_UNSIGNED),
        "Description": _Field(_any),
        "Quantity": _Field(_UNSIGNED),
        "Code": _Field(_any),
    },
}
_BOOKING_IN = ("BookInContactName", "BookInContactPhone", "BookInContactNote", "BookInInstructions")
_COLLECTING = ("CollectionContactName", "CollectionContactNumber", "CollectionReference")
# Type: the services and the addresses it needs.
_NEEDS = {"D": ("Delivery",), "C": ("Collection",), "3": ("Collection", "Delivery")}

_NOTES_HEADER: _Fields = {
    "create_date": _Field(_NOTE_DATE, required=True),
    "create_time": _Field(_written("%H:%M"), required=True),
    "orig_filename": _Field(_any, required=True),
    "notes_qty": _Field(_UNSIGNED, required=True),
}
_NOTE: _Fields = {
    "pw_id": _Field(_any, required=True),
    "barcode": _Field(_any),
    "note_create_date": _Field(_NOTE_DATE, required=True),
    "note_create_time": _Field(_written("%H:%M"), required=True),
    "customer_name": _Field(_any),
    "bin_ref": _Field(_any),
    "free_text": _Field(_any),
    "note_group": _Field(_any, required=True),
    "note_type": _Field(_any, required=True),
    "note_description": _Field(_any),
}


def error(node: str, field: str, kind: str, detail: str = "") -> Tree:
    """An ``Error`` node."""
    said = {
        "MANDATORY": f"[{node}] provided does not contain the required [{field}] node.",
        "VALUE": f"{node} [{field}] is not in the required format. {detail}".strip(),
    }
    return {"Code": f"ERROR_{node}_{field}_{kind}".upper(), "Description": said[kind]}


def manifest_errors(manifest: Node) -> list[Tree]:
    """What is wrong around the consignments."""
    depots = nodes(manifest, "Depot")
    accounts = [account for depot in depots for account in nodes(depot, "Account")]
    return [
        *_of("Manifest", manifest, _MANIFEST),
        *(problem for depot in depots for problem in _of("Depot", depot, _DEPOT)),
        *(problem for account in accounts for problem in _of("Account", account, _ACCOUNT)),
    ]


def consignment_errors(one: Node) -> list[Tree]:
    """What is wrong with a ``Consignment`` node."""
    type_ = text(one, "Type")
    needed = _NEEDS.get(type_, ())
    problems = _of("Consignment", one, _CONSIGNMENT)
    for name, fields in _CHILDREN.items():
        for child in nodes(one, name):
            problems += _of(name, child, fields)
    if boolean(text(one, "BookInRequest")):
        problems += _required(one, _BOOKING_IN)
    if type_ in ("C", "3"):
        problems += _required(one, _COLLECTING)
    kinds = [text(address, "Type") for address in nodes(one, "Address")]
    services = {text(service, "Type") for service in nodes(one, "Service")}
    if len(set(kinds)) < len(kinds):
        problems.append(error("Address", "Type", "VALUE", "Every type once."))
    problems += [error("Address", kind, "MANDATORY") for kind in needed if kinds and kind not in kinds]
    problems += [error("Service", kind, "MANDATORY") for kind in needed if services and kind not in services]
    return problems + _service_errors(one) + _postcode_errors(one) + _time_errors(one)


def notes_errors(root: Node) -> list[Tree]:
    """What is wrong with the ``notes`` root and its header."""
    listed = nodes(root, "note")
    problems = [] if listed else [error("Notes", "note", "MANDATORY")]
    headers = nodes(root, "header")
    if not headers:
        problems.append(error("Notes", "header", "MANDATORY"))
    for header in headers:
        problems += _of("Header", header, _NOTES_HEADER)
        quantity = text(header, "notes_qty")
        if quantity.isdigit() and int(quantity) != len(listed):
            problems.append(error("Header", "notes_qty", "VALUE", f"There are {len(listed)} notes."))
    return problems + _unknown("Notes", root, ("header", "note"))


def note_errors(note: Node) -> list[Tree]:
    """What is wrong with a ``note`` node."""
    return _of("Note", note, _NOTE)


def _of(name: str, node: Node, fields: _Fields) -> list[Tree]:
    problems = []
    for field, rule in fields.items():
        inner: list[Any] = [*texts(node, field), *nodes(node, field)]
        if rule.required and not inner:
            problems.append(error(name, field, "MANDATORY"))
        if rule.most is not None and len(inner) > rule.most:
            problems.append(error(name, field, "VALUE", f"At most {rule.most}."))
        problems += [
            error(name, field, "VALUE", f"Value provided = [{value}]")
            for value in texts(node, field)
            if not rule.check(value)
        ]
    return problems + _unknown(name, node, tuple(fields))


def _unknown(name: str, node: Node, known: tuple[str, ...]) -> list[Tree]:
    return [error(name, child, "VALUE", "There is no such node.") for child in node if child not in known]


def _required(one: Node, fields: tuple[str, ...]) -> list[Tree]:
    return [error("Consignment", field, "MANDATORY") for field in fields if not text(one, field)]


def _service_errors(one: Node) -> list[Tree]:
    """Group and code must belong together."""
    offered = {(service.type, service.group, service.code) for service in SERVICES}
    known = ({entry[part] for entry in offered} for part in range(3))
    types, groups, codes = known
    problems = []
    for service in nodes(one, "Service"):
        type_, group, code = (text(service, name) for name in ("Type", "Code", "Surcharge"))
        if type_ in types and group in groups and code in codes and (type_, group, code) not in offered:
            problems.append(error("Service", "Surcharge", "VALUE", f"{type_} has no {group} {code}."))
    return problems


def _postcode_errors(one: Node) -> list[Tree]:
    return [
        error("Address", "PostCode", "VALUE", f"Value provided = [{text(address, 'PostCode')}]")
        for address in nodes(one, "Address")
        if text(address, "PostCode")
        and (text(address, "Country") or "GB") == "GB"
        and not _POSTCODE.fullmatch(text(address, "PostCode"))
    ]


def _time_errors(one: Node) -> list[Tree]:
    """A delivery time is for the timed pre-booked service alone, and within the day."""
    time = text(one, "DeliveryTime")
    if not time:
        return []
    timed = any(text(service, "Surcharge") == TIMED for service in nodes(one, "Service"))
    if timed and _EARLIEST <= time <= _LATEST and _TIME(time):
        return []
    return [error("Consignment", "DeliveryTime", "VALUE", f"Value provided = [{time}]")]
