"""Our consignment as the body of UploadManifest (contract 2.1). Pure: what the template says, nothing is asked.

What may be sent at all is decided in rules.py; here every value is expected to have passed it.
"""

import math
import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from typing import Any, NamedTuple

from palletflow.intake.template import Template
from palletflow.orders.consignment import Address, Consignment
from palletflow.store.consignments import ConsignmentFacts

# What a caller tells us at entry, or what the store holds: the fields a manifest is made of have the same names.
Shipment = Consignment | ConsignmentFacts
# Notification type: our field (contract 4.3).
NOTIFICATIONS = {"EMAIL": "notification_email", "SMS": "notification_sms", "TWITTER": "notification_twitter"}
AMAZON = "AZ"
LAST_CONSIGNMENT_NUMBER = 9_999_999
NO_NOTES = [{"noteName": "", "value": ""}]


@dataclass(frozen=True)
class Form:
    """The template's section `dispatch`, read, and the codes a dispatch may use. `limits` by field of theirs."""

    address: Mapping[str, str]
    dates: Mapping[str, str]
    sent_as: Mapping[str, str]
    spaces_per_type: Mapping[str, Decimal]
    northern_ireland: Sequence[str]
    defaults: Mapping[str, str]
    limits: Mapping[str, int]
    services: frozenset[str]
    surcharges: frozenset[str]
    pallet_types: frozenset[str]


class Manifest(NamedTuple):
    """What goes out, without the access key, and what was changed on the way that a person should know."""

    body: dict[str, Any]
    warnings: list[str]


def form(template: Template) -> Form:
    """Reads the section; its schema has been checked when the template was loaded."""
    section = template.sections["dispatch"]
    codes = template.codes
    return Form(
        address=section["address"],
        dates=section["dates"],
        sent_as=section["sent_as"],
        spaces_per_type={kind: Decimal(spaces) for kind, spaces in section["spaces_per_type"].items()},
        northern_ireland=section["northern_ireland"],
        defaults=section["defaults"],
        limits={field: int(most) for field, most in section["limits"].items()},
        services=frozenset(codes["services"]),
        surcharges=frozenset(codes["surcharges"]),
        pallet_types=frozenset(codes["pallet_types"]),
    )


def transaction_number(prefix: str, order_id: int, attempt: int) -> str:
    """Ours, the same for everything that is sent in one dispatch attempt [PF-2.1-1]."""
    return f"{prefix}-{order_id}-{attempt}"


def consignment_number(sequence: int) -> str:
    """Our own number of a consignment: 7 digits, not the tracking number [PF-2.1-8, PF-3-9]."""
    return f"{sequence:07d}"


def own_tracking_number(depot: str, system_id: str, number: str) -> str:
    """A tracking number of a haulier who numbers himself: depot 3 + system id 3 + sequence 7 [PF-3-8]."""
    return f"{depot}{system_id}{number}"


def whole_weight(weight_kg: Decimal) -> int:
    """Whole kg, rounded half up [PF-2.1-13]."""
    return int(weight_kg.quantize(Decimal(1), ROUND_HALF_UP))


def pallet_counts(pallet_types: Sequence[str]) -> dict[str, int]:
    """Pallets a type, types in the order they first come [PF-2.1-11]; barcodes count through it [PF-3-12]."""
    return {kind: pallet_types.count(kind) for kind in dict.fromkeys(pallet_types)}


def in_sending_order(pallet_types: Sequence[str]) -> list[str]:
    """The types with equal ones together, as the wire counts pallets."""
    return [kind for kind, count in pallet_counts(pallet_types).items() for _ in range(count)]


def whole_spaces(shipment: Shipment, form: Form) -> int:
    """Pallet spaces as a whole number, part of one counted as one; by type when the order gives none [PF-2.1-12]."""
    spaces = shipment.pallet_spaces
    if spaces is None:
        spaces = sum((form.spaces_per_type.get(kind, Decimal(1)) for kind in shipment.pallet_types), Decimal(0))
    return max(1, math.ceil(spaces))


def notes(texts: Sequence[str], form: Form) -> tuple[list[str], str | None]:
    """The notes to send, and a warning with what was cut off [PF-4.3-5].

    Notes that fit go as they are; longer instructions are wrapped at words over all notes.
    """
    width, most = form.limits["note"], form.limits["notes"]
    given = [text for text in (" ".join(text.split()) for text in texts) if text]
    if len(given) <= most and all(len(text) <= width for text in given):
        return given, None
    wrapped = textwrap.wrap(" ".join(given), width, break_on_hyphens=False)
    if len(wrapped) <= most:
        return wrapped, None
    return wrapped[:most], f"The instructions do not fit into {most} notes of {width}; cut off: {wrapped[most:]}"


