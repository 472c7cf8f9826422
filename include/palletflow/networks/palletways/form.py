"""What the template says of dispatching, read, and what a dispatch reads of an order. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from palletflow.intake.template import Template
from palletflow.orders.consignment import Consignment
from palletflow.store.consignments import ConsignmentFacts

# What a caller tells us at entry, or what the store holds: the fields a dispatch is made of have the same names.
Shipment = Consignment | ConsignmentFacts
# Our names of what Palletways alone asks or tells (contract 2.2), as an order's additional fields have them.
TYPE, CLASSIFICATION, HANDBALL, TAIL_LIFT = "pw_type", "classification", "handball", "tail_lift"
DELIVERY_TIME, COLLECTION_REFERENCE = "delivery_time", "collection_reference"
BOOK_IN, BOOK_IN_CONTACT, BOOK_IN_PHONE = "book_in", "book_in_contact", "book_in_phone"
BOOK_IN_NOTE, BOOK_IN_INSTRUCTIONS = "book_in_note", "book_in_instructions"
DELIVERY, COLLECTION, THIRD_PARTY = "D", "C", "3"
TYPES = (DELIVERY, COLLECTION, THIRD_PARTY)
CLASSIFICATIONS = ("B2B", "B2R")
YES, NO = "true", "false"
LAST_NUMBER = 9_999_999


@dataclass(frozen=True)
class Service:
    """One way to deliver or collect: service group and service code of the wire; `timed`: pre-booked for a time."""

    group: str
    code: str
    timed: bool


@dataclass(frozen=True)
class Form:
    """The sections of the template that a dispatch is made of.

    `services` and `bill_units` by our codes; `collection_service` None when the template has none. `reference`: the key
    by which we know a consignment again, with {id} and {attempt} in it. `error_fields`: a node of the wire, as it
    stands in a validation error's code, and our field.
    """

    confirm: bool
    type: str
    classification: str
    reference: str
    number_prefix: str
    notification_groups: tuple[str, ...]
    services: Mapping[str, Service]
    collection_service: Service | None
    bill_units: Mapping[str, str]
    error_fields: Mapping[str, str]

    def type_of(self, shipment: Shipment) -> str:
        """D, C or 3 [PW-2.2-3]."""
        return additional(shipment, TYPE) or self.type

    def has_collection(self, shipment: Shipment) -> bool:
        """Whether the network collects it, so that the collection's address and service go with it."""
        return self.type_of(shipment) in (COLLECTION, THIRD_PARTY)

    def own_key(self, facts: ConsignmentFacts, attempt: int) -> str:
        """What `Reference` carries [PW-7.1-6]."""
        return self.reference.format(id=facts.id, attempt=attempt)


def read_form(template: Template) -> Form:
    """Reads the sections; their schema has been checked when the template was loaded."""
    sections = template.sections
    dispatch = sections["dispatch"]
    collection = dispatch.get("collection_service")
    return Form(
        confirm=dispatch["confirm"],
        type=dispatch["type"],
        classification=dispatch["classification"],
        reference=dispatch["reference"],
        number_prefix=dispatch["number_prefix"],
        notification_groups=tuple(dispatch["notification_groups"]),
        services={code: _service(entry) for code, entry in sections["services"].items()},
        collection_service=_service(collection) if collection else None,
        bill_units=sections["bill_units"],
        error_fields=dispatch["error_fields"],
    )


def additional(shipment: Shipment, field: str) -> str:
    """One of its additional fields, "" when it has none."""
    return shipment.additional_fields.get(field, "")


def _service(entry: Mapping[str, Any]) -> Service:
    return Service(entry["group"], entry["code"], entry.get("timed", False))
