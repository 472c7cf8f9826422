"""What an order for Palletways must hold to when it is entered, and what follows from entering it."""

from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path

from palletflow.deployment import Deployment
from palletflow.intake import template
from palletflow.networks.palletways import record, rules
from palletflow.networks.palletways.form import Form, read_form
from palletflow.networks.palletways.mapper import KINDS, SECTIONS, TEMPLATE, WIRE_FIELDS
from palletflow.networks.palletways.rules import Fault
from palletflow.networks.palletways.work import CANCEL, LOOK_UP, NETWORK, PHOTO_UPLOAD
from palletflow.orders.consignment import Consignment
from palletflow.store import consignments, work_items
from palletflow.store.connection import Connection
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


def _form(plan: Deployment) -> Form:
    """What the template says; read again only when a file of it has changed."""
    override = plan.network(NETWORK).template
    return _read_form(
        override, tuple(file.stat().st_mtime_ns for file in (TEMPLATE, override) if file and file.exists())
    )


@lru_cache(maxsize=4)
def _read_form(override: Path | None, _written_at: tuple[int, ...]) -> Form:
    return read_form(template.load(TEMPLATE, override, KINDS, WIRE_FIELDS, SECTIONS))
