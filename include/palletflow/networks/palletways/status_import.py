"""Stores what Palletways shows of a consignment's status, and all that follows from it (contract 4.1 and 4.2).

Interrupted anywhere and repeated it ends the same: what is stored already is recognised, and what statuses do is worked
out anew from all of them each time. What happens once, happens with what is new.
"""

from collections import Counter
from collections.abc import Iterable
from datetime import datetime
from typing import Any, NamedTuple

from palletflow.deployment import Deployment
from palletflow.networks.palletways import mapper, photo_download, pod, statuses
from palletflow.networks.palletways.statuses import Rules, Shown
from palletflow.networks.palletways.work import NETWORK, Access
from palletflow.orders.lifecycle import Status
from palletflow.orders.tracking import Event
from palletflow.store import activity, deliveries, network_notes, orders, photo_windows, sweeps, tracking, whereabouts
from palletflow.store.connection import Connection
from palletflow.store.deliveries import Delivered
from palletflow.store.network_notes import Note
from palletflow.store.tracking import Tracked

RESET_SOURCE = "operator"


class StatusNews(NamedTuple):
    """What one reading brought. `events` were new; `completed`: it is, and was not before; `warnings` for a person."""

    events: int
    completed: bool
    warnings: list[str]


NOTHING = StatusNews(0, False, [])


def store_status(
    conn: Connection,
    consignment_id: int,
    tracking_number: str,
    shown: Shown | None,
    *,
    notes: Iterable[Note] = (),
    access: Access,
    seen_at: datetime,
    actor: str,
    source: str,
) -> StatusNews:
    """Stores a status (None: it was not asked for) and notes of one consignment of ours, in one transaction.

    `seen_at`: when they were asked for. The first time that the delivery is complete the search for its photos begins.
    Raises psycopg.Error.
    """
    with conn.transaction():
        held = tracking.locked(conn, consignment_id)
        if held is None or held.tracking_number != tracking_number:
            return NOTHING  # deleted, or another one there meanwhile
        depot = access.client.settings.depot
        network_notes.keep(conn, NETWORK, depot, [(consignment_id, note) for note in notes], seen_at)
        storing = _Storing(conn, consignment_id, held, pod.rules_of(access), seen_at)
        news = storing.store(shown)
        if news.completed:
            photo_download.begin(
                conn, consignment_id, access.client.settings, completed_at=storing.said_at(), seen_at=seen_at
            )
        if shown:
            tracking.polled(conn, consignment_id, seen_at, storing.ended_at())
        network_notes.followed(conn, consignment_id, seen_at)
        storing.tell(actor, source)
        return news


def reset(conn: Connection, plan: Deployment, consignment_id: int, *, actor: str) -> bool:
    """Takes back that a delivery is complete, for an operator: what was heard since counts [PW-4.1-4].

    It is asked for again from then on; once it is delivered its photos are looked for again. What our own people
    reported stays. False when it is not complete.
    """
    section = mapper.preview(plan).template.sections["status_map"]
    with conn.transaction():
        held = tracking.locked(conn, consignment_id)
        since = deliveries.codes_since(conn, consignment_id) if held else None
        if since is None:
            return False
        before = tracking.ending(conn, consignment_id).lifecycle_status
        meanings = {code: statuses.meaning(code, section) for code in since.codes}
        deliveries.take_back(conn, consignment_id, since.event_id, meanings)
        photo_windows.forget(conn, consignment_id)
        reopened = tracking.locked(conn, consignment_id)
        assert reopened is not None  # its row is locked
        changes = tracking.move_stops(
            conn, consignment_id, statuses.effects(reopened.imported, reopened.roles, None)
        ) | whereabouts.settle(conn, consignment_id)
        changes["lifecycle_status"] = [before, tracking.ending(conn, consignment_id).lifecycle_status]
        activity.record(conn, consignment_id, "delivery taken back", actor, RESET_SOURCE, changes)
        return True


class _Storing:
    """One reading of one consignment, within its transaction."""

    def __init__(self, conn: Connection, consignment_id: int, held: Tracked, rules: Rules, seen_at: datetime) -> None:
        self._conn, self._id, self._held = conn, consignment_id, held
        self._rules, self._seen_at = rules, seen_at
        self._new: list[Event] = []
        self._warnings: list[str] = []
        self._changes: dict[str, list[Any]] = {}
        self._delivered: Delivered | None = None

    def store(self, shown: Shown | None) -> StatusNews:
        """Stores what is new first, then what all of it does."""
        held = self._held.imported
        known = network_notes.of(self._conn, self._id, self._held.tracking_number)
        self._new = statuses.news(held, statuses.heard(shown, known, self._rules, self._seen_at))
        tracking.store(self._conn, self._id, self._new)
        self._warn_of_unknown()
        everything = [*held, *self._new]
        self._changes = pod.settle(self._conn, self._id, self._held, everything, self._rules, self._seen_at)
        self._flag_exception()
        is_complete = statuses.completion(everything) is not None
        if is_complete:
            self._delivered = deliveries.read(self._conn, self._id)
            sweeps.take_up(self._conn, self._id)
        return StatusNews(len(self._new), is_complete and statuses.completion(held) is None, self._warnings)

    def said_at(self) -> datetime | None:
        """When it was delivered, as far as Palletways says."""
        said = self._delivered is not None and self._delivered.basis != statuses.SEEN
        return self._delivered.at if self._delivered and said else None

    def ended_at(self) -> datetime | None:
        """Since when there is nothing left to ask for; None while it is not complete [PW-4.3-3]."""
        return self._delivered.seen_at if self._delivered else None

    def tell(self, actor: str, source: str) -> None:
        """Writes the history's entry, if there is anything to say."""
        if self._new or self._changes or self._warnings:
            changes = {**self._changes, "statuses": [None, [_named(event) for event in self._new]]}
            activity.record(self._conn, self._id, "statuses read", actor, source, changes, self._warnings)

    def _warn_of_unknown(self) -> None:
        """Counts codes that the map lacks, with one warning for each that is new here [PW-4.1-2]."""
        unknown = Counter(event.code for event in self._new if not self._rules.is_known(event.code))
        for code, count in sorted(unknown.items()):
            is_first_today = tracking.unknown_code(self._conn, NETWORK, code, self._seen_at.date(), count)
            if is_first_today and tracking.is_first_day(self._conn, NETWORK, code):
                self._warnings.append(
                    f"Palletways sent the status code {code}, which nobody here knows; it is kept as history. "
                    "Add it to status_map of the Palletways template"
                )

    def _flag_exception(self) -> None:
        """Asks a person to look once something has gone wrong."""
        _, reason = self._changes.get("exception_reason", (None, None))
        told = [event for event in self._new if event.status is Status.EXCEPTION]
        if reason is None or not told:
            return
        last = max(told, key=lambda event: event.at)
        note = f" ({last.note})" if last.note else ""
        said = f"Palletways shows {self._rules.shown_as(last.code)}{note} since {last.at:%Y-%m-%d %H:%M} UTC"
        orders.ask_for_review(self._conn, self._held.order_id, f"{said}; see what is to be done")


def _named(event: Event) -> str:
    return f"{event.code} {event.at:%Y-%m-%d %H:%M:%S}"
