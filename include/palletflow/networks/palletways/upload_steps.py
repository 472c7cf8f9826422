"""The way of one photo to the file server (contract U10, U13, U14): a number, then the steps, each written down before.

A process that is killed between any two of them is followed by another that finds here what was begun, and looks on the
server for what of it was done.
"""

import hashlib
from collections.abc import Callable
from datetime import datetime, timedelta
from functools import partial

from palletflow.networks.palletways.upload_checks import Sendable
from palletflow.networks.palletways.upload_names import file_name
from palletflow.networks.palletways.upload_settings import DIRECT, REQUIRED, UploadSettings
from palletflow.networks.palletways.upload_target import Target
from palletflow.networks.palletways.work import ACTOR
from palletflow.store import photo_prints, photo_uploads
from palletflow.store.connection import Connection
from palletflow.store.documents import StoredDocument
from palletflow.store.photo_uploads import Upload
from palletflow.transfer import placing
from palletflow.transfer.errors import NameTaken, Refused
from palletflow.transfer.placing import Manner, Step

SOURCE = "palletways photo upload"
STATES = {Step.WRITING: photo_uploads.TRANSFERRING, Step.RENAMING: photo_uploads.RENAMING}
STEPS = {state: step for step, state in STATES.items()}
# How often a name that is taken is followed by another one.
MOST_COLLISIONS = 5
# After what failed may pass: so long after each failure, the last pause again and again until it has failed for a day.
PAUSES = tuple(timedelta(minutes=minutes) for minutes in (1, 5, 15, 60))
GIVEN_UP = timedelta(hours=24)


def next_try(now: datetime, failing_since: datetime, tries: int) -> datetime | None:
    """When to try again after failure number `tries` (from 1), the first at `failing_since`; None: never [PW-6-33]."""
    at = now + PAUSES[min(tries, len(PAUSES)) - 1]
    return at if at - failing_since <= GIVEN_UP else None


def upload(
    conn: Connection,
    target: Target,
    document: StoredDocument,
    consignment_id: int,
    tracking_id: str,
    begun: Upload | None,
    file: Sendable,
    clock: Callable[[], datetime],
) -> None:
    """Brings one photo to the server, or finds that it is there [PW-6-13].

    Raises Refused after too many names that were taken, and what sessions and placing raise; what was begun then stays
    written down.
    """
    settings = target.settings
    manner = Manner("" if settings.rename_mode == DIRECT else settings.temp_suffix, settings.size_check == REQUIRED)
    number = partial(_number, conn, settings, document, consignment_id, tracking_id, file)
    numbered: Upload = begun if begun and begun.number is not None else number()
    for _ in range(MOST_COLLISIONS + 1):
        assert numbered.name is not None, "numbered"
        try:
            with target.sessions.session() as session:
                placing.place(
                    session,
                    settings.connection,
                    numbered.name,
                    file.data,
                    manner,
                    told=lambda step: photo_uploads.begin(conn, document.id, STATES[step]),
                    last=STEPS.get(numbered.step or ""),
                )
        except NameTaken:
            with conn.transaction():
                photo_uploads.collided(conn, document.id)
                numbered = number()
            continue
        with conn.transaction():
            photo_uploads.uploaded(conn, numbered, clock(), actor=ACTOR, source=SOURCE)
        return
    detail = f"{MOST_COLLISIONS + 1} names in a row stood on the server already, the last before {numbered.name}"
    raise Refused(settings.connection, "Upload", detail)


def _number(
    conn: Connection,
    settings: UploadSettings,
    document: StoredDocument,
    consignment_id: int,
    tracking_id: str,
    file: Sendable,
) -> Upload:
    """Commits number, name and what the pictures are known by: what comes back later is not taken for new.

    Raises Refused for a tracking ID that makes no file name.
    """
    with conn.transaction():
        photo_prints.add(conn, consignment_id, file.prints, document_id=document.id, origin=photo_prints.UPLOADED)
        return photo_uploads.number(
            conn,
            document.id,
            consignment_id,
            tracking_id,
            settings.name_start,
            lambda number: _name(settings, tracking_id, number, file.media_type),
            len(file.data),
            hashlib.sha256(file.data).digest(),
        )


def _name(settings: UploadSettings, tracking_id: str, number: int, media_type: str) -> str:
    try:
        return file_name(settings, tracking_id, number, media_type)
    except ValueError as error:
        raise Refused(settings.connection, "Upload", str(error)) from error
