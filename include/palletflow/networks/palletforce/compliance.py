"""Which consignments miss a status that Palletforce's members owe each other (PF-5-24)."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime
from typing import Any, NamedTuple

from palletflow.deployment import Deployment
from palletflow.intake.template import Template
from palletflow.networks.palletforce.mapper import NETWORK, preview
from palletflow.orders.consignment import Role
from palletflow.store import status_exports
from palletflow.store.connection import Connection
from palletflow.store.status_exports import Delivered

ORDER = "delivery order and total"


class NonCompliant(NamedTuple):
    """A consignment and what it misses: codes, "POD or PODD or ..." where one of several would do, or ORDER.

    `at`: when it was delivered, or collected when we only collected it.
    """

    consignment_id: int
    tracking_number: str
    at: datetime
    missing: list[str]


def compliance(conn: Connection, plan: Deployment, since: date) -> list[NonCompliant]:
    """What we delivered since a day, or collected for other members, and did not tell in full; oldest first.

    Raises FileFault when the template cannot be used.
    """
    return owed(conn, preview(plan).template, list(plan.network(NETWORK).depots), since)


def owed(
    conn: Connection, template: Template, ours: Sequence[str], since: date, most: int | None = None
) -> list[NonCompliant]:
    """The same by a template that is read already; `most`: only of so many stops, those that were completed last."""
    section = template.sections["statuses"]
    found = []
    for one in status_exports.delivered(conn, NETWORK, ours, since, most):
        missing = list(_missing(one, section, ours))
        at = one.delivered_at or one.collected_at
        if missing and at:
            found.append(NonCompliant(one.consignment_id, one.tracking_number, at, missing))
    return found


def _missing(one: Delivered, section: Mapping[str, Any], ours: Sequence[str]) -> Iterator[str]:
    mandatory = section["mandatory"]
    if Role.COLLECTING in one.roles and one.requesting_depot not in ours:
        yield from _lacking(one, mandatory["collecting_for_others"])
    if Role.DELIVERY in one.roles and one.delivered_at:
        yield from _lacking(one, mandatory["delivery"])
        counted = [code for group in mandatory["delivery"] for code in group]
        with_order = [pallets for pallets, code, has_order in _known(one) if has_order and code in counted]
        if not set(one.pallets) <= set().union(*with_order):
            yield ORDER


def _lacking(one: Delivered, groups: Sequence[Sequence[str]]) -> Iterator[str]:
    for group in groups:
        having = set().union(*(pallets for pallets, code, _ in _known(one) if code in group))
        if not set(one.pallets) <= having:
            yield " or ".join(group)


def _known(one: Delivered) -> Iterator[tuple[set[int], str, bool]]:
    """The pallets that each status is of."""
    for pallet, of_all, code, has_order in one.known:
        of = set(one.pallets) if of_all else set() if pallet is None else {pallet}
        yield of, code, has_order
