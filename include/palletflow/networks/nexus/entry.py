"""What an order for Pall-Ex or Fortec must hold to when it is entered, and what follows from entering it."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from functools import lru_cache
from pathlib import Path

from palletflow.deployment import Deployment
from palletflow.intake import template
from palletflow.networks.nexus import form, poll, rules
from palletflow.networks.nexus.form import ADDITIONAL_FIELDS, Form
from palletflow.networks.nexus.mapper import KINDS, SECTIONS, TEMPLATE, WIRE_FIELDS
from palletflow.networks.nexus.work import CANCEL, DOCUMENT_UPLOAD, ETA_EXPORT, NETWORK
from palletflow.orders.consignment import Consignment
from palletflow.orders.faults import Fault
from palletflow.store.connection import Connection
from palletflow.syncs import Synced
from palletflow.work.follows import ADDED, CANCELLED, EXPECTED, Follow

# A route and its ETAs are told stop by stop: they go out together.
FOLLOWS: Mapping[str, Follow] = {
    CANCELLED: Follow(CANCEL),
    ADDED: Follow(DOCUMENT_UPLOAD),
    EXPECTED: Follow(ETA_EXPORT, after_s=10),
}
# Nexus draws the labels; they are fetched once it has the consignment.
DRAWS_LABELS = False
# A consignment that came from it may be dispatched: it is taken over and its label fetched [NX-6-5].
ADOPTS = True


def faults(plan: Deployment, consignment: Consignment) -> list[Fault]:
    """Why these values cannot be entered: (code, field, reason, remedy) each; what is still missing is no fault.

    They are judged as dispatch judges them. Raises FileFault when the template is not usable.
    """
    unknown = sorted(set(consignment.additional_fields) - set(ADDITIONAL_FIELDS))
    return [
        *rules.wrong_values(consignment, _form(plan)),
        *rules.number_of_another(consignment),
        *(
            Fault(
                "UNKNOWN_FIELD",
                f"additional_fields.{name}",
                f"Nexus has no such field here; it has {', '.join(ADDITIONAL_FIELDS)}",
                "Correct its name or leave it out",
            )
            for name in unknown
        ),
    ]


def written(conn: Connection, plan: Deployment, consignment_ids: Sequence[int], actor: str) -> None:
    """After consignments were entered or changed: nothing, as Nexus gives numbers, barcodes and labels."""


def synced(plan: Deployment) -> list[Synced]:
    """What is read from Nexus by the clock: everything of the depots that share a connection (palletflow.syncs)."""
    ours = plan.network(NETWORK)
    of: dict[str, list[str]] = {}
    for depot, connection in ours.depots.items():
        of.setdefault(connection, []).append(depot)
    return [
        Synced(poll.STREAM, connection, "orders and statuses", tuple(depots), "nexus_poll", timedelta(minutes=3))
        for connection, depots in of.items()
        if ours.switches.imports
    ]


def _form(plan: Deployment) -> Form:
    """What the template says; read again only when a file of it has changed."""
    override = plan.network(NETWORK).template
    return _read_form(
        override, tuple(file.stat().st_mtime_ns for file in (TEMPLATE, override) if file and file.exists())
    )


@lru_cache(maxsize=4)
def _read_form(override: Path | None, _written_at: tuple[int, ...]) -> Form:
    return form.read_form(template.load(TEMPLATE, override, KINDS, WIRE_FIELDS, SECTIONS))
