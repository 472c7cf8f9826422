"""Takes consignments in: reads each whole with its history, stores what it becomes, then what its statuses say.

Contract 7.3 and 7.4. Interrupted anywhere and repeated it ends the same: what is stored already is recognised, and a
consignment counts as read only once all of it is stored.
"""

import hashlib
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from palletflow.deployment import Deployment
from palletflow.intake.flow import Intake, Refusing, Translated
from palletflow.intake.template import Fault
from palletflow.network_errors import NetworkError, NotFound, Rejected, UnknownOutcome
from palletflow.networks.nexus.errors import NexusProtocolError
from palletflow.networks.nexus.looking_up import LookingUp
from palletflow.networks.nexus.mapper import Mapper
from palletflow.networks.nexus.record import LOOKED_UP
from palletflow.networks.nexus.status_import import store_statuses
from palletflow.networks.nexus.work import NETWORK, STATUS_EXPORT, Access
from palletflow.orders.consignment import Consignment
from palletflow.store import consignments, imports, listed_records, orders, quarantine, tracking, work_items
from palletflow.store.connection import Connection, NotStorable
from palletflow.store.imports import NO_RECORDS, Batch, Counts

# What may be wrong with one consignment alone; anything else concerns the connection.
OF_ONE = (Rejected, NotFound, UnknownOutcome)
History = list[dict[str, Any]] | None


class Whole(NamedTuple):
    """One consignment as Nexus has it at `read_at`. `trouble`: why its history could not be read."""

    key: str
    record: dict[str, Any]
    history: History
    trouble: NetworkError | None
    read_at: datetime
    translated: Translated

    @property
    def is_bad(self) -> bool:
        """Whether nothing can be made of the record itself."""
        return bool(self.translated.faults)


def store_orders(
    conn: Connection, mapper: Mapper, translated: Mapping[str, Consignment | None], store: Callable[[], Counts]
) -> Counts:
    """Stores orders by the import flow, and what follows from them, within a transaction of the caller's.

    `translated`: what each consignment becomes, by key, None for a bad one; `store` stores them. A person is asked to
    look at a new order of which something is not as it should be [NX-4-6, NX-3-5].
    """
    held = {due.tracking_number for due in tracking.holders(conn, NETWORK, translated)}
    roles = tracking.reported_roles(conn, NETWORK, translated)
    counts = store()
    good = {key: consignment for key, consignment in translated.items() if consignment}
    for due in tracking.holders(conn, NETWORK, good):
        concerns = [] if due.tracking_number in held else mapper.concerns(good[due.tracking_number])
        if concerns:
            order_id = consignments.facts(conn, due.consignment_id).order_id
            orders.ask_for_review(conn, order_id, "; ".join(concerns).capitalize())
    # What our people reported of a consignment in which we had another part, or none, may be owed now.
    now = tracking.reported_roles(conn, NETWORK, translated) if roles else {}
    work_items.enqueue(conn, NETWORK, STATUS_EXPORT, [id_ for id_ in now if now[id_] != roles.get(id_)])
    return counts


