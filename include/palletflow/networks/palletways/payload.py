"""Our consignment as the manifest of createConsignment (contract 2.2). Pure: what the template says, nothing is asked.

What may be sent at all is decided in rules.py; here every value is expected to have passed it.
"""

import re
from collections import Counter
from collections.abc import Iterator
from datetime import date
from xml.etree import ElementTree
from xml.etree.ElementTree import Element

from palletflow.networks.palletways import parsing
from palletflow.networks.palletways.form import (
    BOOK_IN,
    BOOK_IN_CONTACT,
    BOOK_IN_INSTRUCTIONS,
    BOOK_IN_NOTE,
    BOOK_IN_PHONE,
    CLASSIFICATION,
    COLLECTION_REFERENCE,
    DELIVERY_TIME,
    HANDBALL,
    TAIL_LIFT,
    YES,
    Form,
    additional,
)
from palletflow.networks.palletways.tree import Tree
from palletflow.orders.consignment import Address
from palletflow.store.consignments import ConsignmentFacts

DELIVERY, COLLECTION = "Delivery", "Collection"
DECLARATION = '<?xml version="1.0" encoding="UTF-8"?>'
NOT_CARRIED = re.compile("[\x00-\x1f\x7f-\x9f\ufffe\uffff]")
# In the place of one that is not known yet.
SOME_TRACKING_ID = "0" * 11
Nodes = Iterator[tuple[str, str | Element]]


def manifest(
    facts: ConsignmentFacts,
    form: Form,
    *,
    account: str,
    number: str,
    reference: str,
    depot_node: str,
    depot: str,
) -> str:
    """The XML text of a manifest with one consignment [PW-7.1-1].

    `number` is the consignment's, `reference` our key of it. `depot_node`: in which node the depot stands, none or
    Number or Code (extra `manifest_depot_node`).
    """
    consignment = _element("Consignment", _consignment(facts, form, number, reference))
    of_account = _element("Account", iter([("Code", account), ("Consignment", consignment)]))
    named = [(depot_node, depot)] if depot_node != "none" else []
    of_depot = _element("Depot", iter([*named, ("Account", of_account)]))
    root = _element("Manifest", iter([("Confirm", _yes_no(form.confirm)), ("Depot", of_depot)]))
    return DECLARATION + ElementTree.tostring(root, encoding="unicode")


def given_back(manifest_text: str, depot: str) -> Tree:
    """What Palletways would show of a manifest if it wrote everything as we do (contract 2.3)."""
    _, shown = parsing.from_xml(manifest_text)
    assert isinstance(shown, dict), "a manifest has nodes"
    shown["Depot"]["Number"] = depot
    shown["Depot"]["Account"]["Consignment"]["TrackingID"] = SOME_TRACKING_ID
    return shown


def _consignment(facts: ConsignmentFacts, form: Form, number: str, reference: str) -> Nodes:
    yield "Type", form.type_of(facts)
    yield "ImportID", reference
    yield "Number", number
    yield "Reference", reference
    yield "Lifts", str(len(facts.pallets))
    yield "Weight", f"{facts.weight_kg:.2f}"
    for node, field in (("Handball", HANDBALL), ("TailLift", TAIL_LIFT)):
        if additional(facts, field):
            yield node, _yes_no(additional(facts, field) == YES)
    yield "Classification", additional(facts, CLASSIFICATION) or form.classification
    yield from _book_in(facts)
    if facts.notes:
        yield "ManifestNote", " ".join(facts.notes)
    if form.has_collection(facts):
        yield "CollectionDate", _day(facts.collection_date)
    yield "DeliveryDate", _day(facts.delivery_date)
    yield "DeliveryTime", additional(facts, DELIVERY_TIME)
    if form.has_collection(facts):
        yield "CollectionContactName", facts.pickup.contact
        yield "CollectionContactNumber", facts.pickup.phone
        yield "CollectionReference", additional(facts, COLLECTION_REFERENCE)
    yield "DeliveryAddressContactName", facts.delivery.contact
    yield "DeliveryAddressContactNumber", facts.delivery.phone
    yield "Service", _service(DELIVERY, form.services[facts.service].group, form.services[facts.service].code)
    if form.has_collection(facts) and form.collection_service:
        yield "Service", _service(COLLECTION, form.collection_service.group, form.collection_service.code)
        yield "Address", _address(COLLECTION, facts.pickup)
    yield "Address", _address(DELIVERY, facts.delivery)
    for unit, amount in Counter(form.bill_units[code] for code in facts.pallet_types).items():
        yield "BillUnit", _element("BillUnit", iter([("Type", unit), ("Amount", str(amount))]))
    if facts.notification_sms or facts.notification_email:
        yield "NotificationSet", _element("NotificationSet", _notifications(facts, form))
    if facts.goods_description:
        goods = [("LineNo", "1"), ("Description", facts.goods_description), ("Quantity", str(len(facts.pallets)))]
        yield "Product", _element("Product", iter(goods))


def _book_in(facts: ConsignmentFacts) -> Nodes:
    given = additional(facts, BOOK_IN)
    if not given:
        return
    yield "BookInRequest", _yes_no(given == YES)
    yield "BookInContactName", additional(facts, BOOK_IN_CONTACT)
    yield "BookInContactPhone", additional(facts, BOOK_IN_PHONE)
    yield "BookInContactNote", additional(facts, BOOK_IN_NOTE)
    yield "BookInInstructions", additional(facts, BOOK_IN_INSTRUCTIONS)


def _service(of: str, group: str, code: str) -> Element:
    return _element("Service", iter([("Type", of), ("Code", group), ("Surcharge", code)]))


def _address(of: str, address: Address) -> Element:
    lines = [("Line", line) for line in (address.street, address.locality) if line]
    return _element(
        "Address",
        iter(
            [
                ("Type", of),
                ("ContactName", address.contact),
                ("Telephone", address.phone),
                ("CompanyName", address.name),
                *lines,
                ("Town", address.town),
                ("County", address.county),
                ("PostCode", address.postcode),
                ("Country", address.country),
            ]
        ),
    )


def _notifications(facts: ConsignmentFacts, form: Form) -> Nodes:
    yield from (("SysGroup", group) for group in form.notification_groups)
    yield "SMSNumber", facts.notification_sms
    yield "Email", facts.notification_email


def _element(name: str, nodes: Nodes) -> Element:
    """An element of these nodes in their order; empty ones are left out."""
    element = Element(name)
    for child, content in nodes:
        if isinstance(content, Element):
            element.append(content)
        elif text := _clean(content):
            made = Element(child)
            made.text = text
            element.append(made)
    return element


def _clean(text: str) -> str:
    """On one line, without the characters that XML cannot carry."""
    return " ".join(NOT_CARRIED.sub(" ", text).split())


def _day(day: date | None) -> str:
    return day.isoformat() if day else ""


def _yes_no(value: bool) -> str:
    return "yes" if value else "no"
