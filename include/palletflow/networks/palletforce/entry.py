"""What an order for Palletforce must hold to when it is entered, and what follows from entering it (contract 6)."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from functools import lru_cache
from pathlib import Path

from palletflow import syncs
from palletflow.deployment import Deployment
from palletflow.intake import template
from palletflow.networks.palletforce import barcodes, manifest, pull, rules, status_import
from palletflow.networks.palletforce.manifest import Form
from palletflow.networks.palletforce.mapper import KINDS, NETWORK, SECTIONS, TEMPLATE, WIRE_FIELDS
from palletflow.networks.palletforce.work import OWN_LABELS
from palletflow.orders.consignment import Consignment
from palletflow.orders.faults import Fault
from palletflow.store import barcodes as stored_barcodes
from palletflow.store import consignments, dispatch, work_items
from palletflow.store.connection import Connection
from palletflow.store.consignments import ConsignmentFacts
from palletflow.syncs import Synced
from palletflow.work.follows import Follow

SOURCE = "entry"
# We draw its labels ourselves while the network has not.
DRAWS_LABELS = True
# What it has already needs no dispatch, and cannot have one.
ADOPTS = False
# It has no call to cancel, takes no documents and is told no ETAs.
FOLLOWS: Mapping[str, Follow] = {}


def faults(plan: Deployment, consignment: Consignment) -> list[Fault]:
    """Why these values cannot be entered: (code, field, reason, remedy) each; what is still missing is no fault.

    An imported tracking ID has 13 digits, begins with a depot code of ours, and is enabled by the deployment's switch
    `imported_tracking_id` [PF-6-1, PF-6-2]; codes and lengths are those of dispatch. Raises FileFault when the
    template is not usable.
    """
    ours = plan.network(NETWORK)
    found = rules.wrong_values(consignment, _form(plan), ours.depots)
    if consignment.tracking_number and not ours.switches.imported_tracking_id:
        found.append(
            Fault(
                "SWITCHED_OFF",
                "tracking_number",
                "imported tracking IDs are switched off in the deployment file",
                f"Clear the field, or set networks.{NETWORK}.switches.imported_tracking_id",
            )
        )
    return found


def written(conn: Connection, plan: Deployment, consignment_ids: Sequence[int], actor: str) -> None:
    """After consignments were entered or changed, within the caller's transaction.

    Pallets are numbered as the wire counts them; barcodes are expected as soon as number, depot and service are known
    and withdrawn when they no longer fit; with an imported number our own labels are drawn [PF-6-5], which finds the
    depot when the order does not say. What the network has registered already is left alone.
    """
    rows: list[tuple[int, int, str]] = []
    to_label: list[int] = []
    for consignment_id in consignment_ids:
        facts = consignments.facts(conn, consignment_id)
        if facts.registered:
            continue
        if facts.pallet_types != manifest.in_sending_order(facts.pallet_types):
            dispatch.group_pallets(conn, consignment_id)
        codes = barcodes.of_pallets(facts.delivery_depot, facts.service, facts.tracking_number, len(facts.pallets))
        if codes:
            rows += [(facts.id, pallet.number, code) for pallet, code in zip(facts.pallets, codes, strict=True)]
        elif not all(_still_fits(facts, pallet.barcode) for pallet in facts.pallets):
            stored_barcodes.withdraw(conn, consignment_id, actor, SOURCE)
        if facts.tracking_number:
            to_label.append(consignment_id)
    if rows:
        stored_barcodes.expect(conn, rows, actor, SOURCE)
    if to_label:
        work_items.enqueue(conn, NETWORK, OWN_LABELS, to_label)


def _still_fits(facts: ConsignmentFacts, barcode: str) -> bool:
    """Whether a barcode is of this number and service; of the depot it knows more than the order does."""
    parts = barcodes.read(barcode)
    return not barcode or (
        parts is not None and (parts.tracking_number, parts.service) == (facts.tracking_number, facts.service)
    )


def synced(plan: Deployment) -> list[Synced]:
    """What is read from Palletforce by the clock: orders and statuses of each depot, and files (palletflow.syncs)."""
    ours = plan.network(NETWORK)
    every = timedelta(minutes=30)
    streams = [
        (ours.switches.imports, pull.STREAM, "orders", "palletforce_import"),
        (ours.switches.status_import, status_import.STREAM, "statuses", "palletforce_statuses"),
    ]
    return [
        *(
            Synced(stream, depot, what, (depot,), dag_id, every)
            for is_on, stream, what, dag_id in streams
            for depot in ours.depots
            if is_on
        ),
        *syncs.of_files(NETWORK, ours),
    ]


def _form(plan: Deployment) -> Form:
    """The template's dispatch section; read again only when a file of it has changed."""
    override = plan.network(NETWORK).template
    return _read_form(
        override, tuple(file.stat().st_mtime_ns for file in (TEMPLATE, override) if file and file.exists())
    )


@lru_cache(maxsize=8)
def _read_form(override: Path | None, _changed_ns: tuple[int, ...]) -> Form:
    return manifest.form(template.load(TEMPLATE, override, KINDS, WIRE_FIELDS, SECTIONS))
