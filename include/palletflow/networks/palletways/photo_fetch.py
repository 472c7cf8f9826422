"""One look at what Palletways has of a consignment's photos, and what of it is kept (contract 5).

A look calls, takes apart and stores bytes with no transaction open; `keep` writes what looks found in the caller's.
"""

import hashlib
import logging
from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from palletflow.documents import photos as splitting
from palletflow.documents.fingerprints import Fingerprint
from palletflow.documents.photos import Fault, Limits, ReaderBroken
from palletflow.documents.quarantine import Quarantine
from palletflow.documents.storage import MOST_BYTES, Storage, Stored, WrongSize
from palletflow.network_errors import NetworkError, NotFound, Throttled, Unstable
from palletflow.networks.palletways import photos
from palletflow.networks.palletways.client import PalletwaysClient
from palletflow.networks.palletways.errors import (
    AnswerRefused,
    AnswerTooLarge,
    MethodRefused,
    MethodUnavailable,
    UnreadableAnswer,
)
from palletflow.networks.palletways.photos import ORIGIN
from palletflow.networks.palletways.settings import Settings
from palletflow.networks.palletways.work import NETWORK, Access
from palletflow.store import activity, alerts, documents, photo_prints, photo_windows, quarantined_files
from palletflow.store.connection import Connection
from palletflow.store.consignments import ConsignmentFacts
from palletflow.store.documents import Document
from palletflow.store.photo_prints import KnownPrint
from palletflow.store.quarantined_files import QuarantinedFile
from palletflow.store.work_items import storable

MALFORMED, TOO_LARGE, NO_SINGLE_ORDER = "malformed", "too_large", "no_single_order"
# How long the work rests where no method for photos is open to us.
REST_S = 3600.0
# These say something of one consignment's photos only: it was asked for them, and nothing came.
OF_THE_ANSWER = (UnreadableAnswer, AnswerRefused, NotFound)

log = logging.getLogger(__name__)


class NoMethod(Throttled):
    """No method for photos is open to the connection's key."""

    remedy = "The work is kept; it is tried again within the hour."

    def __init__(self, cause: NetworkError) -> None:
        super().__init__(cause.connection, cause.operation, cause.detail, REST_S)


class Picture(NamedTuple):
    """A photo of an answer. `stored` None: it was known already, so its bytes were not stored."""

    fingerprint: Fingerprint
    media_type: str
    stored: Stored | None


class Look(NamedTuple):
    """What one call brought. `url` holds no key.

    `answer`: SHA-256 of the file that came, None when none did or it was the last one again. `pictures`: its photos;
    `faults`: why the file goes into quarantine, its bytes `quarantined` unless it was too large to be read. `trouble`:
    what came instead of an answer.
    `holders`: the consignments that its photos could belong to.
    """

    method: str
    url: str
    holders: list[int]
    answer: bytes | None = None
    pictures: tuple[Picture, ...] = ()
    faults: tuple[Fault, ...] = ()
    quarantined: Stored | None = None
    trouble: str = ""

    @property
    def made_use_of(self) -> bytes | None:
        """The answer when nothing was wrong with it: if it comes again there is nothing to do."""
        return None if self.faults else self.answer


class Kept(NamedTuple):
    """What came of looks: how many photos were stored, whether any photo came, and the reasons of quarantine."""

    stored: int
    found: bool
    quarantined: list[str]


def look(
    conn: Connection,
    client: PalletwaysClient,
    storage: Storage,
    tracking_id: str,
    method: str,
    *,
    last_answer: bytes | None,
    at: datetime,
) -> Look:
    """Asks by one method. `last_answer`: the file that is skipped when it comes again [PW-5-25].

    Raises MethodUnavailable, MethodRefused, and NetworkError when no answer came or nothing could read it here.
    """
    held = photo_windows.holders(conn, NETWORK, tracking_id)
    nothing = Look(method, client.shown_url(method, tracking_id), held)
    try:
        data = client.photos(tracking_id, method)
    except AnswerTooLarge as error:
        return nothing._replace(faults=(Fault(TOO_LARGE, error.detail),))
    except OF_THE_ANSWER as error:
        log.warning("No photos of %s: %s", tracking_id, error)
        return nothing._replace(trouble=str(error))
    if not data or (answer := hashlib.sha256(data).digest()) == last_answer:
        return nothing
    pictures: list[Picture] = []
    if len(held) == 1:
        try:
            pictures, faults = _taken_apart(conn, held[0], storage, data, client.settings)
        except (ReaderBroken, OSError) as error:
            raise Unstable(client.settings.connection, method, f"the photos could not be taken out: {error}") from error
    else:
        faults = [Fault(NO_SINGLE_ORDER, f"{len(held) or 'no'} orders with this tracking ID are not cancelled")]
    quarantined = _put_away(conn, Quarantine(storage), data, at) if faults else None
    return nothing._replace(answer=answer, pictures=tuple(pictures), faults=tuple(faults), quarantined=quarantined)


