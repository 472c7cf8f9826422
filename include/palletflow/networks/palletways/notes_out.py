"""Tells Palletways what our own people reported, as notes (contract 2.7 and 7.3): the work NOTES_OUT.

A note is written down before it is sent. One whose answer was lost, or whose sender was killed, is looked for twice at
Palletways before it goes out again, so that no note goes twice.
"""

from collections import Counter
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from palletflow.deployment import Deployment
from palletflow.network_errors import NetworkError, Rejected, UnknownOutcome
from palletflow.networks.palletways import notes, pod
from palletflow.networks.palletways.notes import OurNote
from palletflow.networks.palletways.settings import NOTES_OUT as CAPABILITY
from palletflow.networks.palletways.work import ACTOR, NETWORK, Access, Reach, asking_depot
from palletflow.orders.progress import reported
from palletflow.store import activity, consignments, network_notes, session_lock, status_exports
from palletflow.store.connection import Connection
from palletflow.store.network_notes import Told
from palletflow.store.status_exports import ExportFacts
from palletflow.store.work_items import storable
from palletflow.work.handling import Result, WorkItem

SOURCE = f"{NETWORK} notes"
# How soon to look again: whether it has its tracking ID, another worker is done, a note has turned up.
UNREGISTERED, BUSY, LOOK_AGAIN = timedelta(minutes=10), timedelta(seconds=10), timedelta(minutes=2)
LONGEST_WAIT = timedelta(days=1)
# So many look-ups that found nothing, that far apart, before a note goes out again [PW-1.4-10].
LOOKUPS = 2


class NotesOut:
    """The handler of NOTES_OUT; a work item's key is the id of a consignment. Threads may share one."""

    def __init__(self, plan: Deployment, reach: Reach, clock: Callable[[], datetime]) -> None:
        self._ours = plan.network(NETWORK)
        self._reach, self._clock = reach, clock

    def __call__(self, conn: Connection, item: WorkItem) -> Result:
        """Tells everything that the template names and Palletways does not have yet, in the order it happened.

        What is refused is left to a person and stops no other note. Without the capability, or with status_export
        switched off, nothing is told. Raises NetworkError, ConnectionFlagged, FileFault.
        """
        consignment_id = int(item.key)
        facts = status_exports.facts(conn, consignment_id)
        if facts is None or not self._ours.switches.status_export:
            return Result()
        requesting = consignments.facts(conn, consignment_id).requesting_depot
        depot = asking_depot(self._ours.depots, requesting, facts.collecting_depot, facts.delivery_depot)
        access = self._reach(conn, depot)
        if not access.client.settings.can(CAPABILITY):
            return Result()
        if not facts.registered:
            is_coming = facts.dispatch_state in ("todo", "waiting", "unknown", "failed")
            waited = self._clock() - item.created_at
            pause = min(max(waited, UNREGISTERED), LONGEST_WAIT)
            return Result(again_at=self._clock() + pause) if is_coming else Result()
        # Two who work on it at once would both find that a note under way has not arrived.
        with session_lock.alone(conn, f"{NETWORK} notes of {consignment_id}") as alone:
            if not alone:
                return Result(again_at=self._clock() + BUSY)
            return _Telling(conn, consignment_id, facts, access, self._clock).tell()


