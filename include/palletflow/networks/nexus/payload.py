"""Our consignment as the body of the create call (contract 2.4). Pure: what the template says, nothing is asked.

What may be sent at all is decided in rules.py; here every value is expected to have passed it.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from decimal import ROUND_DOWN, Decimal
from typing import Any

from palletflow.networks.nexus import amazon
from palletflow.networks.nexus.form import (
    COLLECTION_EMAIL,
    COLLECTION_SERVICE,
    CONSIGNMENT_TYPE,
    LIMITED,
    Form,
    Pallet,
    Shipment,
    additional,
    amazon_fields,
    pallets,
)
from palletflow.networks.nexus.lookups import Name
from palletflow.orders.consignment import Address
from palletflow.store.consignments import ConsignmentFacts

CONSIGNMENT_TYPES, SERVICES, COUNTRIES = "consignmentTypes", "services", "countries"
PALLET_TYPES, PALLET_BASES = "palletTypes", "palletBases"
CENT = Decimal("0.01")
SIZES = ("length", "width", "height")

Body = dict[str, Any]
# The id of each (look-up, code of ours).
Ids = Mapping[tuple[str, str], int]


def names(shipment: Shipment, form: Form, own_address: Address | None) -> list[Name]:
    """Every id the create of a consignment needs, each once. No id of Nexus stands in code [NX-2.9-2]."""
    service = form.service(shipment)
    wanted = [
        Name(CONSIGNMENT_TYPES, CONSIGNMENT_TYPE, form.consignment_type),
        Name(SERVICES, COLLECTION_SERVICE, form.collection_service),
        Name(SERVICES, service.key, form.services[service.key]),
        *(Name(COUNTRIES, code, form.countries[code]) for code in _countries(shipment, form, own_address)),
        *(Name(PALLET_TYPES, pallet.type, form.pallet_types[pallet.type].name) for pallet in pallets(shipment)),
        *(Name(PALLET_BASES, base(pallet, form), form.bases[base(pallet, form)]) for pallet in pallets(shipment)),
    ]
    return list(dict.fromkeys(wanted))


def base(pallet: Pallet, form: Form) -> str:
    """The code of what a pallet stands on."""
    return pallet.details.get("base") or form.default_base


def sends_collection_address(shipment: Shipment, form: Form, own_address: Address | None) -> bool:
    """Whether the create says where to collect; else Nexus takes the account's own address [NX-2.4-12].

    `own_address`: the customer's, None when we do not know it; then the order's is the only one to be sure of.
    """
    if form.collection_address != "auto":
        return form.collection_address == "always"
    return own_address is None or _place(shipment.pickup) != _place(own_address)


def notes(shipment: Shipment, form: Form) -> str:
    """The instructions, a line each, and for Amazon its line [NX-2.4-6, NX-5-22]."""
    in_notes = form.service(shipment).for_amazon and form.amazon.in_notes
    texts = [*shipment.notes, amazon.line(amazon_fields(shipment)) if in_notes else ""]
    return "\n".join(filter(None, (" ".join(text.split()) for text in texts)))


def size(pallet: Pallet, form: Form) -> tuple[int, ...] | None:
    """Length, width and height in cm: the order's own, else the type's; None while one is unknown [NX-5-9]."""
    usual = form.pallet_types[pallet.type].size if pallet.type in form.pallet_types else None
    found = [pallet.details.get(f"{side}_cm") or (usual[place] if usual else None) for place, side in enumerate(SIZES)]
    return tuple(map(int, filter(None, found))) if all(found) else None


def weights(given: Sequence[Pallet], weight_kg: Decimal | None) -> list[Decimal] | None:
    """Each pallet's weight; those without one of their own share the rest equally. None when nothing is left to share.

    Shares have 0.01 kg; what rounding leaves comes onto the last of them.
    """
    own = [_decimal(pallet.details.get("weight_kg")) for pallet in given]
    sharing = [place for place, weight in enumerate(own) if not weight]
    if sharing:
        rest = (weight_kg or Decimal(0)) - sum(own, Decimal(0))
        share = (rest / len(sharing)).quantize(CENT, ROUND_DOWN)
        if share <= 0:
            return None
        for place in sharing:
            own[place] = share
        own[sharing[-1]] = rest - share * (len(sharing) - 1)
    return own


def build(
    facts: ConsignmentFacts,
    form: Form,
    ids: Ids,
    *,
    customer_id: str | int,
    number: str,
    own_address: Address | None,
) -> Body:
    """The body of create. No network and no depot is in it: Nexus routes by the customer ID [NX-2.4-16]."""
    service = form.service(facts)
    formats, when = form.formats, form.window(facts)
    assert facts.collection_date is not None, "the rules were checked"
    due = form.delivery_date(facts) if service.is_among(form.due_date_when) else None
    limited_kg = [_decimal(pallet.details.get("limited_quantity_kg")) for pallet in pallets(facts)]
    body: Body = {
        "general": {
            "consignmentTypeID": ids[CONSIGNMENT_TYPES, CONSIGNMENT_TYPE],
            "customerID": customer_id,
            "customerReference": facts.reference,
            "consignmentNumber": number,
            "descriptionOfGoods": facts.goods_description,
            "limitedQuantities": additional(facts, LIMITED) == "true" or any(limited_kg),
        },
        "collectionInfo": {
            "serviceID": ids[SERVICES, COLLECTION_SERVICE],
            **_filled(contact=facts.pickup.contact, email=additional(facts, COLLECTION_EMAIL)),
            "dueDate": formats.write_day(facts.collection_date),
        },
        "deliveryInfo": {
            "serviceID": ids[SERVICES, service.key],
            **_filled(
                contact=facts.delivery.contact,
                email=facts.notification_email,
                dueDate=formats.write_day(due) if due else "",
                startWindow=formats.write_time(when.start) if when.start else "",
                endWindow=formats.write_time(when.end) if when.end else "",
            ),
        },
        "deliveryAddress": _address(facts.delivery, ids),
        "pallets": _pallets(facts, form, ids, limited_kg),
    }
    if sends_collection_address(facts, form, own_address):
        body["collectionAddress"] = _address(facts.pickup, ids)
    _put(body, form.notes_path, notes(facts, form))
    if service.for_amazon and not form.amazon.in_notes:
        for field, value in amazon_fields(facts).items():
            if value and field in form.amazon.paths:
                _put(body, form.amazon.paths[field], value)
    return body


def digest(body: Body) -> bytes:
    """SHA-256 of the body as canonical JSON: the same content has the same digest [NX-6-3]."""
    text = json.dumps(body, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(text.encode(errors="surrogatepass")).digest()


def _pallets(facts: ConsignmentFacts, form: Form, ids: Ids, limited_kg: Sequence[Decimal]) -> list[Body]:
    given = pallets(facts)
    shared = weights(given, facts.weight_kg)
    assert shared is not None, "the rules were checked"
    listed = []
    for pallet, weight, limited in zip(given, shared, limited_kg, strict=True):
        sides = size(pallet, form)
        assert sides is not None, "the rules were checked"
        listed.append(
            {
                "palletTypeID": ids[PALLET_TYPES, pallet.type],
                "palletBaseID": ids[PALLET_BASES, base(pallet, form)],
                **dict(zip(SIZES, sides, strict=True)),
                "weight": _number(weight),
                "limitedQuantityWeight": _number(limited),
                "doNotStack": bool(pallet.details.get("do_not_stack")),
            }
        )
    return listed


def _address(address: Address, ids: Ids) -> Body:
    return {
        "countryID": ids[COUNTRIES, address.country],
        "name": address.name,
        "line1": address.street,
        **_filled(line2=address.locality),
        "town": address.town,
        "postcode": address.postcode,
        **_filled(telephone=address.phone),
    }


def _countries(shipment: Shipment, form: Form, own_address: Address | None) -> list[str]:
    collected = [shipment.pickup.country] if sends_collection_address(shipment, form, own_address) else []
    return [shipment.delivery.country, *collected]


def _place(address: Address) -> tuple[str, ...]:
    """Where it is and whom to ask for, however it is written."""
    parts = (address.name, address.street, address.locality, address.town, address.postcode, address.country)
    return tuple("".join(sign for sign in part.casefold() if sign.isalnum()) for part in parts)


def _filled(**values: str) -> Body:
    """Those that have something."""
    return {name: value for name, value in values.items() if value}


def _put(body: Body, path: str, value: str) -> None:
    *outer, last = path.split(".")
    for name in outer:
        body = body.setdefault(name, {})
    body[last] = value


def _decimal(value: Any) -> Decimal:
    """A number as the order store's JSON has it; 0 for none."""
    return Decimal(str(value or 0))


def _number(value: Decimal) -> int | float:
    return int(value) if value == value.to_integral_value() else float(value)