def look_by_first_open(
    conn: Connection,
    client: PalletwaysClient,
    storage: Storage,
    tracking_id: str,
    *,
    last_answer: bytes | None,
    at: datetime,
) -> Look:
    """Asks by the first of the connection's methods that is open to us [PW-2.8-3]. Raises NoMethod, NetworkError."""
    refusals: list[NetworkError] = []
    for method in client.settings.photo_methods:
        try:
            return look(conn, client, storage, tracking_id, method, last_answer=last_answer, at=at)
        except (MethodUnavailable, MethodRefused) as error:
            refusals.append(error)
    raise NoMethod(refusals[0]) from refusals[0]


def keep(
    conn: Connection,
    access: Access,
    facts: ConsignmentFacts | None,
    tracking_id: str,
    looks: Sequence[Look],
    *,
    at: datetime,
    actor: str,
    half_written: bool,
) -> Kept:
    """Writes what looks found within the caller's transaction: new photos, fingerprints, files for the quarantine.

    `facts`: the consignment, locked, None when there is none. `half_written`: a malformed file may become a good one,
    so nobody is alerted by it yet [PW-5-29]. Raises Unstable when the orders with this tracking ID have changed since.
    """
    settings = access.client.settings
    held = photo_windows.holders(conn, NETWORK, tracking_id)
    stored = 0
    reasons: list[str] = []
    for one in looks:
        if one.holders != held:
            raise _changed(settings, one.method, f"who has tracking ID {tracking_id}")
        if facts is not None and one.pictures:
            stored += _keep_pictures(conn, access, facts, one, actor)
        for fault in _merged(one.faults):
            alert = not (half_written and fault.reason == MALFORMED)
            _keep_file(conn, facts, tracking_id, one, fault, at=at, actor=actor, alert=alert)
            reasons.append(fault.reason)
    return Kept(stored, any(one.pictures for one in looks), reasons)


def _taken_apart(
    conn: Connection, consignment_id: int, storage: Storage, data: bytes, settings: Settings
) -> tuple[list[Picture], list[Fault]]:
    """The photos of a file, and what is wrong with it; the bytes of new ones are stored."""
    held = _held(conn, consignment_id)
    split = splitting.split(data, _limits(settings), held)
    known = [held[digest] for digest in split.known]
    pictures, faults = [], list(split.faults)
    # With those known by their bytes, so that each keeps its stored photo from being paired with another [PW-5-24].
    fingerprints = [*(one.fingerprint for one in split.photos), *(one.fingerprint for one in known)]
    new = _fresh(conn, consignment_id, fingerprints, settings)
    for place, photo in enumerate(split.photos):
        try:
            stored = storage.put(photo.data) if place in new else None
        except WrongSize as error:
            faults.append(Fault(TOO_LARGE, f"page {photo.page}: {error}"))
        else:
            pictures.append(Picture(photo.fingerprint, photo.media_type, stored))
    return [*pictures, *known], faults


def _held(conn: Connection, consignment_id: int) -> dict[bytes, Picture]:
    """The photos of a consignment that need not be decoded to be known again, by the SHA-256 of their bytes."""
    stored = {document.id: document for document in documents.of_consignment(conn, consignment_id)}
    return {
        stored[known.document_id].sha256: Picture(_fingerprint(known), stored[known.document_id].media_type, None)
        for known in photo_prints.known(conn, consignment_id)
        if known.document_id in stored
    }


def _put_away(conn: Connection, quarantine: Quarantine, data: bytes, at: datetime) -> Stored:
    """Stores the bytes of a file, of one that is too large the beginning; see store.quarantined_files for the order."""
    kept = data[:MOST_BYTES]
    quarantined_files.touch(conn, hashlib.sha256(kept).digest(), at)
    return quarantine.put(kept)