class _Telling:
    """One consignment of which Palletways is told."""

    def __init__(
        self,
        conn: Connection,
        consignment_id: int,
        facts: ExportFacts,
        access: Access,
        clock: Callable[[], datetime],
    ) -> None:
        self._conn, self._id, self._facts, self._clock = conn, consignment_id, facts, clock
        self._client, self._zone = access.client, access.client.settings.zone
        self._wanted = notes.wanted(
            facts.movements, facts.barcodes, facts.tracking_number, access.mapper.template.sections["notes"]
        )

    def tell(self) -> Result:
        """First what may have arrived, then, in the order it happened, what Palletways does not have."""
        again_at = self._settle_unclear()
        if again_at:
            return Result(again_at=again_at)
        told = {(one.event, one.pallet, one.at): one for one in network_notes.told(self._conn, self._id)}
        for wanted in self._wanted:
            held = told.get((wanted.event, wanted.movement.pallet, wanted.movement.at))
            if held is None or held.refusal:
                self._send(self._written(wanted, held))
        refused = [one for one in network_notes.told(self._conn, self._id) if one.refusal]
        return Result(parked="; ".join(f"{_named(one)}: {one.refusal}" for one in refused) or None)

    def _settle_unclear(self) -> datetime | None:
        """Looks for notes of which nobody knows whether they arrived; when to look again, None once all are settled."""
        told = network_notes.told(self._conn, self._id)
        unclear = [one for one in told if not one.is_sent and not one.refusal]
        if not unclear:
            return None
        now = self._clock()
        waits_until = max((one.lookup_at + LOOK_AGAIN for one in unclear if one.lookup_at), default=now)
        if waits_until > now:
            return waits_until
        there = Counter(map(notes.signature_of, pod.of_one(self._client, self._facts.tracking_number, now)))
        there.subtract(notes.signature(one.nodes) for one in told if one.is_sent)
        missing = []
        for one in unclear:
            signature = notes.signature(one.nodes)
            there[signature] -= 1
            if there[signature] >= 0:
                self._has_arrived(one, "notes found at Palletways")
            else:
                network_notes.looked_for(self._conn, one.id, now)
                missing.append(one)
        if any(one.lookups + 1 < LOOKUPS for one in missing):
            return now + LOOK_AGAIN
        for one in missing:
            network_notes.sends_again(self._conn, one.id)
            self._send(one)
        return None

    def _written(self, wanted: OurNote, refused: Told | None) -> Told:
        """Writes a note down before it is sent; one that was refused as what it has become since."""
        movement = wanted.movement
        status, reason = reported(movement.event, movement.place, movement.outcome)
        row = {
            "pallet": movement.pallet,
            "barcode": wanted.barcode,
            "event": wanted.event,
            "status": status,
            "reason": reason,
            "at": movement.at,
            "signatory": movement.signatory,
            "text": wanted.text,
            "movement_id": movement.id,
        }
        with self._conn.transaction():
            if refused:
                network_notes.withdraw(self._conn, refused.id)
            return network_notes.begin(self._conn, self._id, row, notes.fields(wanted, self._zone))

    def _send(self, one: Told) -> None:
        """Sends a note that is written down. Raises UnknownOutcome when it may have arrived, and other NetworkErrors.

        What Palletways refuses is kept with the reason.
        """
        document = notes.document(one.nodes, f"palletflow-{one.id}.xml", self._clock(), self._zone)
        try:
            self._client.create_note(document)
        except UnknownOutcome:
            raise
        except Rejected as error:
            with self._conn.transaction():
                status_exports.answered(self._conn, [], {one.id: storable(str(error))})
                self._record("notes refused", None, [f"{_named(one)}: {error}"])
        except NetworkError:
            network_notes.withdraw(self._conn, one.id)  # it did not arrive for certain
            raise
        else:
            self._has_arrived(one, "notes sent")

    def _has_arrived(self, one: Told, kind: str) -> None:
        with self._conn.transaction():
            status_exports.answered(self._conn, [one.id], {})
            self._record(kind, {"notes": [None, [_named(one)]]}, [])

    def _record(self, kind: str, changes: dict[str, Any] | None, warnings: list[str]) -> None:
        activity.record(self._conn, self._id, kind, ACTOR, SOURCE, changes, [storable(text) for text in warnings])


def _named(one: Told) -> str:
    which = f" pallet {one.pallet}" if one.pallet else ""
    return f"{one.event}{which} {one.at:%Y-%m-%d %H:%M:%S}"
