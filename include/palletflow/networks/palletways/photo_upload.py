"""Photos of the deliveries we make reach Palletways by themselves (contract 6): the work PHOTO_UPLOAD.

A photo that fails or must wait holds up no other. What becomes of each stands in store.photo_uploads, for the order.
"""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

from palletflow.deployment import Deployment
from palletflow.documents.storage import DocumentLost, Storage, StorageUnavailable
from palletflow.network_errors import AuthFailed, Misconfigured, NetworkError, NotSent
from palletflow.networks.palletways import record, upload_checks, upload_steps
from palletflow.networks.palletways.photos import ORIGIN
from palletflow.networks.palletways.settings import PHOTOS_OUT
from palletflow.networks.palletways.upload_checks import Refusal
from palletflow.networks.palletways.upload_steps import SOURCE
from palletflow.networks.palletways.upload_target import Target, Uploads
from palletflow.networks.palletways.work import ACTOR, LOOK_UP, NETWORK, Access, Reach, asking_depot
from palletflow.store import alerts, consignments, photo_uploads, session_lock, work_items
from palletflow.store.connection import Connection
from palletflow.store.consignments import ConsignmentFacts, NoSuchConsignment
from palletflow.store.photo_uploads import Candidate, Upload
from palletflow.store.work_items import storable
from palletflow.transfer.errors import NoPlace, Refused
from palletflow.work.flagged import ConnectionFlagged
from palletflow.work.handling import Result, WorkItem
from palletflow.work.waiting import as_long_again

# The user's "Photo of goods delivery", and nothing else [PW-6-5].
KIND = "PHOTO"
# How soon to look again: nobody else is at it; and what waits for something else, then always as long again.
BUSY, WAITS = timedelta(seconds=10), timedelta(minutes=1)
ALERT_EVERY_S = 3600.0
NO_TRACKING_ID = "the consignment has no tracking ID yet"
NO_ROLE = "Palletways is asked whether we deliver this consignment"
NO_CHOICE = "the order has several Palletways consignments: say of which one this photo is"


