"""The content of orders: defaults filled in, compared, merged and checked. Pure; nothing here reads or writes."""

from collections.abc import Mapping, Sequence
from datetime import date
from decimal import Decimal
from typing import Any, NamedTuple

from palletflow.desk.given import READ_ONLY, ConsignmentContent, OrderContent
from palletflow.desk.plan import Networks
from palletflow.desk.refusals import Fault
from palletflow.orders import consignment as domain
from palletflow.orders.calendar import add_working_days
from palletflow.store.orders import ADDRESS, CONTENT, HeldConsignment, HeldOrder

HEAD = ("customer", "reference", "reference_2")
QUANTITIES = ("weight_kg", "pallet_spaces")
DATES = ("collection_date", "delivery_date")
NESTED = ("pickup", "delivery", "northern_ireland", "additional_fields")
# What a network gives its consignments, and our own orders do not have before dispatch.
NOT_YET: Mapping[str, Any] = {
    "registered": False, "consignment_number": "", "network_status": "", "network_updated_at": None, "barcodes": [],
}  # fmt: skip

Content = dict[str, Any]
# Field to [before, after].
Changes = dict[str, list[Any]]


class Matched(NamedTuple):
    """Which consignment of a held order each given one is; `kept` with its place in what was given."""

    kept: list[tuple[HeldConsignment, ConsignmentContent, int]]
    new: list[ConsignmentContent]
    gone: list[HeldConsignment]


def said(row: ConsignmentContent) -> Content:
    """What the caller said of a consignment, as the store keeps it."""
    return row.model_dump(mode="json", exclude={"id"})


def filled(content: Content, customer: str, networks: Networks) -> Content:
    """Content with what the deployment file and the network's template know beside it.

    The customer's only account with the network, his collection address, and the delivery date by the service's lead
    [PF-4.1-2]. A pickup that nobody knows stays None.
    """
    plan, network = networks.plan, content["network"]
    made = dict(content)
    if any(made["pallet_details"]):
        missing = len(made["pallet_types"]) - len(made["pallet_details"])
        made["pallet_details"] = [*made["pallet_details"], *({} for _ in range(missing))]
    if not made["account"]:
        made["account"] = plan.only_account(network, customer)
    if made["pickup"] is None and customer in plan.customers:
        collection = plan.customers[customer].collection
        made["pickup"] = collection._asdict() if collection else None
    if made["delivery_date"] is None and made["collection_date"] and network in networks.mappers:
        services = networks.mappers[network].template.codes.get("services", {})
        lead = services.get(made["service"], {}).get("lead_days")
        if lead is not None:
            collected = date.fromisoformat(made["collection_date"])
            made["delivery_date"] = add_working_days(collected, int(lead)).isoformat()
    return made


def roles(content: Content, networks: Networks) -> list[str]:
    """Our roles on a consignment of our own; without a requesting depot our first one requests it."""
    ours = networks.plan.network(content["network"]).depots
    requesting = content["requesting_depot"] or next(iter(ours))
    return domain.roles(frozenset(ours), requesting, content["collecting_depot"], content["delivery_depot"])


def row(content: Content, customer: str, networks: Networks) -> dict[str, Any]:
    """What the store writes of a new consignment."""
    made = filled(content, customer, networks)
    return {**made, "our_roles": roles(made, networks), "given": content}


def faults(order: OrderContent, networks: Networks, held: HeldOrder | None = None) -> list[Fault]:
    """Everything that keeps an order from being entered [PF-6-2 and what else the network refuses at entry].

    A number that the network has registered is not judged any more.
    """
    found = []
    if order.customer not in networks.plan.customers:
        found.append(
            Fault(
                "customer",
                "unknown_customer",
                f"no customer in the deployment file has the code '{order.customer}'; add it there",
            )
        )
    registered = [one.registered for one in held.consignments] if held else []
    for place, consignment in enumerate(order.consignments):
        under = f"consignments[{place}]"
        if consignment.network not in networks.mappers:
            listed = ", ".join(networks.mappers)
            found.append(
                Fault(f"{under}.network", "unknown_network", f"'{consignment.network}' is not one of ours: {listed}")
            )
            continue
        content = filled(said(consignment), order.customer, networks)
        if content["pickup"] is None:
            if order.customer not in networks.plan.customers:
                continue
            detail = "the customer has no collection address in the deployment file, so the order must say where"
            found.append(Fault(f"{under}.pickup", "required", detail))
            continue
        if content["collection_date"] and (content["delivery_date"] or "9") < content["collection_date"]:
            detail = f"lies before the collection date {content['collection_date']}"
            found.append(Fault(f"{under}.delivery_date", "too_early", detail))
        if any(registered[place : place + 1]):
            content["tracking_number"] = ""
        entry = networks.entry(consignment.network)
        for fault in entry.faults(networks.plan, _as_domain(order, content, networks)):
            found.append(Fault(f"{under}.{fault.field}", fault.code, f"{fault.reason}. {fault.remedy}"))
    return found


