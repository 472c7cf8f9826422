"""Photos of deliveries come by themselves (contract 5): the work PHOTO_DOWNLOAD, and "fetch now".

A delivery's search begins when it is first seen to be completed. Each attempt is one claim of the same work item, which
comes again at the next moment of the schedule, whether photos were found or not.
"""

import logging
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from functools import partial

from palletflow.deployment import Deployment
from palletflow.documents.storage import Storage
from palletflow.network_errors import NetworkError
from palletflow.networks.palletways import photo_fetch, photos
from palletflow.networks.palletways.client import PalletwaysClient
from palletflow.networks.palletways.errors import MethodRefused, MethodUnavailable
from palletflow.networks.palletways.photo_fetch import Kept, Look
from palletflow.networks.palletways.photos import ORIGIN, Attempt, Schedule, Search
from palletflow.networks.palletways.pod import refresh_pod
from palletflow.networks.palletways.settings import PHOTOS_IN, Settings
from palletflow.networks.palletways.work import ACTOR, NETWORK, PHOTO_DOWNLOAD, Access, Reach, asking_depot
from palletflow.orders.consignment import Role
from palletflow.store import activity, consignments, photo_windows, work_items
from palletflow.store.connection import Connection
from palletflow.store.consignments import ConsignmentFacts, NoSuchConsignment
from palletflow.store.photo_windows import PhotoWindow
from palletflow.work.flagged import ConnectionFlagged
from palletflow.work.handling import Result, WorkItem

# "Fetch now": for so many at once, and not again for so long.
MOST_ASKED = 50
ASKED_PAUSE = timedelta(seconds=30)

log = logging.getLogger(__name__)


def begin(
    conn: Connection, consignment_id: int, settings: Settings, *, completed_at: datetime | None, seen_at: datetime
) -> None:
    """Begins the search for a delivery's photos, within the transaction that stores that it was first seen completed.

    `seen_at` is T0 [PW-5-2]. Does nothing without the capability photos_in, for what was completed before it was on,
    and for what was begun before.
    """
    if not settings.can(PHOTOS_IN):
        return
    enabled_at = settings.photos_enabled_at or photo_windows.started(conn, settings.connection, seen_at)
    single = photos.is_single(completed_at, seen_at, enabled_at)
    if single is not None and photo_windows.begin(conn, consignment_id, seen_at, single=single):
        work_items.enqueue(conn, NETWORK, PHOTO_DOWNLOAD, [consignment_id])


def note_start(conn: Connection, settings: Settings, at: datetime) -> None:
    """Notes that a connection looks for deliveries, for the first time if it is that [PW-5-14]; each poll calls it."""
    if settings.can(PHOTOS_IN):
        photo_windows.started(conn, settings.connection, at)


class PhotoDownload:
    """The handler of PHOTO_DOWNLOAD; a work item's key is the id of a consignment. Threads may share one."""

    def __init__(self, plan: Deployment, reach: Reach, storage: Storage, clock: Callable[[], datetime]) -> None:
        self._plan, self._reach, self._storage, self._clock = plan, reach, storage, clock

    def __call__(self, conn: Connection, item: WorkItem) -> Result:
        """One attempt, if one is due; comes again at the next moment of the schedule.

        No photos is no failure [PW-5-10]. Raises NetworkError, ConnectionFlagged, FileFault when none could be made.
        """
        window = photo_windows.of_consignment(conn, int(item.key))
        if window is None:
            return Result()
        try:
            facts = consignments.facts(conn, window.consignment_id)
        except NoSuchConsignment:
            return Result()
        access = self._reach(conn, _asking_depot(self._plan, facts))
        if not _is_wanted(facts, access.client.settings):
            return Result(partial(photo_windows.skip, consignment_id=facts.id))
        schedule, search = photos.read_schedule(access.client.settings), _search(window)
        now = self._clock()
        attempt = photos.due(search, schedule, now)
        if attempt is None:
            return Result(again_at=photos.next_at(search, schedule))
        return self._attempt(conn, access, facts, window, schedule, attempt, now)

    def _attempt(
        self,
        conn: Connection,
        access: Access,
        facts: ConsignmentFacts,
        window: PhotoWindow,
        schedule: Schedule,
        attempt: Attempt,
        now: datetime,
    ) -> Result:
        search = _search(window)
        client = access.client.in_background() if attempt.late else access.client
        looks = _looks(conn, client, self._storage, facts.tracking_number, window, attempt, now)
        if photos.reads_pod(search, attempt):
            _read_pod(conn, access._replace(client=client), facts.id, now)
        after = search._replace(
            attempted_at=attempt.covers,
            found=search.found or any(one.pictures for one in looks),
            closed=search.closed or attempt.closes,
        )
        return Result(
            partial(_store, access=access, consignment_id=facts.id, looks=looks, attempt=attempt, at=now),
            again_at=photos.next_at(after, schedule),
        )


