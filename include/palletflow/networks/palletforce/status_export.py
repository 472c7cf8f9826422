"""Tells Palletforce what our own people reported (contract 2.6, PF-5-21 to PF-5-25): the work STATUS_EXPORT.

The network counts an equal element once, so that sending again after an unknown outcome is safe. What it has taken is
kept with the element and not sent any more.
"""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from palletflow.deployment import Deployment
from palletflow.networks.palletforce.client import PalletforceClient
from palletflow.networks.palletforce.mapper import NETWORK
from palletflow.networks.palletforce.status_elements import elements, wire_element
from palletflow.networks.palletforce.statuses import Rules
from palletflow.networks.palletforce.work import ACTOR, Reach
from palletflow.store import activity, status_exports
from palletflow.store.connection import Connection
from palletflow.store.status_exports import ExportFacts
from palletflow.work.handling import Result, WorkItem

SOURCE = f"{NETWORK} status export"
# How soon to look again: whether statuses may be sent by now, its dispatch has ended, or a barcode can be built.
SWITCHED_OFF, UNREGISTERED, NO_BARCODE = timedelta(minutes=15), timedelta(minutes=10), timedelta(minutes=10)


class StatusExport:
    """The handler of STATUS_EXPORT; a work item's key is the id of a consignment."""

    def __init__(self, plan: Deployment, reach: Reach, clock: Callable[[], datetime]) -> None:
        self._is_on = plan.network(NETWORK).switches.status_export
        self._reach, self._clock = reach, clock

    def __call__(self, conn: Connection, item: WorkItem) -> Result:
        """Sends everything the network has not taken yet and is complete.

        While the switch is off or the consignment is not registered it waits; what misses something mandatory, or was
        refused, is left to a person. Raises NetworkError, ConnectionFlagged, FileFault.
        """
        consignment_id = int(item.key)
        facts = status_exports.facts(conn, consignment_id)
        if facts is None:
            return Result()
        if not self._is_on:
            return Result(again_at=self._clock() + SWITCHED_OFF)
        if not facts.registered:
            is_coming = facts.dispatch_state in ("todo", "waiting", "unknown", "failed")
            return Result(again_at=self._clock() + UNREGISTERED) if is_coming else Result()
        refused: list[str] = []
        wanting: list[str] = []
        waiting = 0
        order = status_exports.delivery_order(conn, consignment_id)
        for depot in dict.fromkeys((facts.collecting_depot, facts.delivery_depot)):
            if not self._tells(facts, depot):
                continue
            client, mapper = self._reach(conn, depot)
            rules = Rules(mapper.template.sections["statuses"], client.settings)
            found = elements(facts, order, rules)
            wanting += found.missing
            waiting += found.waiting
            ours = [element for element in found.ready if element["depot"] == depot]
            if ours:
                refused += self._send(conn, client, rules, consignment_id, facts.tracking_number, ours)
        if refused or wanting:
            return Result(parked="; ".join(dict.fromkeys((*refused, *wanting))))
        return Result(again_at=self._clock() + NO_BARCODE) if waiting else Result()

    def _tells(self, facts: ExportFacts, depot: str) -> bool:
        """Whether this depot of the consignment is ours by a role that tells anything."""
        return ("collecting" in facts.roles and depot == facts.collecting_depot) or (
            "delivery" in facts.roles and depot == facts.delivery_depot
        )

    def _send(
        self,
        conn: Connection,
        client: PalletforceClient,
        rules: Rules,
        consignment_id: int,
        tracking_number: str,
        ready: Sequence[Mapping[str, Any]],
    ) -> list[str]:
        """Sends elements of one depot and keeps what became of each; what was refused, with the reason."""
        with conn.transaction():
            ids = status_exports.write(conn, consignment_id, ready)
        unsent = [ready[position] for position in ids]
        on_the_wire = [wire_element(element, tracking_number, rules) for element in unsent]
        refusals = client.upload_tracking(
            on_the_wire,
            _transaction_number(client.settings.transaction_prefix, consignment_id, on_the_wire),
            rules.section["tracking_fields"],
        )
        by_id = dict(zip(ids.values(), range(len(unsent)), strict=True))
        refused = {id_: refusals[position] for id_, position in by_id.items() if position in refusals}
        said = [f"{_named(unsent[position])}: {reason}" for position, reason in sorted(refusals.items())]
        sent = [_named(element) for position, element in enumerate(unsent) if position not in refusals]
        with conn.transaction():
            status_exports.answered(conn, [id_ for id_ in by_id if id_ not in refused], refused)
            kind = "statuses sent" if sent else "statuses refused"
            activity.record(conn, consignment_id, kind, ACTOR, SOURCE, {"statuses": [None, sent]}, said)
        return said


def _transaction_number(prefix: str, consignment_id: int, sent: Sequence[Mapping[str, str]]) -> str:
    """Ours, and the same when the same elements are sent again."""
    digest = hashlib.sha256(repr([sorted(element.items()) for element in sent]).encode()).hexdigest()
    return f"{prefix}-S{consignment_id}-{digest[:12]}"


def _named(element: Mapping[str, Any]) -> str:
    which = f" pallet {element['pallet']}" if element["pallet"] else ""
    return f"{element['code']}{which} {element['at']:%Y-%m-%d %H:%M:%S}"