def _keep_pictures(conn: Connection, access: Access, facts: ConsignmentFacts, one: Look, actor: str) -> int:
    """Adds the new photos of a look as documents; how many."""
    settings, sections = access.client.settings, access.mapper.template.sections
    fingerprints = [picture.fingerprint for picture in one.pictures]
    held = {document.sha256: document.id for document in documents.of_consignment(conn, facts.id)}
    number = sum(known.origin == photo_prints.FETCHED for known in photo_prints.known(conn, facts.id))
    count = 0
    for place in sorted(_fresh(conn, facts.id, fingerprints, settings)):
        picture = one.pictures[place]
        if picture.stored is None:
            raise _changed(settings, one.method, f"what is known of the photos of {facts.tracking_number}")
        document_id = held.get(picture.stored.sha256)
        if document_id is None:
            number, count = number + 1, count + 1
            document_id = documents.add(
                conn,
                Document(
                    order_id=facts.order_id,
                    consignment_id=facts.id,
                    pallet_number=None,
                    kind=sections["photos"]["document_type"],
                    name=photos.file_name(facts.tracking_number, number, picture.media_type),
                    media_type=picture.media_type,
                    size=picture.stored.size,
                    sha256=picture.stored.sha256,
                    source=ORIGIN,
                    actor=actor,
                    customer_visible=photos.is_visible(
                        sections["customers"], facts.account, settings.photos_customer_visible
                    ),
                ),
            )
        photo_prints.add(conn, facts.id, [picture.fingerprint], document_id=document_id, origin=photo_prints.FETCHED)
    return count


def _keep_file(
    conn: Connection,
    facts: ConsignmentFacts | None,
    tracking_id: str,
    one: Look,
    fault: Fault,
    *,
    at: datetime,
    actor: str,
    alert: bool,
) -> None:
    file = QuarantinedFile(
        network=NETWORK,
        tracking_number=tracking_id,
        reason=fault.reason,
        detail=storable(fault.detail),
        sha256=one.quarantined.sha256 if one.quarantined else None,
        size=one.quarantined.size if one.quarantined else None,
        method=one.method,
        url=one.url,
    )
    quarantined_files.add(conn, file, at)
    said = f"What {one.method} gave for {tracking_id} is kept in quarantine ({file.reason}): {file.detail}"
    subject = f"Palletways photos of {tracking_id}: {file.reason}"
    if alert and alerts.raise_alert(conn, subject, said, photos.KEPT_FOR.total_seconds()) and facts is not None:
        activity.record(conn, facts.id, "file quarantined", actor, ORIGIN, warnings=[said])


def _fresh(conn: Connection, consignment_id: int, fingerprints: Sequence[Fingerprint], settings: Settings) -> set[int]:
    known = [_fingerprint(held) for held in photo_prints.known(conn, consignment_id)]
    return set(photos.fresh(fingerprints, known, settings.photo_match))


def _fingerprint(known: KnownPrint) -> Fingerprint:
    return Fingerprint(known.exact, known.width, known.height, known.hash, known.grey, known.photo_like)


def _merged(faults: Sequence[Fault]) -> list[Fault]:
    """One fault a reason."""
    details: dict[str, list[str]] = {}
    for fault in faults:
        details.setdefault(fault.reason, []).append(fault.detail)
    return [Fault(reason, "; ".join(dict.fromkeys(said))) for reason, said in details.items()]


def _limits(settings: Settings) -> Limits:
    limits = Limits(
        max_mib=settings.max_pdf_mib,
        max_pages=settings.max_pdf_pages,
        max_image_mpx=settings.max_image_mpx,
        max_decode_s=settings.max_decode_s,
        min_photo_px=settings.min_photo_px,
    )
    return limits._replace(label_words=settings.label_words) if settings.label_words else limits


def _changed(settings: Settings, method: str, what: str) -> Unstable:
    return Unstable(settings.connection, method, f"{what} changed while its photos were fetched")


def delete_old_quarantine(conn: Connection, storage: Storage, now: datetime) -> int:
    """Forgets the files that came last 30 days ago or earlier, with their bytes; how many files' bytes are gone.

    For housekeeping. Interrupted, it is done whole by the next run.
    """
    quarantine = Quarantine(storage)
    with conn.transaction():
        gone = quarantined_files.delete_older(conn, now - photos.KEPT_FOR)
        for sha256 in gone:
            quarantine.remove(sha256)
    return len(gone)