def fetch_now(
    conn: Connection,
    reach: Reach,
    plan: Deployment,
    storage: Storage,
    tracking_ids: Sequence[str],
    *,
    clock: Callable[[], datetime],
    actor: str,
) -> dict[str, str]:
    """Looks for photos of 1 to 50 tracking IDs at once, at any status [PW-5-37]; what became of each.

    "stored n", "already known", "none" or "quarantined: why", the first also together with the last; else "asked ..."
    for one asked in the last 30 s, "refused: why" and "failed: why". The schedule stays as it is. What goes wrong with
    one stops no other. Raises ValueError for another number of tracking IDs, DatabaseUnavailable.
    """
    asked = list(dict.fromkeys(tracking_ids))
    if not 1 <= len(asked) <= MOST_ASKED:
        raise ValueError(f"Photos are fetched for 1 to {MOST_ASKED} tracking IDs at once, not {len(asked)}")
    outcomes = {}
    for tracking_id in asked:
        try:
            outcomes[tracking_id] = _fetch_one(conn, reach, plan, storage, tracking_id, clock(), actor)
        except NetworkError as error:
            outcomes[tracking_id] = f"failed: {error.operation}: {error.detail}"
        except (ConnectionFlagged, NoSuchConsignment) as error:
            outcomes[tracking_id] = f"failed: {error}"
    return outcomes


def _fetch_one(
    conn: Connection, reach: Reach, plan: Deployment, storage: Storage, tracking_id: str, now: datetime, actor: str
) -> str:
    held = photo_windows.holders(conn, NETWORK, tracking_id)
    facts = consignments.facts(conn, held[0]) if held else None
    access = reach(conn, _asking_depot(plan, facts))
    settings = access.client.settings
    if not settings.can(PHOTOS_IN):
        return f"refused: {PHOTOS_IN} is not among the capabilities of connection '{settings.connection}'"
    if not access.mapper.is_tracking_id(tracking_id):
        return "refused: this is no tracking ID"
    if not photo_windows.ask(conn, NETWORK, tracking_id, now, ASKED_PAUSE):
        return f"asked less than {ASKED_PAUSE.seconds} s ago"
    one = photo_fetch.look_by_first_open(conn, access.client, storage, tracking_id, last_answer=None, at=now)
    with conn.transaction():
        locked = consignments.facts(conn, held[0], locked=True) if len(held) == 1 else None
        window = photo_windows.of_consignment(conn, locked.id) if locked else None
        kept = photo_fetch.keep(
            conn,
            access,
            locked,
            tracking_id,
            [one],
            at=now,
            actor=actor,
            half_written=window is not None and window.state == photo_windows.OPEN,
        )
        outcome = _outcome(kept, one)
        if locked:
            photo_windows.looked(conn, locked.id, found=kept.found)
            said = {"photos": [None, f"{outcome} by {one.method}"]}
            activity.record(conn, locked.id, "photos asked for", actor, ORIGIN, said)
    return outcome


