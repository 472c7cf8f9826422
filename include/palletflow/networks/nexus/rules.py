"""What may be dispatched to Pall-Ex or Fortec and why not (contract 4, with 2.4, 3 and 5). Pure.

A fault is found before any call; all faults are told together, each with what to do about it. The codes are the
contract's, NX101 to NX116.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime

from palletflow.networks.nexus import amazon, payload, services
from palletflow.networks.nexus.form import (
    COLLECTION_EMAIL,
    COLLECTION_SERVICE,
    CONSIGNMENT_TYPE,
    DELIVERY_FROM,
    DELIVERY_TO,
    LIMITED,
    ORIGIN,
    Form,
    Shipment,
    additional,
    amazon_fields,
    pallets,
    time_of,
)
from palletflow.networks.nexus.origin import ACCOUNTS, FORTEC, PALLEX
from palletflow.networks.nexus.services import BEFORE_NOON, BOOK_IN, SPECIFIC_DAY, TIMED, WINDOWS
from palletflow.orders.calendar import SATURDAY
from palletflow.orders.faults import Fault
from palletflow.store.consignments import ConsignmentFacts
from palletflow.store.dispatch import Company

NETWORKS = (PALLEX, FORTEC)
# Prefix of a depot code: the networks it is a member of [NX-4-3].
MEMBERS: Mapping[str, tuple[str, ...]] = {"PGD": NETWORKS, "UKD": (PALLEX,), "FTD": (FORTEC,)}
# Parts of an address that Nexus wants, by our names.
ADDRESS_REQUIRED = ("name", "street", "town", "postcode", "country")
# Part of an address: its limit in the template.
ADDRESS_LIMITS = {
    "name": "name", "street": "line", "locality": "line", "town": "town", "postcode": "postcode", "phone": "telephone",
    "contact": "name",
}  # fmt: skip
PALLET_DETAILS = {"length_cm", "width_cm", "height_cm", "weight_kg", "base", "do_not_stack", "limited_quantity_kg"}
WHOLE = re.compile("[0-9]+")


def wrong_values(shipment: Shipment, form: Form) -> list[Fault]:
    """What is wrong with the values that are given; what is not given yet is no fault here."""
    return [
        *_depot(shipment.requesting_depot, form),
        *_account(shipment.account, form),
        *_origin(additional(shipment, ORIGIN)),
        *_service(shipment, form),
        *_times(shipment),
        *_countries(shipment, form),
        *_pallets(shipment, form),
        *_amazon_values(shipment, form),
        *_lengths(shipment, form),
    ]


def preflight(
    facts: ConsignmentFacts,
    form: Form,
    *,
    resource: str,
    accounts: Mapping[str, Sequence[str]],
    company: Company,
    connection_fault: str,
    cross_network: bool,
    now: datetime,
) -> list[Fault]:
    """Everything that keeps a consignment from being sent, before any call [NX-4-7, NX-4-8].

    `resource`: the one on its trip. `accounts`: its customer's, by network. `connection_fault`: why its depot's
    connection cannot be used, "" when it can. `cross_network`: it allows an origin that is not the network's.
    """
    network = form.networks.get(resource, "")
    return [
        *_alone(facts, company),
        *wrong_values(facts, form),
        *_of_network(facts, form, resource, cross_network),
        *_customer(facts, network, accounts),
        *_missing_service(facts, form),
        *_missing(facts),
        *_dates(facts, form),
        *_windows(facts, form),
        *_amazon(facts, form),
        *_sizes_and_weights(facts, form),
        *behind_cutoff(facts.collection_date, form, now),
        *_mapping(facts, form),
        *_connection(facts, connection_fault),
        *number_of_another(facts, company.registered_by),
    ]


def adoptable(
    facts: ConsignmentFacts, form: Form, *, resource: str, company: Company, cross_network: bool, refused: bool
) -> list[Fault]:
    """What keeps a consignment that Nexus has already from being taken over by a dispatch [NX-6-5].

    `refused`: the connection wants none taken over.
    """
    network, origin = form.networks.get(resource, ""), additional(facts, ORIGIN)
    found = [*_alone(facts, company), *_of_network(facts, form, resource, cross_network)]
    if refused or (network and origin in NETWORKS and origin != network):
        found.append(
            Fault(
                "NX116",
                "order",
                f"Nexus has it already, as consignment {facts.tracking_number} of {origin or 'an unknown network'}",
                "Take the order off the trip, or make a new order of it",
            )
        )
    return found


def network_of(form: Form, resource: str) -> str:
    """PALLEX or FORTEC; "" for a resource that is neither [NX-4-1]."""
    return form.networks.get(resource, "")


def is_member(depot: str, network: str) -> bool:
    """Whether a depot code is of a network [NX-4-3]."""
    return network in MEMBERS.get(depot[:3], ())


def customer_id(facts: ConsignmentFacts, accounts: Sequence[str]) -> str:
    """The customer ID to send: the order's own, else the customer's only one with the network; "" if there is none."""
    return facts.account or (accounts[0] if len(accounts) == 1 else "")


def behind_cutoff(collection: date | None, form: Form, now: datetime) -> Iterator[Fault]:
    """Whether a collection can no longer be asked for; evaluated again right before the POST [NX-5-15]."""
    earliest = form.cutoff.earliest_collection(now)
    if collection is not None and collection < earliest:
        yield Fault(
            "NX111",
            "collection_date",
            f"it is too late to ask for a collection on {collection}; the earliest date is {earliest}",
            f"Agree on a collection on {earliest} or later with the customer and enter it",
        )


# Of the dispatch


def _alone(facts: ConsignmentFacts, company: Company) -> Iterator[Fault]:
    if facts.cancelled:
        yield Fault("CANCELLED", "order", "the order is cancelled", "Restore the order or take it off the trip")
    if company.on_trip > 1:  # of a cancelled order none counts
        yield Fault(
            "NX107",
            "trip",
            f"the trip has {company.on_trip} consignments; Nexus takes trips of one",
            "Put each consignment on a trip of its own",
        )


def _of_network(facts: ConsignmentFacts, form: Form, resource: str, cross_network: bool) -> Iterator[Fault]:
    network = network_of(form, resource)
    if not network:
        listed = " or ".join(sorted(form.networks))
        yield Fault(
            "NX101", "resource", f"the resource '{resource}' is not {listed}", f"Put the order on a trip with {listed}"
        )
    depot, origin = facts.requesting_depot, additional(facts, ORIGIN)
    if network and form.depot.fullmatch(depot) and not is_member(depot, network):
        yield Fault(
            "NX103",
            "requesting_depot",
            f"depot {depot} is not a member of {network}",
            "Choose a resource of the other network, or one of a depot that is a member",
        )
    if not origin:
        yield Fault(
            "NX105",
            f"additional_fields.{ORIGIN}",
            "it is required: the network account the consignment belongs to",
            f"Enter {' or '.join(NETWORKS)}",
        )
    elif network and origin in NETWORKS and origin != network and not (cross_network and is_both(depot)):
        yield Fault(
            "NX106",
            f"additional_fields.{ORIGIN}",
            f"it is {origin}, and the trip's resource sends it to {network}",
            "Choose the resource of that network, or correct the origin",
        )


def is_both(depot: str) -> bool:
    """Whether a depot is a member of both networks."""
    return MEMBERS.get(depot[:3]) == NETWORKS


def _customer(facts: ConsignmentFacts, network: str, accounts: Mapping[str, Sequence[str]]) -> Iterator[Fault]:
    """[NX-4-4, NX-4-12]"""
    held = accounts.get(network, ())
    if not network:
        return
    if not facts.account and len(held) > 1:
        yield Fault(
            "NX104",
            "account",
            f"the customer has several {network} customer IDs ({', '.join(held)})",
            "Give the order the one to use",
        )
    elif not facts.account and not held:
        yield Fault(
            "NX104",
            "account",
            f"the customer has no {network} customer ID",
            f"Add it to the customer's accounts under {ACCOUNTS[network]} in the deployment file",
        )
    others = [other for other in NETWORKS if other != network and facts.account in accounts.get(other, ())]
    if facts.account not in held and others:
        yield Fault(
            "NX104",
            "account",
            f"{facts.account} is the customer's ID on {others[0]}, and the consignment goes to {network}",
            f"Clear the account, or give the order the {network} one",
        )


def _connection(facts: ConsignmentFacts, connection_fault: str) -> Iterator[Fault]:
    if connection_fault:
        yield Fault(
            "NX115",
            "requesting_depot",
            f"depot {facts.requesting_depot or 'of the resource'} has no usable connection: {connection_fault}",
            "Complete the Airflow connection that the deployment file names for the depot",
        )


def number_of_another(shipment: Shipment, registered_by: int | None = None) -> Iterator[Fault]:
    """Whether the order has the consignmentID of another dispatch, as a copy has. `registered_by`: whose it is."""
    number = shipment.tracking_number
    if number and not shipment.registered:
        yield Fault(
            "NX116",
            "tracking_number",
            f"{number} is live on Nexus as order {registered_by}"
            if registered_by
            else f"Nexus gives every consignment its ID; {number} is of another dispatch",
            "Clear the tracking number on this order",
        )


# Values


def _depot(depot: str, form: Form) -> Iterator[Fault]:
    if depot and not form.depot.fullmatch(depot.upper()):
        yield Fault(
            "NX102",
            "requesting_depot",
            f"'{depot}' is no depot code: PGD, UKD or FTD and digits",
            "Choose a resource of one of our depots",
        )


def _account(account: str, form: Form) -> Iterator[Fault]:
    if account and not form.customer_id.fullmatch(account):
        yield Fault(
            "NX104",
            "account",
            f"'{account}' is no Nexus customer ID",
            "Enter the number that Nexus has for the customer",
        )


def _origin(origin: str) -> Iterator[Fault]:
    if origin and origin not in NETWORKS:
        yield Fault(
            "NX105",
            f"additional_fields.{ORIGIN}",
            f"it is {' or '.join(NETWORKS)}, not '{origin}'",
            "Enter the network account the consignment belongs to",
        )


def _service(shipment: Shipment, form: Form) -> Iterator[Fault]:
    """[NX-5-2]"""
    levels = {key.partition("+")[0] for key in form.services}
    if shipment.service and shipment.service not in levels:
        yield Fault(
            "NX108",
            "service",
            f"there is no service level '{shipment.service}' here; there is {', '.join(sorted(levels))}",
            "Choose one of these, or add it to the template",
        )
    known = (*WINDOWS, form.amazon.extra)
    for code in dict.fromkeys(code for code in shipment.surcharges if code not in known):
        yield Fault(
            "NX109", "surcharges", f"Nexus has no '{code}' here; it has {', '.join(known)}", "Take it off the order"
        )
    service = form.service(shipment)
    if len(set(service.windows)) > 1:
        yield Fault(
            "NX109",
            "surcharges",
            f"a delivery has one time window, not {' and '.join(service.windows)}",
            "Keep the one that was agreed",
        )
    elif service.level in levels and service.key not in form.services:
        yield Fault(
            "NX109",
            "surcharges",
            f"the template has no service {service.key}",
            "Choose another window or level, or add the service to the template",
        )


def _times(shipment: Shipment) -> Iterator[Fault]:
    for field in (DELIVERY_FROM, DELIVERY_TO):
        if additional(shipment, field) and time_of(shipment, field) is None:
            yield _malformed(field, additional(shipment, field), "a time such as 10:30")
    start, end = time_of(shipment, DELIVERY_FROM), time_of(shipment, DELIVERY_TO)
    if start and end and end < start:
        yield Fault(
            "NX114",
            f"additional_fields.{DELIVERY_TO}",
            f"the window ends at {end:%H:%M}, before it begins at {start:%H:%M}",
            "Correct the times",
        )
    limited = additional(shipment, LIMITED)
    if limited not in ("", "true", "false"):
        yield _malformed(LIMITED, limited, "true or false")


def _malformed(field: str, value: str, means: str) -> Fault:
    return Fault("NX113", f"additional_fields.{field}", f"'{value}' is not {means}", "Correct or clear it")


def _countries(shipment: Shipment, form: Form) -> Iterator[Fault]:
    """[NX-4-19]"""
    for stop, address in (("pickup", shipment.pickup), ("delivery", shipment.delivery)):
        if address.country and address.country not in form.countries:
            yield Fault(
                "NX110",
                f"{stop}.country",
                f"{address.country} is outside of {', '.join(form.countries)}; Nexus is used for domestic freight",
                "Send it another way",
            )


def _pallets(shipment: Shipment, form: Form) -> Iterator[Fault]:
    """[NX-5-10]"""
    for code in dict.fromkeys(shipment.pallet_types):
        kind = form.pallet_types.get(code)
        if kind is None or not kind.domestic or not (kind.name or form.forced_id(payload.PALLET_TYPES, code)):
            listed = ", ".join(sorted(code for code, kind in form.pallet_types.items() if kind.domestic))
            if kind is None:
                why = "is none of the domestic pallet types known here, and international ones are not supported"
            else:
                why = "has no name of Nexus's in the template" if kind.domestic else "is an international pallet type"
            remedy = f"Choose one of {listed}" + ("" if kind and not kind.domestic else ", or add it to the template")
            yield Fault("NX110", "pallet_types", f"'{code}' {why}", remedy)
    for number, pallet in enumerate(pallets(shipment), 1):
        under = f"pallet_details[{number - 1}]"
        unknown = sorted(set(pallet.details) - PALLET_DETAILS)
        if unknown:
            yield Fault(
                "NX113", under, f"pallet {number} has unknown details {', '.join(unknown)}", "Take them off the order"
            )
        if payload.base(pallet, form) not in form.bases:
            yield Fault(
                "NX113",
                f"{under}.base",
                f"'{payload.base(pallet, form)}' is no pallet base here; there is {', '.join(form.bases)}",
                "Choose one of these, or add it to the template",
            )


def _amazon_values(shipment: Shipment, form: Form) -> Iterator[Fault]:
    """Values that are given for Amazon, or for a booking in [NX-5-17 to NX-5-20]."""
    fields = amazon_fields(shipment)
    for_amazon = form.service(shipment).for_amazon
    for field, value in fields.items():
        under = field if field == "carton_count" else f"additional_fields.{field}"
        why = _wrong_for_amazon(field, value, form) if value else ""
        if why and (for_amazon or field != "carton_count"):
            yield Fault("NX112", under, why, "Correct it")


def _wrong_for_amazon(field: str, value: str, form: Form) -> str:
    """Why a value cannot be sent, "" when it can."""
    most = form.amazon.reference_most
    if field == amazon.BOOKING_DATE:
        return "" if services.read_day(value) else f"'{value}' is not a date such as 2026-07-14"
    if field == amazon.BOOKING_TIME:
        return "" if services.read_time(value) else f"'{value}' is not a time such as 10:30"
    if field == "carton_count":
        return "" if int(value) >= 1 else "it is 1 or more"
    if field == "unit_count" and not WHOLE.fullmatch(value):
        return f"'{value}' is not a whole number"
    if amazon.ENDS_A_VALUE.search(value) or len(value) > most:
        return f"it has at most {most} characters and neither blanks nor semicolons"
    return ""


def _lengths(shipment: Shipment, form: Form) -> Iterator[Fault]:
    """Too long is a fault and never cut [NX-2.4-14, NX-2.4-15]."""
    for stop, address in (("pickup", shipment.pickup), ("delivery", shipment.delivery)):
        for part, limit in ADDRESS_LIMITS.items():
            yield from _too_long(f"{stop}.{part}", getattr(address, part), form.limits[limit])
    for field, limit in (
        ("reference", "customerReference"),
        ("goods_description", "descriptionOfGoods"),
        ("notification_email", "email"),
    ):
        yield from _too_long(field, getattr(shipment, field), form.limits[limit])
    email = additional(shipment, COLLECTION_EMAIL)
    yield from _too_long(f"additional_fields.{COLLECTION_EMAIL}", email, form.limits["email"])
    yield from _too_long("notes", payload.notes(shipment, form), form.limits["notes"])


def _too_long(field: str, text: str, most: int) -> Iterator[Fault]:
    if len(text) > most:
        yield Fault("NX113", field, f"it has {len(text)} characters, Nexus takes {most}", "Shorten it")


# What is missing, or does not go together


def _missing_service(facts: ConsignmentFacts, form: Form) -> Iterator[Fault]:
    if not facts.service:
        levels = sorted({key.partition("+")[0] for key in form.services})
        yield Fault("NX108", "service", "it is required", f"Choose one of {', '.join(levels)}")


def _missing(facts: ConsignmentFacts) -> Iterator[Fault]:
    """[NX-4-22]"""
    if not facts.requesting_depot:
        yield Fault(
            "NX102", "requesting_depot", "no depot of ours requests it", "Choose a resource with a depot of the network"
        )
    for field in ("collection_date", "pallet_types"):
        if not getattr(facts, field):
            yield Fault("NX113", field, "it is required", "Enter it on the order")
    for stop, address in (("pickup", facts.pickup), ("delivery", facts.delivery)):
        for part in ADDRESS_REQUIRED:
            if not getattr(address, part):
                yield Fault("NX113", f"{stop}.{part}", "it is required", "Complete the address")


def _dates(facts: ConsignmentFacts, form: Form) -> Iterator[Fault]:
    """[NX-5-3, NX-5-4]"""
    service, collection, wanted = form.service(facts), facts.collection_date, facts.delivery_date
    booked = services.read_day(additional(facts, amazon.BOOKING_DATE)) if service.window == BOOK_IN else None
    if service.level == SPECIFIC_DAY and not (wanted or booked):
        yield Fault("NX114", "delivery_date", "Specific Day needs the day", "Enter the delivery date")
    if service.level == SPECIFIC_DAY and wanted and booked and wanted != booked:
        yield Fault(
            "NX114",
            "delivery_date",
            f"the delivery is on {wanted}, and booked in on {booked}",
            "Keep the day that was agreed",
        )
    if collection is None:
        return
    earliest = form.calendar.earliest_delivery(service.level, collection)
    for field, day in (("delivery_date", wanted), (f"additional_fields.{amazon.BOOKING_DATE}", booked)):
        if day and day < earliest:
            yield Fault(
                "NX114",
                field,
                f"{service.level or 'the service'} delivers on {earliest} at the earliest when it is collected on "
                f"{collection}, not on {day}",
                "Correct the dates, or choose a faster service",
            )
    fixed = booked or wanted
    if service.level == SPECIFIC_DAY and fixed and fixed.weekday() >= SATURDAY and not form.sd_weekend:
        yield Fault(
            "NX114",
            "delivery_date",
            f"{fixed} is a {fixed:%A}; Specific Day is Monday to Friday here",
            "Choose a working day, or set sd_weekend in the template once weekend delivery is agreed",
        )


def _windows(facts: ConsignmentFacts, form: Form) -> Iterator[Fault]:
    """[NX-4-23]"""
    service = form.service(facts)
    if service.window == TIMED:
        for field in (DELIVERY_FROM, DELIVERY_TO):
            if not additional(facts, field):
                yield Fault("NX114", f"additional_fields.{field}", "Timed needs it", "Enter the time that was agreed")
    if service.window == BOOK_IN and not (facts.delivery.phone or facts.notification_email):
        yield Fault(
            "NX114",
            "delivery.phone",
            "Book In needs a telephone number or an e-mail address of the consignee",
            "Enter one of them, so that the delivery can be booked in",
        )


def _amazon(facts: ConsignmentFacts, form: Form) -> Iterator[Fault]:
    """[NX-4-21, NX-5-17 to NX-5-21]"""
    service, fields = form.service(facts), amazon_fields(facts)
    if not service.for_amazon:
        return
    for field in form.amazon.required:
        if not fields.get(field):
            under = field if field == "carton_count" else f"additional_fields.{field}"
            yield Fault("NX112", under, "Amazon needs it", "Enter it, or take the Amazon extra off")
    if not any(fields.get(field) for field in form.amazon.one_of):
        listed = ", ".join(form.amazon.one_of)
        yield Fault("NX112", "additional_fields", f"Amazon needs one of {listed}", "Enter at least one of them")
    for window in sorted({BEFORE_NOON, TIMED} & set(service.windows)):
        yield Fault(
            "NX112",
            "surcharges",
            f"an Amazon delivery is booked in and cannot be {window} as well",
            f"Take {window} off",
        )


def _sizes_and_weights(facts: ConsignmentFacts, form: Form) -> Iterator[Fault]:
    given = pallets(facts)
    for place, pallet in enumerate(given):
        if pallet.type in form.pallet_types and payload.size(pallet, form) is None:
            yield Fault(
                "NX113",
                f"pallet_details[{place}]",
                f"pallet {place + 1} has no length, width and height, and its type {pallet.type} has no usual ones",
                "Enter them in cm",
            )
    if given and payload.weights(given, facts.weight_kg) is None:
        yield Fault(
            "NX113",
            "weight_kg",
            "it is required, and more than what the pallets weigh that have a weight of their own",
            "Enter the total weight in kg",
        )


def _mapping(facts: ConsignmentFacts, form: Form) -> Iterator[Fault]:
    """Names that the template leaves empty [NX-4-24, NX-2.9-8]."""
    service = form.service(facts)
    wanted = [
        ("consignment_type", payload.CONSIGNMENT_TYPES, CONSIGNMENT_TYPE, form.consignment_type),
        ("services.collection.default", payload.SERVICES, COLLECTION_SERVICE, form.collection_service),
        (f"services.delivery.{service.key}", payload.SERVICES, service.key, form.services.get(service.key, "-")),
        *(
            (f"pallet_bases.names.{base}", payload.PALLET_BASES, base, form.bases.get(base, "-"))
            for base in dict.fromkeys(payload.base(pallet, form) for pallet in pallets(facts))
        ),
    ]
    for place, lookup, code, name in wanted:
        if not name and not form.forced_id(lookup, code):
            yield Fault(
                "NX115",
                place,
                f"the Nexus template has no name for it, so that no id of {lookup} can be found",
                "Write Nexus's own name into the template",
            )
