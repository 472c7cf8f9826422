"""What may be dispatched to Palletways and why not (contract 2.2 and 7.1). Pure.

A fault is found before any call; all faults are told together, each with what to do about it. Its code is the rule of
the contract.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import time

from palletflow.networks.palletways.form import (
    BOOK_IN,
    BOOK_IN_CONTACT,
    BOOK_IN_INSTRUCTIONS,
    BOOK_IN_NOTE,
    BOOK_IN_PHONE,
    CLASSIFICATION,
    CLASSIFICATIONS,
    COLLECTION_REFERENCE,
    DELIVERY_TIME,
    HANDBALL,
    NO,
    TAIL_LIFT,
    TYPE,
    TYPES,
    YES,
    Form,
    Shipment,
    additional,
)
from palletflow.networks.palletways.mapper import FLAGS, TEXTS
from palletflow.orders.consignment import Address
from palletflow.orders.faults import Fault
from palletflow.store.consignments import ConsignmentFacts
from palletflow.store.dispatch import Company

EARLIEST, LATEST = time(8), time(18)
CLOCK = re.compile(r"([01][0-9]|2[0-3]):[0-5][0-9]")
# Parts of an address that Palletways wants, by our names [PW-2.2-12].
ADDRESS_REQUIRED = ("name", "contact", "phone", "street", "town", "postcode")
BOOK_IN_FIELDS = (BOOK_IN_CONTACT, BOOK_IN_PHONE, BOOK_IN_NOTE, BOOK_IN_INSTRUCTIONS)
ADDITIONAL_FIELDS = (*TEXTS, *FLAGS)
# Additional field: what it may be, how that is said, and the rule.
ANY_OF: Mapping[str, tuple[Sequence[str], str]] = {
    TYPE: (TYPES, "PW-2.2-3"),
    CLASSIFICATION: (CLASSIFICATIONS, "PW-2.2-5"),
    HANDBALL: ((YES, NO), "PW-2.2-6"),
    TAIL_LIFT: ((YES, NO), "PW-2.2-6"),
    BOOK_IN: ((YES, NO), "PW-2.2-7"),
}


def wrong_values(shipment: Shipment, form: Form, is_tracking_id: Callable[[str], object]) -> list[Fault]:
    """What is wrong with the values that are given; what is not given yet is no fault here."""
    return [
        *_unknown_fields(shipment),
        *_choices(shipment),
        *_service(shipment, form),
        *_delivery_time(shipment, form),
        *_pallets(shipment, form),
        *_tracking_id(shipment, is_tracking_id),
    ]


def preflight(
    facts: ConsignmentFacts,
    form: Form,
    *,
    is_tracking_id: Callable[[str], object],
    accounts: Sequence[str],
    company: Company,
    trouble: str,
) -> list[Fault]:
    """Everything that keeps a consignment from being sent, before any call.

    `accounts`: its customer's. `trouble`: why its depot's connection cannot be used for it, "" when it can.
    """
    return [
        *_alone(facts, company),
        *wrong_values(facts, form, is_tracking_id),
        *_account(facts, accounts),
        *_missing(facts),
        *_collection(facts, form),
        *_addresses(facts, form),
        *_book_in(facts),
        *_mapping(form),
        *_connection(facts, trouble),
    ]


def account(facts: ConsignmentFacts, accounts: Sequence[str]) -> str:
    """The account code to send: the order's own, else the customer's only one; "" if there is none."""
    return facts.account or (accounts[0] if len(accounts) == 1 else "")


# Of the dispatch


def _alone(facts: ConsignmentFacts, company: Company) -> Iterator[Fault]:
    if facts.cancelled:
        yield Fault("CANCELLED", "order", "the order is cancelled", "Restore the order or take it off the trip")
    if facts.tracking_number:
        yield Fault(
            "PW-3-1",
            "tracking_number",
            f"{facts.tracking_number} is live at Palletways as order {company.registered_by}"
            if company.registered_by
            else f"Palletways gives every consignment its tracking ID; {facts.tracking_number} is of another dispatch",
            "Clear the tracking ID on this order to dispatch it, or take it off the trip: it is looked up by itself",
        )


def _account(facts: ConsignmentFacts, accounts: Sequence[str]) -> Iterator[Fault]:
    if account(facts, accounts):
        return
    yield Fault(
        "PW-2.2-2",
        "account",
        f"the customer has several Palletways accounts ({', '.join(accounts)})"
        if accounts
        else "the customer has no Palletways account",
        "Give the order the account code to use, or mend the customer's accounts in the deployment file",
    )


def _connection(facts: ConsignmentFacts, trouble: str) -> Iterator[Fault]:
    if trouble:
        yield Fault(
            "PW-7-1",
            "requesting_depot",
            f"depot {facts.requesting_depot or 'of the resource'} cannot dispatch: {trouble}",
            "Complete the Airflow connection that the deployment file names for the depot",
        )


def _mapping(form: Form) -> Iterator[Fault]:
    if not form.services or not form.bill_units:
        yield Fault(
            "PW-7.1-2",
            "order",
            "the template has no services or no bill_units of your country",
            "Ask Palletways for your service codes and billing units and name them in the template",
        )


# Values


def _unknown_fields(shipment: Shipment) -> Iterator[Fault]:
    for name in sorted(set(shipment.additional_fields) - set(ADDITIONAL_FIELDS)):
        yield Fault(
            "UNKNOWN_FIELD",
            f"additional_fields.{name}",
            f"Palletways has no such field here; it has {', '.join(ADDITIONAL_FIELDS)}",
            "Correct its name or leave it out",
        )


def _choices(shipment: Shipment) -> Iterator[Fault]:
    for field, (choices, rule) in ANY_OF.items():
        value = additional(shipment, field)
        if value and value not in choices:
            yield Fault(
                rule, f"additional_fields.{field}", f"'{value}' is not {' or '.join(choices)}", "Correct or clear it"
            )


def _service(shipment: Shipment, form: Form) -> Iterator[Fault]:
    if shipment.service and shipment.service not in form.services and form.services:
        yield Fault(
            "PW-2.2-11",
            "service",
            f"there is no service '{shipment.service}' here; there is {', '.join(sorted(form.services))}",
            "Choose one of these, or add it to the template",
        )
    for code in dict.fromkeys(shipment.surcharges):
        yield Fault(
            "PW-2.2-11",
            "surcharges",
            f"Palletways is sent no surcharge '{code}' beside the service",
            "Take it off the order, or choose the service that stands for it",
        )


def _delivery_time(shipment: Shipment, form: Form) -> Iterator[Fault]:
    """[PW-2.2-8]"""
    given = additional(shipment, DELIVERY_TIME)
    if not given:
        return
    field, remedy = f"additional_fields.{DELIVERY_TIME}", "Correct or clear it"
    service = form.services.get(shipment.service)
    if not CLOCK.fullmatch(given):
        yield Fault("PW-2.2-8", field, f"'{given}' is not a time such as 10:30", remedy)
    elif not EARLIEST <= time.fromisoformat(given) <= LATEST:
        yield Fault("PW-2.2-8", field, f"{given} is not between 08:00 and 18:00", remedy)
    elif service and not service.timed:
        timed = ", ".join(code for code, one in form.services.items() if one.timed) or "none"
        yield Fault(
            "PW-2.2-8",
            field,
            f"the service {shipment.service} has no time",
            f"Clear the time, or choose a timed service ({timed})",
        )


def _pallets(shipment: Shipment, form: Form) -> Iterator[Fault]:
    """[PW-2.2-13]"""
    for code in dict.fromkeys(shipment.pallet_types):
        if code not in form.bill_units and form.bill_units:
            yield Fault(
                "PW-2.2-13",
                "pallet_types",
                f"'{code}' is no pallet type here; there is {', '.join(form.bill_units)}",
                "Choose one of these, or add it to the template's bill_units",
            )


def _tracking_id(shipment: Shipment, is_tracking_id: Callable[[str], object]) -> Iterator[Fault]:
    if shipment.tracking_number and not is_tracking_id(shipment.tracking_number):
        yield Fault(
            "PW-3-1",
            "tracking_number",
            f"'{shipment.tracking_number}' is no tracking ID of Palletways",
            "Enter its digits as Palletways gives them, or clear it",
        )


# What is missing


def _missing(facts: ConsignmentFacts) -> Iterator[Fault]:
    wanted = {
        "service": (facts.service, "PW-2.2-11"),
        "pallet_types": (facts.pallets, "PW-2.2-13"),
        "weight_kg": (facts.weight_kg, "PW-2.2-5"),
    }
    for field, (value, rule) in wanted.items():
        if not value:
            yield Fault(rule, field, "it is required", "Enter it")


def _collection(facts: ConsignmentFacts, form: Form) -> Iterator[Fault]:
    """[PW-2.2-9]"""
    if not form.has_collection(facts):
        return
    if not additional(facts, COLLECTION_REFERENCE):
        yield Fault(
            "PW-2.2-9",
            f"additional_fields.{COLLECTION_REFERENCE}",
            "it is required for a collection",
            "Enter what the place of collection knows the goods by",
        )
    if form.collection_service is None:
        yield Fault(
            "PW-2.2-11",
            "service",
            "the template names no collection_service, and the network is to collect",
            "Name it in the template's dispatch section",
        )


def _addresses(facts: ConsignmentFacts, form: Form) -> Iterator[Fault]:
    yield from _address("delivery", facts.delivery)
    if form.has_collection(facts):
        yield from _address("pickup", facts.pickup)


def _address(stop: str, address: Address) -> Iterator[Fault]:
    for part in ADDRESS_REQUIRED:
        if not getattr(address, part):
            yield Fault("PW-2.2-12", f"{stop}.{part}", "it is required", "Enter it")


def _book_in(facts: ConsignmentFacts) -> Iterator[Fault]:
    """[PW-2.2-7]"""
    if additional(facts, BOOK_IN) != YES:
        return
    for field in BOOK_IN_FIELDS:
        if not additional(facts, field):
            yield Fault("PW-2.2-7", f"additional_fields.{field}", "it is required for booking in", "Enter it")