def _outcome(kept: Kept, one: Look) -> str:
    if one.trouble:
        return f"failed: {one.trouble}"
    quarantined = f"quarantined: {', '.join(kept.quarantined)}" if kept.quarantined else ""
    stored = f"stored {kept.stored}" if kept.stored else ""
    return ", ".join(filter(None, (stored, quarantined))) or ("already known" if kept.found else "none")


def _looks(
    conn: Connection,
    client: PalletwaysClient,
    storage: Storage,
    tracking_id: str,
    window: PhotoWindow,
    attempt: Attempt,
    now: datetime,
) -> list[Look]:
    """What an attempt brings; a window that would close empty is looked at by the next method too [PW-2.8-4].

    Raises NoMethod, NetworkError.
    """
    first = photo_fetch.look_by_first_open(conn, client, storage, tracking_id, last_answer=window.last_answer, at=now)
    methods = client.settings.photo_methods
    following = methods[methods.index(first.method) + 1 :]
    if first.pictures or not following or not photos.asks_for_latest(_search(window), attempt):
        return [first]
    try:
        look = photo_fetch.look(conn, client, storage, tracking_id, following[0], last_answer=None, at=now)
    except (MethodUnavailable, MethodRefused) as error:
        log.info("The latest photo of %s was not asked for: %s", tracking_id, error)
        return [first]
    return [first, look]


def _store(
    conn: Connection, *, access: Access, consignment_id: int, looks: list[Look], attempt: Attempt, at: datetime
) -> None:
    """Writes an attempt down within the transaction that ends it or lets it come again. Raises Unstable."""
    try:
        facts = consignments.facts(conn, consignment_id, locked=True)
    except NoSuchConsignment:
        return
    window = photo_windows.of_consignment(conn, consignment_id)
    if window is None:
        return
    open_still = window.state == photo_windows.OPEN and not attempt.closes
    kept = photo_fetch.keep(
        conn, access, facts, facts.tracking_number, looks, at=at, actor=ACTOR, half_written=open_still
    )
    photo_windows.attempted(
        conn,
        consignment_id,
        attempt.covers,
        found=kept.found,
        answer=looks[0].made_use_of,
        closes=attempt.closes,
    )
    if kept.stored:
        methods = " and ".join(one.method for one in looks if one.pictures)
        said = {"photos": [None, f"{kept.stored} by {methods}, attempt {window.attempts + 1}"]}
        activity.record(conn, consignment_id, "photos fetched", ACTOR, ORIGIN, said)
    elif attempt.closes and not (window.single or window.found or kept.found):
        trouble = [one.trouble for one in looks if one.trouble]
        activity.record(conn, consignment_id, "no photos found", ACTOR, ORIGIN, warnings=trouble)


def _read_pod(conn: Connection, access: Access, consignment_id: int, now: datetime) -> None:
    """Reads time and signatory of the delivery again; what fails comes with the next reading [PW-4.2-4]."""
    try:
        refresh_pod(conn, access, consignment_id, seen_at=now, actor=ACTOR)
    except NetworkError as error:
        log.info("The notes of consignment %d were not read: %s", consignment_id, error)


def _is_wanted(facts: ConsignmentFacts, settings: Settings) -> bool:
    """Whether photos of a consignment are looked for [PW-5-1, PW-5-35]."""
    if not settings.can(PHOTOS_IN) or facts.cancelled or not facts.tracking_number:
        return False
    return not (settings.skip_download_when_delivering and Role.DELIVERY in facts.our_roles)


def _asking_depot(plan: Deployment, facts: ConsignmentFacts | None) -> str:
    """The depot of ours to ask for a consignment, which may be none of ours."""
    depots = (facts.requesting_depot, facts.collecting_depot, facts.delivery_depot) if facts else ()
    return asking_depot(plan.network(NETWORK).depots, *depots)


def _search(window: PhotoWindow) -> Search:
    return Search(
        window.begun_at,
        window.single,
        attempted_at=window.attempted_at,
        found=window.found,
        closed=window.state != photo_windows.OPEN,
    )
