"""What an order for Palletways must hold to when it is entered, and what follows from entering it."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from functools import lru_cache
from pathlib import Path

from palletflow import syncs
from palletflow.deployment import Deployment
from palletflow.intake import template
from palletflow.networks.palletways import entered, poll, record, rules
from palletflow.networks.palletways.form import Form, read_form
from palletflow.networks.palletways.mapper import KINDS, SECTIONS, TEMPLATE, WIRE_FIELDS
from palletflow.networks.palletways.work import CANCEL, LOOK_UP, NETWORK, PHOTO_UPLOAD
from palletflow.orders.consignment import Consignment
from palletflow.orders.faults import Fault
from palletflow.store import consignments, work_items
from palletflow.store.connection import Connection
from palletflow.syncs import Synced
from palletflow.work.follows import ADDED, CANCELLED, Follow

FOLLOWS: Mapping[str, Follow] = {CANCELLED: Follow(CANCEL), ADDED: Follow(PHOTO_UPLOAD)}
# Palletways draws the labels; they are fetched once it has the consignment.
DRAWS_LABELS = False
# What it has already needs no dispatch, and cannot have one.
ADOPTS = False


def faults(plan: Deployment, consignment: Consignment) -> list[Fault]:
    """Why these values cannot be entered: (code, field, reason, remedy) each; what is still missing is no fault.

    They are judged as dispatch judges them. Raises FileFault when the template is not usable.
    """
    return rules.wrong_values(consignment, _form(plan), record.is_tracking_id)


def written(conn: Connection, plan: Deployment, consignment_ids: Sequence[int], actor: str) -> None:
    """After consignments were entered or changed: what has a tracking ID is looked up by it [PW-7.2-1]."""
    entered = [consignments.facts(conn, consignment_id) for consignment_id in consignment_ids]
    typed = [one.id for one in entered if one.tracking_number and not one.registered]
    if typed:
        work_items.enqueue(conn, NETWORK, LOOK_UP, typed)


def synced(plan: Deployment) -> list[Synced]:
    """What is read from Palletways by the clock: notes and statuses of each depot, what customers entered there
    themselves where its connection asks for it, and files (palletflow.syncs)."""
    ours = plan.network(NETWORK)
    polled = ours.switches.imports and ours.switches.status_import
    every, daily = timedelta(minutes=5), timedelta(days=1)
    return [
        *(
            Synced(poll.STREAM, depot, "notes and statuses", (depot,), "palletways_poll", every)
            for depot in ours.depots
            if polled
        ),
        *(
            Synced(
                entered.STREAM, depot, "customers' own entries", (depot,), "palletways_entered", daily, once_run=True
            )
            for depot in ours.depots
        ),
        *syncs.of_files(NETWORK, ours),
    ]


def _form(plan: Deployment) -> Form:
    """What the template says; read again only when a file of it has changed."""
    override = plan.network(NETWORK).template
    return _read_form(
        override, tuple(file.stat().st_mtime_ns for file in (TEMPLATE, override) if file and file.exists())
    )


@lru_cache(maxsize=4)
def _read_form(override: Path | None, _written_at: tuple[int, ...]) -> Form:
    return read_form(template.load(TEMPLATE, override, KINDS, WIRE_FIELDS, SECTIONS))