class ConsignmentImport:
    """One run's way of taking consignments in.

    `counts`: what became of them; `events`: statuses that were new; `warnings` counts what a person should see, by
    text; `wants_statuses`: whether they are imported here.
    """

    def __init__(
        self, conn: Connection, access: Access, plan: Deployment, batch: Batch, clock: Callable[[], datetime]
    ) -> None:
        """`batch`: where what is stored came from; its `fetched_at` is that of each reading."""
        self._conn, self._access, self._plan, self._clock = conn, access, plan, clock
        self._batch = batch._replace(keeps_given=True)
        self._source = f"{NETWORK} {batch.stream} {batch.party}"
        self._mapper: Mapper = access.mapper
        self.wants_statuses = plan.network(NETWORK).switches.status_import
        self._looking_up = LookingUp(access.lookups, access.client.wire)
        self.counts: Counts = NO_RECORDS
        self.events = 0
        self.warnings: Counter[str] = Counter()

    def read(self, key: str) -> Whole:
        """Reads one consignment and its history [NX-7-11]. Raises NetworkError when it cannot be read."""
        client, read_at = self._access.client, self._clock()
        reply = client.get(int(key))
        found = self._mapper.key(reply)
        if found != key:
            detail = f"answered with consignmentID {found or 'none'} in place of {key}"
            raise NexusProtocolError(client.settings.connection, f"GET {client.wire.path('get', int(key))}", detail)
        names = self._looking_up.names(self._conn, self._mapper.reading.reply(reply))
        for lookup, why in self._looking_up.gone.items():
            self.warnings[f"{lookup} cannot be looked up: {why}"] = 1
        record = {**reply, LOOKED_UP: names} if names else reply
        history, trouble = None, None
        try:
            history = self.history(key)
        except OF_ONE as error:
            trouble = error
        return Whole(key, record, history, trouble, read_at, self._mapper.translate(record))

    def history(self, key: str) -> History:
        """The history of one consignment; None also when statuses are not imported here. Raises NetworkError."""
        if not self.wants_statuses:
            return None
        return self._access.client.history(int(key))

    def store(self, wholes: Sequence[Whole]) -> dict[str, NetworkError | None]:
        """Stores consignments and their statuses; by key those that are to be read again, with the error if one is why.

        Bad ones are quarantined and stop no other.
        """
        changed = self._changed(wholes)
        try:
            self._import(changed)
        except NotStorable as error:
            if len(changed) == 1:
                reason = f"the order store does not take it ({str(error).splitlines()[0]})"
                self.park(changed[0].record, Fault("NOT_STORABLE", "", reason), changed[0].read_at)
                others = [whole for whole in wholes if whole is not changed[0]]
                return {changed[0].key: None} | (self.store(others) if others else {})
            again: dict[str, NetworkError | None] = {}
            for whole in wholes:
                again |= self.store([whole])
            return again
        # What could not be read before may be the same as ever.
        same = {whole.key: whole.read_at for whole in wholes if whole not in changed}
        quarantine.settle_unchanged(self._conn, NETWORK, same)
        self.counts = self.counts.plus(NO_RECORDS._replace(records=len(same), unchanged=len(same)))
        return self._store_statuses(wholes)

    def store_moved(self, due: tracking.Due, row: Mapping[str, Any], history: History, read_at: datetime) -> None:
        """Stores what the history says of a consignment of ours whose row says that it has moved."""
        news = store_statuses(
            self._conn,
            due.consignment_id,
            row,
            history,
            access=self._access,
            plan=self._plan,
            read_at=read_at,
            actor=self._batch.actor,
            source=self._source,
        )
        self.events += news.events
        self.warnings.update(dict.fromkeys(news.warnings, 1))

    def park(self, raw: Any, fault: Fault, read_at: datetime) -> None:
        """Quarantines a record for a reason that is not in the record itself [NX-7-12]."""
        intake = Intake(self._conn, NETWORK, Refusing(self._mapper.version, self._mapper.key(raw), fault))
        intake.add([raw], read_at)
        self.counts = self.counts.plus(intake.store(self._batch._replace(fetched_at=read_at)))

    def _changed(self, wholes: Sequence[Whole]) -> list[Whole]:
        """Those that become something else than what is stored [NX-7-9]."""
        keys = [whole.key for whole in wholes]
        known = listed_records.read(self._conn, NETWORK, keys)
        # One that we dispatched ourselves has not been imported before, whatever became of its record.
        imported = imports.digests(self._conn, NETWORK, keys)
        return [
            whole
            for whole in wholes
            if whole.is_bad
            or whole.key not in imported
            or whole.key not in known
            or known[whole.key].content != self._content(whole)
        ]

    def _content(self, whole: Whole) -> bytes:
        translated = whole.translated
        if translated.consignment:
            return self._mapper.digest(translated.consignment)
        return hashlib.sha256(self._mapper.version + repr(translated.left_out).encode(errors="replace")).digest()

    def _import(self, changed: Sequence[Whole]) -> None:
        """Stores what consignments have become, in one transaction with the digests of it."""
        if not changed:
            return
        read_at = changed[0].read_at
        intake = Intake(self._conn, NETWORK, self._mapper)
        with self._conn.transaction():
            for whole in changed:
                intake.add([whole.record], whole.read_at)
            translated = {whole.key: whole.translated.consignment for whole in changed}
            batch = self._batch._replace(fetched_at=read_at)
            counts = store_orders(self._conn, self._mapper, translated, lambda: intake.store(batch))
            contents = {whole.key: self._content(whole) for whole in changed if not whole.is_bad}
            listed_records.taken_in(self._conn, NETWORK, contents, read_at)
        self.counts = self.counts.plus(counts)
        self.warnings.update(intake.warnings)

    def _store_statuses(self, wholes: Sequence[Whole]) -> dict[str, NetworkError | None]:
        again: dict[str, NetworkError | None] = {whole.key: None for whole in wholes if whole.is_bad}
        holders = {
            due.tracking_number: due for due in tracking.holders(self._conn, NETWORK, [whole.key for whole in wholes])
        }
        for whole in wholes:
            if whole.trouble:
                again[whole.key] = whole.trouble
            elif whole.key in holders:
                try:
                    self.store_moved(holders[whole.key], whole.record, whole.history, whole.read_at)
                except OF_ONE as error:
                    again[whole.key] = error
        return again
