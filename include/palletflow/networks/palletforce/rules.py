"""What may be dispatched to Palletforce and why not (contract 7 item 2, with 2.1, 3, 4 and 6). Pure.

A fault is found before any call; all faults are told together, each with what to do about it.
"""

import re
from collections.abc import Collection, Iterator, Sequence

from palletflow.networks.palletforce import manifest
from palletflow.networks.palletforce.imported_numbers import imported_number_fault
from palletflow.networks.palletforce.manifest import Form, Shipment
from palletflow.orders.consignment import Address
from palletflow.orders.faults import Fault
from palletflow.store.consignments import ConsignmentFacts
from palletflow.store.dispatch import Company

DEPOT = re.compile("[0-9]{3}")
COUNTRY = re.compile("[A-Z]{2}")
TWO_DIGITS = re.compile("([0-9]{2})?")
# Parts of an address that the network wants, by our names.
ADDRESS_REQUIRED = ("name", "street", "town", "postcode", "country")
CLEAR_ON_COPY = "If this order is a copy, clear the Palletforce tracking number on it, then complete the task again"


def wrong_values(shipment: Shipment, form: Form, ours: Collection[str]) -> list[Fault]:
    """What is wrong with the values that are given; what is not given yet is no fault here.

    `ours`: our depot codes.
    """
    return [
        *_tracking_number(shipment.tracking_number, ours),
        *_depots(shipment, ours),
        *_codes(shipment, form),
        *_freight(shipment, form),
        *_lengths(shipment, form),
    ]


def preflight(
    facts: ConsignmentFacts,
    form: Form,
    *,
    ours: Collection[str],
    accounts: Sequence[str],
    company: Company,
    duplicate_is_blocked: bool,
) -> list[Fault]:
    """Everything that keeps a consignment from being sent, before any call [PF-7-2].

    `accounts`: those of its customer. `duplicate_is_blocked`: a number that another order has registered stops here
    and not at the network [PF-6-11].
    """
    return [
        *_alone(facts, company),
        *wrong_values(facts, form, ours),
        *_of_requesting_depot(facts, ours),
        *_missing(facts, form, accounts),
        *(_registered_elsewhere(facts, company) if duplicate_is_blocked else ()),
    ]


def account(facts: ConsignmentFacts, form: Form, accounts: Sequence[str]) -> str:
    """The account to send: the order's, else the customer's only one, else the template's; "" if there is none."""
    if facts.account:
        return facts.account
    return accounts[0] if len(accounts) == 1 else "" if accounts else form.defaults["CustomerAccountNumber"]


def _alone(facts: ConsignmentFacts, company: Company) -> Iterator[Fault]:
    if facts.cancelled:
        yield Fault("CANCELLED", "order", "the order is cancelled", "Restore the order or take it off the trip")
    if company.on_order != 1:
        yield Fault(
            "NOT_ONE_CONSIGNMENT",
            "order",
            f"the order has {company.on_order} consignments; Palletforce takes orders of one",
            "Make an order of each consignment",
        )
    if company.on_trip > 1:  # of a cancelled order none counts
        yield Fault(
            "NOT_ONE_CONSIGNMENT",
            "trip",
            f"the trip has {company.on_trip} consignments; Palletforce takes trips of one",
            "Put each consignment on a trip of its own",
        )


def _registered_elsewhere(facts: ConsignmentFacts, company: Company) -> Iterator[Fault]:
    if facts.tracking_number and company.registered_by is not None:
        yield Fault(
            "ALREADY_REGISTERED",
            "tracking_number",
            f"order {company.registered_by} has already registered tracking number {facts.tracking_number}",
            CLEAR_ON_COPY,
        )


def _tracking_number(number: str, ours: Collection[str]) -> Iterator[Fault]:
    if not number:
        return
    fault = imported_number_fault(number, ours)
    if fault is not None:
        yield Fault(
            "BAD_TRACKING_NUMBER",
            "tracking_number",
            fault,
            "Correct the number, or clear the field so that the network gives one",
        )


def _of_requesting_depot(facts: ConsignmentFacts, ours: Collection[str]) -> Iterator[Fault]:
    number, depot = facts.tracking_number, facts.requesting_depot
    if number and imported_number_fault(number, ours) is None and not number.startswith(depot):
        yield Fault(
            "BAD_TRACKING_NUMBER",
            "tracking_number",
            f"'{number}' is a number of depot {number[:3]}, but depot {depot} requests the consignment",
            f"Put the order on a resource of depot {number[:3]}, or correct the number",
        )


def _depots(shipment: Shipment, ours: Collection[str]) -> Iterator[Fault]:
    codes = ", ".join(sorted(ours))
    if shipment.requesting_depot and shipment.requesting_depot not in ours:
        yield Fault(
            "NOT_OUR_DEPOT",
            "requesting_depot",
            f"the requesting depot is one of ours ({codes}), not '{shipment.requesting_depot}'",
            "Choose a resource of one of our depots",
        )
    for field in ("collecting_depot", "delivery_depot"):
        code = getattr(shipment, field)
        if code and not DEPOT.fullmatch(code):
            yield Fault(
                "BAD_FORMAT",
                field,
                f"a depot code has 3 digits, not '{code}'",
                "Correct it, or clear it: the network finds it",
            )


