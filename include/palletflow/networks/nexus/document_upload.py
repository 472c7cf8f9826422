"""Sends Nexus the signatures, PODs and photos of our deliveries (contract 2.7, 9): the work DOCUMENT_UPLOAD.

A document's number and file name are written down before the transfer. Whether an interrupted one arrived is seen from
Nexus's list, by that name; only what is not there is sent again.
"""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

from palletflow.deployment import Deployment
from palletflow.documents import media
from palletflow.documents.storage import DocumentLost, Storage
from palletflow.network_errors import NetworkError, Rejected
from palletflow.networks.nexus import documents
from palletflow.networks.nexus.documents import ATTACHMENT_TYPES, SOURCE, Type, Types
from palletflow.networks.nexus.errors import NexusNotOffered, UnknownName
from palletflow.networks.nexus.resting import Resting
from palletflow.networks.nexus.wire import Attachment
from palletflow.networks.nexus.work import ACTOR, NETWORK, Access, Reach, asking_depot
from palletflow.orders.lifecycle import Status
from palletflow.store import consignments, document_exchanges, session_lock
from palletflow.store.connection import Connection
from palletflow.store.consignments import ConsignmentFacts, NoSuchConsignment
from palletflow.store.document_exchanges import Exchange
from palletflow.store.documents import StoredDocument
from palletflow.store.work_items import storable
from palletflow.work.handling import Result, WorkItem
from palletflow.work.waiting import as_long_again

# How soon to look again: whether Nexus knows it, it is delivered, its delivery has been told, nobody else is at it. Who
# tells a delivery asks for the documents too, so that these are for what goes another way.
NOT_REGISTERED, NOT_DELIVERED, NOT_TOLD = timedelta(minutes=10), timedelta(hours=1), timedelta(minutes=15)
BUSY = timedelta(seconds=10)


