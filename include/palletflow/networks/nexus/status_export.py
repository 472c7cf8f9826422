"""Tells Nexus what our own people reported (contract 2.8 and 8.3): the work STATUS_EXPORT.

Every status is written down before it is sent, and what Nexus has is looked up before that. So one whose answer was
lost, or whose sender was killed, is found there and not sent twice.
"""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

from palletflow.deployment import Deployment
from palletflow.network_errors import NetworkError, Rejected, UnknownOutcome
from palletflow.networks.nexus import reports, statuses
from palletflow.networks.nexus.errors import NexusNotOffered
from palletflow.networks.nexus.reports import DROPPED, Attempts, Owed
from palletflow.networks.nexus.resting import Resting
from palletflow.networks.nexus.statuses import Rules
from palletflow.networks.nexus.work import ACTOR, DOCUMENT_UPLOAD, NETWORK, Access, Reach, asking_depot
from palletflow.orders.consignment import Role
from palletflow.orders.lifecycle import Status
from palletflow.orders.tracking import Event
from palletflow.store import activity, consignments, session_lock, status_exports, work_items
from palletflow.store.connection import Connection
from palletflow.store.status_exports import ExportFacts
from palletflow.store.work_items import storable
from palletflow.work.handling import Result, WorkItem
from palletflow.work.waiting import as_long_again, together

SOURCE = f"{NETWORK} status export"
STATUSES = "consignmentStatuses"
# How soon to look again: whether statuses may be sent by now, or its dispatch has ended.
SWITCHED_OFF, UNREGISTERED = timedelta(minutes=15), timedelta(minutes=10)
# Until another worker has told what it was about to tell.
BUSY = timedelta(seconds=10)
# Why a status waits; one that did is dropped when it has become too old [NX-8-25].
HELD = "held: "


class StatusExport:
    """The handler of STATUS_EXPORT; a work item's key is the id of a consignment. Threads may share one."""

    def __init__(self, plan: Deployment, reach: Reach, clock: Callable[[], datetime]) -> None:
        self._ours = plan.network(NETWORK)
        self._reach, self._clock = reach, clock
        # By connection: the handlers live as long as a run.
        self._resting: dict[str, NetworkError] = {}

    def __call__(self, conn: Connection, item: WorkItem) -> Result:
        """Sends everything that Nexus does not have yet, in the order it happened.

        What Nexus refuses is left to a person and stops no other status. Raises NetworkError, ConnectionFlagged,
        FileFault.
        """
        consignment_id = int(item.key)
        facts = status_exports.facts(conn, consignment_id)
        role = reports.telling_role(facts.roles) if facts else None
        if facts is None or role is None:
            return Result()
        if not facts.registered:
            is_coming = facts.dispatch_state in ("todo", "waiting", "unknown", "failed")
            if not is_coming or consignments.facts(conn, consignment_id).cancelled:
                return Result()
            return Result(again_at=as_long_again(self._clock(), item.created_at, UNREGISTERED))
        depot = facts.collecting_depot if role is Role.COLLECTING else facts.delivery_depot
        # Nexus names no depots: then it was we who created it [NX-8-13].
        depot = depot or asking_depot(self._ours.depots, consignments.facts(conn, consignment_id).requesting_depot)
        access = self._reach(conn, depot)
        # Two who work on it at once would both find that a status under way has not arrived.
        with session_lock.alone(conn, f"{NETWORK} statuses of {consignment_id}") as alone:
            if not alone:
                return Result(again_at=self._clock() + BUSY)
            return self._tell(_Telling(conn, consignment_id, facts, role, depot, access, self._clock()), access)

    def _tell(self, telling: "_Telling", access: Access) -> Result:
        settings = access.client.settings
        if not (self._ours.switches.status_export and settings.status_export):
            is_held = telling.hold("status export is switched off")
            return Result(again_at=together(self._clock(), SWITCHED_OFF) if is_held else None)
        connection = settings.connection
        try:
            if connection in self._resting:
                raise self._resting[connection]
            return Result(parked="; ".join(telling.send()) or None)
        except NexusNotOffered as error:
            self._resting[connection] = error
            if telling.hold(storable(str(error))):
                raise Resting(error) from error
            return Result()