def build(
    facts: ConsignmentFacts, form: Form, *, transaction: str, account: str, accepted_status: str, opted_out: bool
) -> Manifest:
    """The body of UploadManifest: every scalar a text, unused ones "" [PF-1.1-8, PF-1.1-9, PF-2.1-1 to PF-2.1-23].

    `accepted_status` "" leaves that field out; `opted_out` leaves the notifications out [PF-7-3].
    """
    note_texts, cut = notes(facts.notes, form)
    for_amazon = AMAZON in facts.surcharges
    defaults = form.defaults
    consignment: dict[str, Any] = {
        "requestingDepot": facts.requesting_depot,
        "collectingDepot": facts.collecting_depot,
        "deliveryDepot": facts.delivery_depot,
        "trackingNumber": facts.tracking_number,
        "consignmentNumber": facts.consignment_number,
        "CustomerAccountNumber": account,
        "datesAndTimes": _dates(facts, form),
        "pallets": [
            {"palletType": kind, "numberofPallets": str(count)}
            for kind, count in pallet_counts(facts.pallet_types).items()
        ],
        "palletSpaces": str(whole_spaces(facts, form)),
        "weight": str(whole_weight(facts.weight_kg or Decimal(0))),
        "serviceName": facts.service,
        "surcharges": " ".join(dict.fromkeys(form.sent_as.get(code, code) for code in facts.surcharges)),
        "customersUniqueReference": facts.reference,
        "customersUniqueReference2": facts.reference_2,
        "notes": [{"noteName": f"NOTE{place}", "value": text} for place, text in enumerate(note_texts, 1)] or NO_NOTES,
        "insuranceCode": facts.insurance_code or defaults["insuranceCode"],
        "customerCharge": defaults["customerCharge"],
        "nonPalletforceConsignment": defaults["nonPalletforceConsignment"],
        "deliveryVehicleCode": defaults["deliveryVehicleCode"],
        "consignmentType": defaults["consignmentType"],
        "hubIdentifyingCode": facts.hub_code or defaults["hubIdentifyingCode"],
        "notifications": [] if opted_out else notifications(facts),
        "cartonCount": str(facts.carton_count) if for_amazon else "",
        "aSNFBABOLReferenceNumber": facts.amazon_reference if for_amazon else "",
        "additionalDetails": {"lines": _customs_lines(facts, form)},
    }
    if accepted_status:
        consignment["acceptedStatus"] = accepted_status
    body = {
        "uniqueTransactionNumber": transaction,
        "collectionAddress": _address(facts.pickup, form),
        "deliveryAddress": _address(facts.delivery, form),
        "consignments": [consignment],
    }
    return Manifest(body, [cut] if cut else [])


def notifications(shipment: Shipment) -> list[dict[str, str]]:
    """Who is told of the delivery, one element a way he is told [PF-2.1-20, PF-4.3-2]."""
    given = ((kind, getattr(shipment, field)) for kind, field in NOTIFICATIONS.items())
    return [{"notificationType": kind, "value": value} for kind, value in given if value]


def _dates(facts: ConsignmentFacts, form: Form) -> list[dict[str, str]]:
    given = ((kind, getattr(facts, field)) for kind, field in form.dates.items())
    return [{"dateTimeType": kind, "value": f"{day:%Y%m%d}"} for kind, day in given if day]


def _address(address: Address, form: Form) -> dict[str, str]:
    """Their address of ours; who is asked for is the firm itself when no contact is named [PF-2.1-3]."""
    full = address._replace(contact=address.contact or address.name)
    return {theirs: getattr(full, ours) if ours else "" for theirs, ours in form.address.items()}


def _customs_lines(facts: ConsignmentFacts, form: Form) -> list[dict[str, Any]]:
    """One line with the customs data of Northern Ireland, none without any [PF-2.1-22]."""
    if not any(facts.northern_ireland.values()):
        return []
    fields = [
        {"fieldName": name, "value": str(facts.northern_ireland.get(name) or "")} for name in form.northern_ireland
    ]
    return [{"fields": fields}]