def _codes(shipment: Shipment, form: Form) -> Iterator[Fault]:
    """Codes the template does not know are never sent [PF-4-2]."""
    if shipment.service:
        yield from _unknown("service", [shipment.service], form.services)
    yield from _unknown("surcharges", shipment.surcharges, form.surcharges)
    yield from _unknown("pallet_types", shipment.pallet_types, form.pallet_types)


def _unknown(field: str, codes: Sequence[str], known: Collection[str]) -> Iterator[Fault]:
    for code in sorted(set(codes) - set(known)):
        yield Fault(
            "UNKNOWN_CODE",
            field,
            f"Palletforce has no '{code}' here; it has {', '.join(sorted(known))}",
            "Choose one of these, or add the code to the template",
        )


def _freight(shipment: Shipment, form: Form) -> Iterator[Fault]:
    most = form.limits["weight"]
    weight = shipment.weight_kg
    if weight is not None and not 1 <= manifest.whole_weight(weight) <= most:
        yield Fault(
            "BAD_FORMAT", "weight_kg", f"the weight is 1 to {most} whole kg, not {weight}", "Enter the total weight"
        )
    if len(shipment.pallet_types) > form.limits["pallets"]:
        yield Fault(
            "TOO_LONG",
            "pallet_types",
            f"a consignment has at most {form.limits['pallets']} pallets, not {len(shipment.pallet_types)}",
            "Split it into several orders",
        )
    if shipment.pallet_spaces is not None and shipment.pallet_spaces <= 0:
        yield Fault("BAD_FORMAT", "pallet_spaces", "pallet spaces are more than 0", "Correct or clear them")
    for field in ("insurance_code", "hub_code"):
        code = getattr(shipment, field)
        if not TWO_DIGITS.fullmatch(code):
            yield Fault("BAD_FORMAT", field, f"it has 2 digits, not '{code}'", "Correct or clear it")


def _lengths(shipment: Shipment, form: Form) -> Iterator[Fault]:
    for stop, address in (("pickup", shipment.pickup), ("delivery", shipment.delivery)):
        for theirs, part in form.address.items():
            text = getattr(address, part) if part else ""
            if part == "country":
                if text and not COUNTRY.fullmatch(text):
                    yield Fault(
                        "BAD_FORMAT",
                        f"{stop}.country",
                        f"a country is 2 capitals such as GB, not '{text}'",
                        "Correct it",
                    )
            else:
                yield from _too_long(f"{stop}.{part}", text, form.limits[theirs])
    for field, theirs in (
        ("reference", "customersUniqueReference"),
        ("reference_2", "customersUniqueReference2"),
        ("account", "CustomerAccountNumber"),
        ("amazon_reference", "aSNFBABOLReferenceNumber"),
        ("consignment_number", "consignmentNumber"),
        *((field, kind) for kind, field in manifest.NOTIFICATIONS.items()),
    ):
        yield from _too_long(field, getattr(shipment, field), form.limits[theirs])


def _too_long(field: str, text: str, most: int) -> Iterator[Fault]:
    if len(text) > most:
        yield Fault("TOO_LONG", field, f"it has {len(text)} characters, the network takes {most}", "Shorten it")


def _missing(facts: ConsignmentFacts, form: Form, accounts: Sequence[str]) -> Iterator[Fault]:
    if not facts.requesting_depot:
        yield Fault(
            "MISSING_VALUE", "requesting_depot", "no depot of ours requests it", "Choose a resource with a depot"
        )
    if not account(facts, form, accounts):
        several = f"the customer has several accounts ({', '.join(accounts)})"
        yield Fault(
            "MISSING_VALUE",
            "account",
            several if accounts else "the customer has no account with Palletforce",
            "Give the order an account" if accounts else "Add the account to the customer in the deployment file",
        )
    for field in ("collection_date", "service", "pallet_types", "weight_kg"):
        if not getattr(facts, field):
            yield Fault("MISSING_VALUE", field, "it is required", "Enter it on the order")
    if manifest.AMAZON in facts.surcharges:
        for field in ("carton_count", "amazon_reference"):
            if not getattr(facts, field):
                yield Fault("MISSING_VALUE", field, "surcharge AZ needs it", "Enter it, or take the surcharge off")
    yield from _missing_in("pickup", facts.pickup)
    yield from _missing_in("delivery", facts.delivery)
    if not re.sub("[^1-9]", "", facts.delivery.phone):
        yield Fault(
            "MISSING_VALUE",
            "delivery.phone",
            "the network wants a telephone number of the consignee, not blank and not all zeros",
            "Enter the number the driver can call",
        )


def _missing_in(stop: str, address: Address) -> Iterator[Fault]:
    for part in ADDRESS_REQUIRED:
        if not getattr(address, part):
            yield Fault("MISSING_VALUE", f"{stop}.{part}", "it is required", "Complete the address")