class _Telling:
    """One consignment of which Nexus is told through `access`, as our depot `depot`."""

    def __init__(
        self,
        conn: Connection,
        consignment_id: int,
        facts: ExportFacts,
        role: Role,
        depot: str,
        access: Access,
        now: datetime,
    ) -> None:
        sections = access.mapper.template.sections
        self._conn, self._id, self._facts, self._role = conn, consignment_id, facts, role
        self._depot, self._access = depot, access
        self._rules = Rules(sections, access.client.wire.formats)
        self._names, self._fields = sections["status_export"], sections["status_post"]
        self._note_most = int(sections["limits"]["notes"])
        self._now = now
        self._max_age = timedelta(hours=access.client.settings.status_export_max_age_h)
        kept = status_exports.kept(conn, consignment_id)
        self._owed = reports.owed(facts, role, kept, self._rules, self._names)

    def hold(self, reason: str) -> bool:
        """Keeps everything that is owed for later; what is too old for that is dropped. Whether anything waits."""
        waiting = [one for one in self._owed if not self._dropped(one, is_held=True)]
        with self._conn.transaction():
            ids = self._write([one for one in waiting if one.kept is None])
            status_exports.hold(self._conn, ids, HELD + reason)
            if any(one.status is Status.DELIVERED and one.kept is None for one in self._owed):
                self._upload_documents()
        return bool(waiting)

    def send(self) -> list[str]:
        """Sends everything that is owed, unless Nexus has it; what it refused, with the reason."""
        owed = [one for one in self._owed if not self._dropped(one, is_held=False)]
        if self._role is Role.DELIVERY and not self._names[Status.DELIVERED]:
            with self._conn.transaction():
                self._upload_documents()  # nothing is told before them
        if not owed:
            return []
        is_there = self._what_nexus_has()
        refused = []
        for one in owed:
            try:
                self._send_one(one, is_there(one))
            except Rejected as error:
                refused.append(f"{_named(one)}: {error}")
                with self._conn.transaction():
                    status_exports.answered(self._conn, [], dict.fromkeys(self._write([one]), storable(str(error))))
                    self._tell("statuses refused", [], refused[-1:])
        return refused

    def _what_nexus_has(self) -> Callable[[Owed], bool]:
        """Looks what Nexus has of the consignment; gives whether a status is among it [NX-8-27, NX-8-28]."""
        client, number = self._access.client, int(self._facts.tracking_number)
        rows = client.history(number)
        if rows is None:
            shown = statuses.shown(self._access.mapper.reading.reply(client.get(number)), self._rules, self._now)
            return lambda one: reports.in_status(one, shown)
        ids = sorted(statuses.nameless(rows, self._rules))
        names = {id_: self._access.lookups.name_of(self._conn, STATUSES, id_) for id_ in ids}
        events: list[Event] = statuses.read(
            rows,
            rules=self._rules,
            names=names,
            pallets={},
            delivery_depot=self._facts.delivery_depot,
            now=self._now,
        ).events
        attempts = Attempts(self._facts.movements)
        return lambda one: reports.in_history(one, events, len(self._facts.barcodes), attempts)

    def _send_one(self, one: Owed, is_there: bool) -> None:
        """Raises Rejected when Nexus refuses it, NexusNotOffered, and whatever leaves open what became of it."""
        if is_there:
            self._sent(one, "statuses found at Nexus")
            return
        status_id = self._access.lookups.id_of(self._conn, STATUSES, one.key, one.name)
        kept = self._element(one)
        with self._conn.transaction():
            ids = self._write([one])
            status_exports.hold(self._conn, ids, None)
        try:
            self._access.client.post_status(
                int(self._facts.tracking_number), reports.body(kept, status_id, self._rules, self._fields)
            )
        except UnknownOutcome:
            raise
        except NetworkError as error:
            # Nexus has none of it for certain.
            status_exports.hold(self._conn, ids, storable(str(error)))
            raise
        self._sent(one, "statuses sent")

    def _sent(self, one: Owed, kind: str) -> None:
        with self._conn.transaction():
            status_exports.answered(self._conn, self._write([one]), {})
            self._tell(kind, [one], [])
            if one.status is Status.DELIVERED:
                self._upload_documents()

    def _dropped(self, one: Owed, *, is_held: bool) -> bool:
        """Whether a status is held, now or the last time, and too old; then it is noted once and never sent [NX-8-25].

        Held now is everything, also what went or was refused before: it would wait as long as nothing may be sent.
        """
        was_held = one.kept is not None and one.kept.refusal.startswith(HELD)
        if not (is_held or was_held) or self._now - one.at <= self._max_age:
            return False
        reason = f"{DROPPED}it is older than {self._max_age / timedelta(hours=1):g} hours"
        with self._conn.transaction():
            status_exports.answered(self._conn, [], dict.fromkeys(self._write([one]), reason))
            self._tell("statuses dropped", [], [f"{_named(one)}: {reason}"])
        return True

    def _element(self, one: Owed) -> dict[str, object]:
        return reports.element(one, self._depot, self._note_most)

    def _write(self, owed: Sequence[Owed]) -> list[int]:
        """Writes statuses down, within the caller's transaction; the ids of those not sent yet."""
        written = status_exports.write(self._conn, self._id, [self._element(one) for one in owed])
        return list(written.values())

    def _tell(self, kind: str, sent: Sequence[Owed], warnings: Sequence[str]) -> None:
        changes = {"statuses": [None, [_named(one) for one in sent]]} if sent else None
        activity.record(self._conn, self._id, kind, ACTOR, SOURCE, changes, warnings)

    def _upload_documents(self) -> None:
        """Documents go after the delivery has been told, or at once when it is not [NX-9-11]."""
        work_items.enqueue(self._conn, NETWORK, DOCUMENT_UPLOAD, [self._id])


def _named(one: Owed) -> str:
    return f"{one.name} {one.at:%Y-%m-%d %H:%M:%S}"
