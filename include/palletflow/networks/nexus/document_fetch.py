"""Looks for what delivering depots add to our consignments (contract 2.7, 9): the work DOCUMENT_FETCH.

Every look lists a consignment's files and fetches those that are not known by their id. The first comes with the
delivery, more follow by the chase's schedule; asking for the work again is a look at once, at any time.
"""

from collections.abc import Callable
from datetime import datetime, timedelta

from palletflow.deployment import Deployment
from palletflow.documents import media
from palletflow.documents.storage import Storage
from palletflow.network_errors import AuthFailed, Misconfigured, NetworkError, NotFound, Rejected, Throttled
from palletflow.networks.nexus import documents
from palletflow.networks.nexus.client import NexusClient
from palletflow.networks.nexus.documents import SOURCE, Type, Types
from palletflow.networks.nexus.errors import NexusNotOffered
from palletflow.networks.nexus.resting import Resting
from palletflow.networks.nexus.wire import Attachment
from palletflow.networks.nexus.work import ACTOR, NETWORK, Reach, asking_depot
from palletflow.store import consignments, document_exchanges
from palletflow.store import documents as stored_documents
from palletflow.store.connection import Connection
from palletflow.store.consignments import ConsignmentFacts, NoSuchConsignment
from palletflow.store.document_exchanges import Exchange, Fetched
from palletflow.store.documents import Document
from palletflow.store.work_items import storable
from palletflow.work.handling import Result, WorkItem

# A file that does not come is tried again so soon and so often; then it waits for somebody to ask anew.
RETRY = timedelta(minutes=5)
MOST_TRIES = 6
# The connection itself cannot be used: no other file would come either.
OF_THE_CONNECTION = (Throttled, AuthFailed, Misconfigured)
# Trying the same address again cannot help.
FOR_GOOD = (Rejected, NotFound)


class Fetcher:
    """The handler of DOCUMENT_FETCH; a work item's key is the id of a consignment. Threads may share one."""

    def __init__(self, plan: Deployment, reach: Reach, storage: Storage, clock: Callable[[], datetime]) -> None:
        self._ours = plan.network(NETWORK).depots
        self._reach, self._storage, self._clock = reach, storage, clock
        # By connection: the handlers live as long as a run.
        self._resting: dict[str, NetworkError] = {}

    def __call__(self, conn: Connection, item: WorkItem) -> Result:
        """One look. Comes again by the schedule until signature and POD are held or the chase has ended.

        Raises NetworkError, ConnectionFlagged, FileFault when nothing could be listed.
        """
        try:
            facts = consignments.facts(conn, int(item.key))
        except NoSuchConsignment:
            return Result()
        if not facts.registered or facts.cancelled or not documents.fetches(facts.our_roles):
            return Result()
        access = self._reach(conn, asking_depot(self._ours, facts.requesting_depot, facts.collecting_depot))
        types = documents.read_types(access.mapper.template.sections)
        asked = f"{item.id}/{item.generation}"
        known = document_exchanges.of_consignment(conn, facts.id)
        for attachment in self._listed(access.client, int(facts.tracking_number)):
            type_ = types.of_name(attachment.type_name)
            if type_ and _is_new(attachment, known, asked):
                self._fetch(conn, access.client, facts, attachment, type_, asked)
        return self._until_next_look(conn, facts, types, asked, access.client.settings.pod_chase_days)

    def _listed(self, client: NexusClient, number: int) -> list[Attachment]:
        connection = client.settings.connection
        try:
            if connection in self._resting:
                raise self._resting[connection]
            return client.attachments(number)
        except NexusNotOffered as error:
            self._resting[connection] = error
            raise Resting(error) from error

    def _fetch(
        self,
        conn: Connection,
        client: NexusClient,
        facts: ConsignmentFacts,
        attachment: Attachment,
        type_: Type,
        asked: str,
    ) -> None:
        """Fetches one file, or notes why it could not be. Raises what would stop every other file too."""
        fetched = Fetched(
            facts.id, type_.code, type_.kind, storable(attachment.file_name), storable(_identity(attachment))
        )
        data, most_tries = b"", MOST_TRIES
        try:
            if attachment.url:
                data, most_tries = client.download(attachment.url), 1
            reason = documents.not_usable(data) if attachment.url else "Nexus gives no address for it"
        except OF_THE_CONNECTION:
            raise
        except FOR_GOOD as error:
            reason, most_tries = str(error), 1
        except NetworkError as error:
            reason = str(error)
        if reason:
            said = storable(f"{fetched.code} {fetched.name}: {reason}")
            with conn.transaction():
                document_exchanges.failed(
                    conn, fetched, said, asked=asked, most_tries=most_tries, actor=ACTOR, source=SOURCE
                )
            return
        stored = self._storage.put(data)
        media_type = media.sniff(data)
        assert media_type, "it is usable"
        with conn.transaction():
            document_exchanges.keep(
                conn,
                fetched,
                Document(
                    order_id=facts.order_id,
                    consignment_id=facts.id,
                    pallet_number=None,
                    kind=type_.kind,
                    name=media.safe_name(fetched.name or f"{facts.consignment_number} {type_.code}", media_type),
                    media_type=media_type,
                    size=stored.size,
                    sha256=stored.sha256,
                    source=SOURCE,
                    actor=ACTOR,
                ),
            )

    def _until_next_look(
        self, conn: Connection, facts: ConsignmentFacts, types: Types, asked: str, chase_days: float
    ) -> Result:
        now = self._clock()
        looks = []
        exchanges = document_exchanges.of_consignment(conn, facts.id)
        if any(one.direction == "fetched" and one.is_due(asked) for one in exchanges):
            looks.append(now + RETRY)
        held = {one.kind for one in exchanges if one.document_id is not None}
        held |= {one.kind for one in stored_documents.of_consignment(conn, facts.id)}
        delivered_at = document_exchanges.delivery(conn, facts.id).at
        if delivered_at and not held >= types.wanted_kinds:
            following = documents.next_look(delivered_at, now, chase_days)
            looks += [following] if following else []
        return Result(again_at=min(looks, default=None))


def _is_new(attachment: Attachment, known: list[Exchange], asked: str) -> bool:
    """Whether a file is neither here [NX-9-10] nor given up for this request, nor one that we sent ourselves."""
    for one in known:
        if one.network_id == storable(_identity(attachment)):
            return one.direction == "fetched" and one.is_due(asked)
        if one.direction == "sent" and documents.is_named(attachment.file_name, one.name):
            return False
    return True


def _identity(attachment: Attachment) -> str:
    """Its id; of a file without one what else tells it from others, but not its address, which may be good but once."""
    return attachment.id or "/".join((attachment.type_name, attachment.file_name, attachment.created_at))