class Uploader:
    """The handler of DOCUMENT_UPLOAD; a work item's key is the id of a consignment. Threads may share one."""

    def __init__(self, plan: Deployment, reach: Reach, storage: Storage, clock: Callable[[], datetime]) -> None:
        self._ours = plan.network(NETWORK)
        self._reach, self._storage, self._clock = reach, storage, clock
        # By connection: the handlers live as long as a run.
        self._resting: dict[str, NetworkError] = {}

    def __call__(self, conn: Connection, item: WorkItem) -> Result:
        """Sends what Nexus does not have yet, once the delivery is told [NX-9-11].

        What it refuses is left to a person and stops no other document. Raises NetworkError, ConnectionFlagged,
        FileFault.
        """
        try:
            facts = consignments.facts(conn, int(item.key))
        except NoSuchConsignment:
            return Result()
        if facts.cancelled or not documents.sends(facts.our_roles):
            return Result()
        access = self._reach(conn, asking_depot(self._ours.depots, facts.delivery_depot))
        # Two who work on it at once would both find that a transfer under way has not arrived.
        with session_lock.alone(conn, f"{NETWORK} documents of {facts.id}") as alone:
            if not alone:
                return Result(again_at=self._clock() + BUSY)
            return self._sent(conn, access, facts, item)

    def _sent(self, conn: Connection, access: Access, facts: ConsignmentFacts, item: WorkItem) -> Result:
        asked = f"{item.id}/{item.generation}"
        types = documents.read_types(access.mapper.template.sections)
        begun = [one for one in document_exchanges.of_consignment(conn, facts.id) if one.number and one.is_due(asked)]
        new = document_exchanges.to_send(conn, facts.id, [type_.kind for type_ in types.sent], SOURCE)
        unsent: list[str] = []
        if begun or new:
            if not facts.registered:
                is_coming = facts.dispatch_state in ("todo", "waiting", "unknown", "failed")
                again_at = as_long_again(self._clock(), item.created_at, NOT_REGISTERED)
                return Result(again_at=again_at) if is_coming else Result()
            delivery = document_exchanges.delivery(conn, facts.id)
            if delivery.at is None:
                return Result(again_at=as_long_again(self._clock(), item.created_at, NOT_DELIVERED))
            if self._is_to_be_told(access, delivery.at) and not delivery.is_told:
                return Result(again_at=self._clock() + NOT_TOLD)
            unsent = self._send_all(conn, access, facts, types, begun, new, asked)
        refused = [
            f"{one.name}: {one.reason}"
            for one in document_exchanges.of_consignment(conn, facts.id)
            if one.number and one.given_up_at
        ]
        return Result(parked="; ".join((*refused, *unsent)) or None)

    def _is_to_be_told(self, access: Access, delivered_at: datetime) -> bool:
        """Whether documents wait until we have told the delivery."""
        settings = access.client.settings
        is_told_by_us = (
            settings.status_export
            and self._ours.switches.status_export
            and access.mapper.template.sections["status_export"][Status.DELIVERED]
        )
        # A status older than that is not told any more.
        may_come = self._clock() - delivered_at <= timedelta(hours=settings.status_export_max_age_h)
        return bool(is_told_by_us) and may_come

    def _send_all(
        self,
        conn: Connection,
        access: Access,
        facts: ConsignmentFacts,
        types: Types,
        begun: Sequence[Exchange],
        new: Sequence[StoredDocument],
        asked: str,
    ) -> list[str]:
        """Sends one kind after the other; why documents were not even begun."""
        connection = access.client.settings.connection
        if connection in self._resting:
            raise Resting(self._resting[connection])
        try:
            listed = access.client.attachments(int(facts.tracking_number))
        except NexusNotOffered as error:
            self._resting[connection] = error
            raise Resting(error) from error
        unsent: list[str] = []
        for type_ in types.sent:
            exchanges = [one for one in begun if one.code == type_.code]
            added = [one for one in new if one.kind == type_.kind]
            if not exchanges and not added:
                continue
            try:
                type_id = access.lookups.id_of(conn, ATTACHMENT_TYPES, type_.code, type_.name)
            except UnknownName as error:
                unsent.append(str(error))
                continue
            for exchange in exchanges:
                self._send(conn, access, facts, type_id, exchange, listed, asked)
            for document in added:
                reason = documents.not_sendable(document.media_type, document.size, types)
                if reason:
                    unsent.append(f"{document.name}: {reason}")
                    continue
                reserved = self._reserve(conn, facts, type_, document, listed)
                if reserved:
                    self._send(conn, access, facts, type_id, reserved, (), asked)
        return unsent

    def _reserve(
        self,
        conn: Connection,
        facts: ConsignmentFacts,
        type_: Type,
        document: StoredDocument,
        listed: Sequence[Attachment],
    ) -> Exchange | None:
        """Commits number and name of a document; None when another worker has."""
        consignment = facts.consignment_number or facts.tracking_number
        taken = documents.last_number((one.file_name for one in listed), consignment, type_.code)
        with conn.transaction():
            return document_exchanges.reserve(
                conn,
                document,
                type_.code,
                lambda number: documents.file_name(consignment, type_.code, number, document.media_type),
                taken,
            )

    def _send(
        self,
        conn: Connection,
        access: Access,
        facts: ConsignmentFacts,
        type_id: int,
        exchange: Exchange,
        listed: Sequence[Attachment],
        asked: str,
    ) -> None:
        """Sends one document unless Nexus lists it [NX-9-13], and keeps what became of it."""
        found = next((one.id for one in listed if documents.is_named(one.file_name, exchange.name)), None)
        if found is None:
            assert exchange.sha256, "of one that is sent"
            try:
                data = self._storage.read(exchange.sha256)
                found = access.client.upload(
                    int(facts.tracking_number), type_id, exchange.name, media.sniff(data) or "", data
                )
            except NexusNotOffered as error:
                self._resting[access.client.settings.connection] = error
                raise Resting(error) from error
            except (Rejected, DocumentLost) as error:
                with conn.transaction():
                    document_exchanges.refused(
                        conn, facts.id, exchange, storable(str(error)), asked=asked, actor=ACTOR, source=SOURCE
                    )
                return
        with conn.transaction():
            document_exchanges.sent(conn, facts.id, exchange, storable(found), actor=ACTOR, source=SOURCE)