def _as_domain(order: OrderContent, content: Content, networks: Networks) -> domain.Consignment:
    days = {
        name: date.fromisoformat(day) if (day := content[name]) else None
        for name in ("collection_date", "delivery_date")
    }
    quantities = {name: Decimal(str(content[name])) if content[name] else None for name in QUANTITIES}
    places = {name: domain.Address(**content[name]) for name in ("pickup", "delivery")}
    fields = {
        **content, **NOT_YET, **days, **quantities, **places, "customer_code": order.customer,
        "reference": order.reference, "reference_2": order.reference_2, "our_roles": roles(content, networks),
    }  # fmt: skip
    return domain.Consignment(**{name: fields[name] for name in domain.Consignment._fields})


def matched(held: HeldOrder, given: Sequence[ConsignmentContent]) -> Matched | Fault:
    """Pairs given consignments with held ones: by id, or by place when none has an id; a Fault for a foreign id."""
    by_id = {one.id: one for one in held.consignments}
    if not any(consignment.id for consignment in given):
        pairs = zip(held.consignments, given, strict=False)
        kept = [(one, consignment, place) for place, (one, consignment) in enumerate(pairs)]
        return Matched(kept, list(given[len(kept) :]), held.consignments[len(kept) :])
    kept = []
    for place, consignment in enumerate(given):
        if consignment.id is None:
            continue
        if consignment.id not in by_id:
            field = f"consignments[{place}].id"
            return Fault(field, "unknown", f"order '{held.key}' has no consignment {consignment.id}")
        kept.append((by_id.pop(consignment.id), consignment, place))
    return Matched(kept, [one for one in given if one.id is None], list(by_id.values()))


def changed(
    held: HeldConsignment,
    new: ConsignmentContent,
    customers: tuple[str, str],
    named: frozenset[str],
    networks: Networks,
) -> tuple[dict[str, Any], Changes]:
    """What the store writes of a changed consignment, and what that changes.

    A field follows the caller when he says of it something else than last time, or has `named` it; where he does not,
    the network may have filled it in. `customers`: the order's customer before and now.
    """
    given = said(new)
    now = filled(given, customers[1], networks)
    before = None if held.given is None else filled(held.given, customers[0], networks)
    follows = {name for name in CONTENT if before is None or now[name] != before[name] or name in named}
    stored = {name: now[name] if name in follows else held.content[name] for name in CONTENT}
    changes = _flat_changes(held.content, stored)
    return {**stored, "id": held.id, "our_roles": roles(stored, networks), "given": given}, changes


def head_changes(held: HeldOrder, new: OrderContent) -> Changes:
    """What changes of the order itself."""
    pairs = {name: [getattr(held, name), getattr(new, name)] for name in HEAD}
    return {name: pair for name, pair in pairs.items() if pair[0] != pair[1]}


def _flat_changes(before: Content, after: Content) -> Changes:
    """Addresses part by part, as the import flow names them."""
    found: Changes = {}
    for name in CONTENT:
        if name in ("pickup", "delivery"):
            pairs = {f"{name}_{part}": [before[name][part], after[name][part]] for part in ADDRESS}
        else:
            pairs = {name: [before[name], after[name]]}
        found |= {field: pair for field, pair in pairs.items() if pair[0] != pair[1]}
    return found


def merged(held: HeldOrder, change: Mapping[str, Any]) -> tuple[Content, dict[int, frozenset[str]]] | list[Fault]:
    """A held order with a change laid over it, to be judged as a whole, and the fields named of each consignment.

    Null takes a value away. Consignments are matched by id or place. Faults when the change has no such shape.
    """
    parts = change.get("consignments", [])
    wrong = [Fault(name, "read_only", "cannot be changed") for name in change if name in READ_ONLY["OrderContent"]]
    if not isinstance(parts, list) or len(parts) > len(held.consignments):
        detail = f"must be a list of at most the {len(held.consignments)} the order has; PUT adds and removes some"
        return [*wrong, Fault("consignments", "shape", detail)]
    whole = _laid_over({name: getattr(held, name) for name in HEAD}, change)
    places = {one.id: place for place, one in enumerate(held.consignments)}
    contents = [{"id": one.id, **(one.given or one.content)} for one in held.consignments]
    named: dict[int, frozenset[str]] = {}
    for place, part in enumerate(parts):
        under = f"consignments[{place}]"
        if not isinstance(part, dict):
            wrong.append(Fault(under, "shape", "must be an object"))
            continue
        wrong += [
            Fault(f"{under}.{name}", "read_only", "cannot be changed")
            for name in part
            if name in READ_ONLY["ConsignmentContent"]
        ]
        target = places.get(part["id"]) if isinstance(part.get("id"), int) else place if "id" not in part else None
        if target is None:
            wrong.append(Fault(f"{under}.id", "unknown", f"order '{held.key}' has no such consignment"))
            continue
        one = held.consignments[target]
        named[one.id] = frozenset(part) - {"id"}
        for name, value in part.items():
            contents[target][name] = _laid_over(one.content.get(name), value) if name in NESTED else value
            if value is None:
                del contents[target][name]
    return wrong or ({**whole, "consignments": contents}, named)


def _laid_over(base: Any, over: Any) -> Any:
    if not isinstance(over, dict):
        return over
    return {name: value for name, value in {**(base or {}), **over}.items() if value is not None}