class PhotoUpload:
    """The handler of PHOTO_UPLOAD; a work item's key is the id of a consignment. Threads may share one."""

    def __init__(
        self, plan: Deployment, reach: Reach, uploads: Uploads, storage: Storage, clock: Callable[[], datetime]
    ) -> None:
        self._ours = plan.network(NETWORK).depots
        self._reach, self._uploads, self._storage, self._clock = reach, uploads, storage, clock

    def __call__(self, conn: Connection, item: WorkItem) -> Result:
        """Uploads what there is to upload of one consignment we deliver; comes again for what failed or waits.

        Raises AuthFailed, Misconfigured, ConnectionFlagged, FileFault, NetworkError when nothing could be begun.
        """
        try:
            facts = consignments.facts(conn, int(item.key))
        except NoSuchConsignment:
            return Result()
        if facts.network != NETWORK or facts.cancelled:
            return Result()
        depot = asking_depot(self._ours, facts.delivery_depot, facts.requesting_depot, facts.collecting_depot)
        access = self._reach(conn, depot)
        if not access.client.settings.can(PHOTOS_OUT):
            return Result()
        # Photos of the whole order may be any of its consignments'.
        with session_lock.alone(conn, f"{NETWORK} photos of order {facts.order_id}") as alone:
            if not alone:
                return Result(again_at=self._clock() + BUSY)
            return self._work(conn, access, depot, facts, item)

    def _work(self, conn: Connection, access: Access, depot: str, facts: ConsignmentFacts, item: WorkItem) -> Result:
        photos = photo_uploads.to_upload(conn, facts.id, KIND, ORIGIN)
        if not photos:
            return Result()
        own_depots = access.client.settings.own_depots
        if facts.delivery_depot and facts.delivery_depot not in own_depots:
            photo_uploads.forget(conn, [photo.document.id for photo in photos])
            return Result()
        try:
            target = self._uploads(conn, depot)
        except (AuthFailed, Misconfigured, ConnectionFlagged) as error:
            undecided = self._undecided(conn, facts, photos)
            self._misconfigured(conn, facts, [photo for photo in photos if photo not in undecided], error)
            raise
        since = target.settings.upload_enabled_at
        photo_uploads.forget(conn, [photo.document.id for photo in photos if not _is_added_since(photo, since)])
        photos = [photo for photo in photos if _is_added_since(photo, since)]
        waits = self._waits(conn, access, facts, photos)
        asked = f"{item.id}/{item.generation}"
        try:
            self._upload_all(conn, target, facts, [photo for photo in photos if photo not in waits], asked)
        except NoPlace:
            return Result(again_at=self._clock() + BUSY)
        return self._result(conn, facts, photos, item, is_waiting=bool(waits))

    def _waits(
        self, conn: Connection, access: Access, facts: ConsignmentFacts, photos: Sequence[Candidate]
    ) -> list[Candidate]:
        """The photos that cannot go yet, and notes why."""
        undecided = self._undecided(conn, facts, photos)
        for photo in undecided:
            photo_uploads.wait(conn, photo.document.id, None, NO_CHOICE)
        decided = [photo for photo in photos if photo not in undecided]
        if not decided:
            return undecided
        if not record.is_tracking_id(facts.tracking_number, access.client.settings.tracking_id_pattern):
            for photo in decided:
                photo_uploads.wait(conn, photo.document.id, photo.consignment_id, NO_TRACKING_ID)
            return list(photos)
        if not facts.delivery_depot:
            with conn.transaction():
                new = [photo_uploads.wait(conn, one.document.id, one.consignment_id, NO_ROLE) for one in decided]
                if any(new):
                    work_items.enqueue(conn, NETWORK, LOOK_UP, [facts.id])
            return list(photos)
        return undecided

    def _undecided(self, conn: Connection, facts: ConsignmentFacts, photos: Sequence[Candidate]) -> list[Candidate]:
        """The photos of the whole order of which somebody must say whose they are."""
        if photo_uploads.live_consignments(conn, facts.order_id, NETWORK) <= 1:
            return []
        return [photo for photo in photos if photo.consignment_id is None]

    def _upload_all(
        self, conn: Connection, target: Target, facts: ConsignmentFacts, photos: Sequence[Candidate], asked: str
    ) -> None:
        """One photo after the other, whatever becomes of the one before."""
        lost: NetworkError | None = None
        for index, photo in enumerate(photos):
            begun = photo.upload
            if begun and not _is_due(begun, self._clock(), asked):
                continue
            if begun and begun.state in (photo_uploads.FAILED, photo_uploads.CONFIG_ERROR):
                begun = photo_uploads.reopen(conn, photo.document.id)
            if lost:
                self._failed(conn, facts, photo, begun, lost, asked)
                continue
            try:
                self._upload(conn, target, facts, photo, begun)
            except (AuthFailed, Misconfigured) as error:
                self._misconfigured(conn, facts, photos[index:], error)
                raise
            except (Refused, DocumentLost) as error:
                self._given_up(conn, facts, photo, str(error), asked)
            except (NoPlace, StorageUnavailable):
                raise
            except NetworkError as error:
                # A server that is not reached is not tried again for each of the others.
                lost = error if isinstance(error, NotSent) else None
                self._failed(conn, facts, photo, begun, error, asked)

    def _upload(
        self, conn: Connection, target: Target, facts: ConsignmentFacts, photo: Candidate, begun: Upload | None
    ) -> None:
        """Reads, checks and uploads one photo."""
        document = photo.document
        data = self._storage.read(document.sha256)
        file = upload_checks.checked(data, target.settings)
        if isinstance(file, Refusal):
            with conn.transaction():
                photo_uploads.refuse(
                    conn,
                    document.id,
                    facts.id,
                    file.code,
                    storable(f"{document.name}: {file.reason}"),
                    actor=ACTOR,
                    source=SOURCE,
                )
            return
        upload_steps.upload(conn, target, document, facts.id, facts.tracking_number, begun, file, self._clock)

    def _failed(
        self,
        conn: Connection,
        facts: ConsignmentFacts,
        photo: Candidate,
        begun: Upload | None,
        error: NetworkError,
        asked: str,
    ) -> None:
        now = self._clock()
        tries, since = (begun.tries, begun.failing_since) if begun else (0, None)
        again_at = upload_steps.next_try(now, since or now, tries + 1)
        if again_at is None:
            self._given_up(conn, facts, photo, str(error), asked)
        else:
            photo_uploads.fail(conn, photo.document.id, facts.id, storable(str(error)), now, again_at)

    def _given_up(self, conn: Connection, facts: ConsignmentFacts, photo: Candidate, reason: str, asked: str) -> None:
        with conn.transaction():
            photo_uploads.give_up(
                conn,
                photo.document.id,
                facts.id,
                storable(f"{photo.document.name}: {reason}"),
                self._clock(),
                asked=asked,
                actor=ACTOR,
                source=SOURCE,
            )

    def _misconfigured(
        self, conn: Connection, facts: ConsignmentFacts, photos: Sequence[Candidate], error: Exception
    ) -> None:
        """Nothing goes before a person has mended the connection: the photos say so, and somebody is told."""
        with conn.transaction():
            for photo in photos:
                photo_uploads.misconfigured(conn, photo.document.id, facts.id, storable(str(error)), self._clock())
            if isinstance(error, NetworkError):
                alerts.raise_alert(conn, f"Connection {error.connection}", str(error), ALERT_EVERY_S)

    def _result(
        self,
        conn: Connection,
        facts: ConsignmentFacts,
        photos: Sequence[Candidate],
        item: WorkItem,
        *,
        is_waiting: bool,
    ) -> Result:
        """When to come again: for what failed, for what waits; else what a person has to look at."""
        now = self._clock()
        ids = {photo.document.id for photo in photos}
        held = [one for one in photo_uploads.of_consignment(conn, facts.id) if one.document_id in ids]
        moments = [one.next_try_at for one in held if one.next_try_at]
        if is_waiting:
            moments.append(as_long_again(now, item.created_at, WAITS))
        failed = [one.reason or "" for one in held if one.state == photo_uploads.FAILED]
        if moments:
            return Result(again_at=min(moments))
        return Result(parked="; ".join(failed) or None)


def _is_added_since(photo: Candidate, enabled_at: datetime | None) -> bool:
    """Whether uploads were on when it was added: nothing earlier is ever uploaded [PW-6-3]."""
    return enabled_at is not None and photo.document.created_at >= enabled_at


def _is_due(upload: Upload, now: datetime, asked: str) -> bool:
    """Whether it is to be tried: what failed for good waits for somebody to ask anew."""
    if upload.state == photo_uploads.FAILED:
        return upload.asked != asked
    return upload.next_try_at is None or upload.next_try_at <= now
