"""Reads a consignment's statuses from Nexus into the order store (contract 2.8, 7.4, 7.5, 8.1, 8.2 and 10 inbound).

Interrupted anywhere and repeated it ends the same: what is stored already is recognised, and what statuses do to stops
is worked out anew from all of them each time. What happens once, happens with what is new.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from palletflow.deployment import Deployment
from palletflow.networks.nexus import documents, statuses
from palletflow.networks.nexus.record import Reply
from palletflow.networks.nexus.statuses import Rules
from palletflow.networks.nexus.work import CANCEL, DOCUMENT_FETCH, NETWORK, STATUS_EXPORT, Access
from palletflow.orders.consignment import Role
from palletflow.orders.lifecycle import Status
from palletflow.orders.tracking import Event
from palletflow.store import activity, barcodes, orders, tracking, whereabouts, work_items
from palletflow.store.connection import Connection
from palletflow.store.orders import HeldOrder
from palletflow.store.tracking import Tracked

STATUSES = "consignmentStatuses"
# Between two notes that nothing has changed.
NOTED_EVERY = timedelta(minutes=15)
# While Nexus names no depots: what we created we request and collect [NX-8-13].
ROLES_OF_OURS = [Role.REQUESTING.value, Role.COLLECTING.value]
BARCODE_DIGITS = 16


class StatusNews(NamedTuple):
    """What one reading brought. `events` are all that are new, `echoes` those of them that we had told ourselves.

    `changed`: anything at all was; `warnings`: what a person should see.
    """

    events: int
    echoes: int
    changed: bool
    warnings: list[str]


NOTHING = StatusNews(0, 0, False, [])


class _Shown(NamedTuple):
    """What Nexus shows: the record, its rows of history (None: not offered), and names of ids that came without one."""

    reply: Reply
    history: Sequence[Mapping[str, Any]] | None
    names: Mapping[int, str]
    rules: Rules
    read_at: datetime

    @property
    def status(self) -> Event | None:
        """The status of the consignment itself."""
        return statuses.shown(self.reply, self.rules, self.read_at)

    def read(self, pallets: Mapping[str, int], delivery_depot: str) -> statuses.Read:
        """The history's events; without one nothing."""
        return statuses.read(
            self.history or (),
            rules=self.rules,
            names=self.names,
            pallets=pallets,
            delivery_depot=delivery_depot,
            now=self.read_at,
        )

    def is_cancelled(self) -> bool:
        """Whether any of it says that the consignment is cancelled."""
        events = [*self.read({}, "").events, *filter(None, [self.status])]
        return any(event.status is Status.CANCELLED for event in events)


def store_statuses(
    conn: Connection,
    consignment_id: int,
    record: Mapping[str, Any],
    history: Sequence[Mapping[str, Any]] | None,
    *,
    access: Access,
    plan: Deployment,
    read_at: datetime,
    actor: str,
    source: str,
) -> StatusNews:
    """Stores what Nexus shows of one consignment of ours, and all that follows from it, in one transaction.

    `record`: its row of a list or the reply to get; `history`: None when Nexus does not offer it, then the record's own
    status counts. `read_at`: when they were read. Call it with no transaction open: the name of a status that came as
    an id alone is looked up first. Raises NetworkError for that, psycopg.Error.
    """
    if not plan.network(NETWORK).switches.status_import:
        return NOTHING
    sections = access.mapper.template.sections
    rules = Rules(sections, access.client.wire.formats)
    ids = sorted(statuses.nameless(history or (), rules))
    names = {id_: access.lookups.name_of(conn, STATUSES, id_) for id_ in ids}
    shown = _Shown(access.mapper.reading.reply(record), history, names, rules, read_at)
    chase = timedelta(days=access.client.settings.pod_chase_days)
    with conn.transaction():
        order = None
        if shown.is_cancelled():
            # Whoever may change the order locks all of its consignments first, and then it.
            order_id = tracking.order_of(conn, consignment_id)
            order = orders.locked(conn, order_id) if order_id else None
        held = tracking.locked(conn, consignment_id)
        if held is None or held.tracking_number != shown.reply.key:
            return NOTHING  # deleted, or another one there meanwhile
        storing = _Storing(conn, consignment_id, held, order, actor, source)
        return storing.store(shown, documents.read_types(sections).wanted_kinds, chase)


class _Storing:
    """One reading of one consignment, within its transaction. `order` is given when it may have to be cancelled."""

    def __init__(
        self,
        conn: Connection,
        consignment_id: int,
        held: Tracked,
        order: HeldOrder | None,
        actor: str,
        source: str,
    ) -> None:
        self._conn, self._id, self._held, self._order = conn, consignment_id, held, order
        self._actor, self._source = actor, source
        self._warnings: list[str] = []
        self._changes: dict[str, list[Any]] = {}

    def store(self, shown: _Shown, wanted_documents: set[str], chase: timedelta) -> StatusNews:
        """Stores the events first, then what they do, then what follows from that."""
        pallets = self._follow_barcodes(shown.reply.barcodes)
        read = shown.read(pallets, self._held.delivery_depot)
        before = self._on_pallets(pallets)
        new = self._new(shown, read.events)
        self._keep_foreign(new, pallets)
        tracking.store(self._conn, self._id, new)
        roles = self._roles()
        everything = [*before, *new]
        self._warn_of_unknown(new, shown.read_at)
        delivered_before = self._delivered(before, roles)
        self._changes |= tracking.move_stops(
            self._conn, self._id, statuses.effects(everything, self._held.pallets, roles)
        )
        self._changes |= whereabouts.settle(self._conn, self._id)
        self._flag_exception(everything, roles)
        self._follow_cancelling(before, everything)
        self._expect(shown, roles)
        if self._delivered(everything, roles) and (not delivered_before or self._completed_delivery()):
            work_items.enqueue(self._conn, NETWORK, DOCUMENT_FETCH, [self._id])
        if self._is_untold(roles):
            work_items.enqueue(self._conn, NETWORK, STATUS_EXPORT, [self._id])
        if self._order and self._is_cancelled(everything) and not self._is_cancelled(before):
            work_items.enqueue(self._conn, NETWORK, CANCEL, [self._id])  # ours may then be dispatched anew
        ended_at = self._ended_at(everything, roles, wanted_documents, chase, shown.read_at)
        tracking.polled(self._conn, self._id, shown.read_at, ended_at, NOTED_EVERY)
        return self._told(new, read.faults)

    def _follow_barcodes(self, listed: Sequence[str]) -> dict[str, int]:
        """Confirms and adopts the barcodes that Nexus lists; the pallet of every barcode known then."""
        held = self._held.barcodes
        current = {
            pallet: code for code, (pallet, state) in held.items() if pallet and state in ("expected", "confirmed")
        }
        found = statuses.drift(listed, self._held.pallets, current)
        if found.adopted:
            barcodes.adopt(self._conn, self._id, found.adopted, self._actor, self._source)
        if any(held.get(code, (0, ""))[1] != "confirmed" for code in found.confirmed):
            barcodes.confirm(self._conn, self._id, found.confirmed)
        for pallet, code in found.adopted.items():
            if pallet in current:
                change = f"Nexus changed the barcode of pallet {pallet} from {current[pallet]} to {code}"
                self._warnings.append(f"{change}: print new labels")
            self._warn_of_shape(code)
        known = {code: pallet for code, (pallet, _) in held.items() if pallet is not None}
        return known | {code: pallet for pallet, code in found.adopted.items()}

    def _keep_foreign(self, events: Iterable[Event], pallets: Mapping[str, int]) -> None:
        """Keeps barcodes of no pallet of ours as history."""
        foreign = {event.barcode for event in events} - pallets.keys() - self._held.barcodes.keys() - {""}
        for code in sorted(foreign):
            barcodes.keep(self._conn, self._id, None, code)
            self._warn_of_shape(code)

    def _warn_of_shape(self, code: str) -> None:
        if not (code.isascii() and code.isdigit() and len(code) == BARCODE_DIGITS):
            self._warnings.append(f"Nexus uses the barcode '{code}', which has not {BARCODE_DIGITS} digits")

    def _on_pallets(self, pallets: Mapping[str, int]) -> list[Event]:
        """The stored events, those with a barcode that has become known since on its pallet."""
        held = self._held.imported
        if not any(event.pallet is None and event.barcode in pallets for event in held):
            return held
        tracking.give_pallets(self._conn, self._id)
        return [event._replace(pallet=event.pallet or pallets.get(event.barcode)) for event in held]

    def _new(self, shown: _Shown, read: Sequence[Event]) -> list[Event]:
        """What is new, marked where it is only what we told."""
        held, status, heard = self._held, shown.status, list(read)
        if shown.history is None:
            heard = statuses.changed(held.imported, status)
        elif status is not None and status.status is Status.CANCELLED:
            # However the history puts it.
            is_there = any(event.status is Status.CANCELLED for event in (*held.imported, *read))
            heard += [] if is_there else [status]
        timed = shown.history is not None
        return [
            event._replace(echo=statuses.is_echo(event, held.exported, timed=timed))
            for event in statuses.news(held.imported, heard)
        ]

    def _roles(self) -> list[str]:
        """Our roles; those that we have while Nexus names no depots are kept [NX-8-13]."""
        held = self._held
        if not held.is_own or held.collecting_depot or held.delivery_depot or set(held.roles) - set(ROLES_OF_OURS):
            return held.roles
        if held.roles != ROLES_OF_OURS:
            tracking.take_roles(self._conn, self._id, ROLES_OF_OURS)
        return ROLES_OF_OURS

    def _is_untold(self, roles: Sequence[str]) -> bool:
        """Whether our people reported something before Nexus said what our part in it is, so that nobody told it."""
        is_first = tracking.exchange(self._conn, self._id).polled_at is None
        return (is_first or roles != self._held.roles) and tracking.is_untold(self._conn, self._id)

    def _warn_of_unknown(self, events: Iterable[Event], read_at: datetime) -> None:
        """One warning for each name [NX-8-9]."""
        unknown = Counter(event.code for event in events if event.status is Status.UNKNOWN)
        for code, count in sorted(unknown.items()):
            is_first_today = tracking.unknown_code(self._conn, NETWORK, code, read_at.date(), count)
            if is_first_today and tracking.is_first_day(self._conn, NETWORK, code):
                self._warnings.append(
                    f"Nexus sent the status '{code}', which nobody here knows; it is kept as history. "
                    "Add it to status_map of the Nexus template"
                )

    def _delivered(self, events: Iterable[Event], roles: Sequence[str]) -> bool:
        """Whether others have delivered for us."""
        effect = statuses.effects(events, self._held.pallets, roles).get("delivery")
        return bool(effect and effect.completed_at and documents.fetches(roles))

    def _completed_delivery(self) -> bool:
        """Whether this reading has completed the delivery stop, e.g. as our part in it was not known before."""
        before, _ = self._changes.get("delivery.completed_at", ("", ""))
        return before is None

    def _flag_exception(self, events: Iterable[Event], roles: Sequence[str]) -> None:
        """Asks a person to look once something has gone wrong with the consignment by what Nexus says [NX-8-8]."""
        _, reason = self._changes.get("exception_reason", (None, None))
        told = [event for event in events if event.status is Status.EXCEPTION and not event.echo]
        if reason is None or not told or not roles:
            return
        last = max(told, key=lambda event: event.at)
        note = f" ({last.note})" if last.note else ""
        self._flag(f"Nexus says '{last.code}'{note} since {last.at:%Y-%m-%d %H:%M} UTC; see what is to be done")

    def _follow_cancelling(self, before: Sequence[Event], everything: Sequence[Event]) -> None:
        """Cancels the order whose consignment Nexus has cancelled, unless somebody is under way with it [NX-7-16]."""
        if self._order is None or not self._is_cancelled(everything):
            return
        if self._is_cancelled(before) or self._order.cancelled:
            return
        if tracking.any_started(self._conn, self._id):
            self._flag("Cancelled at Nexus after it was begun: check with the customer where the goods go")
        elif len(self._order.consignments) > 1:
            self._flag("Cancelled at Nexus, one of several consignments of the order: check with the customer")
        else:
            orders.cancel(self._conn, self._order, "Cancelled at Nexus", self._actor, self._source)
            self._changes["cancelled"] = [False, True]

    def _is_cancelled(self, events: Sequence[Event]) -> bool:
        return bool(statuses.everywhere(events, self._held.pallets, Status.CANCELLED))

    def _flag(self, reason: str) -> None:
        orders.ask_for_review(self._conn, self._held.order_id, reason)
        self._changes["review_reason"] = [None, reason]

    def _expect(self, shown: _Shown, roles: Sequence[str]) -> None:
        """Takes over when the delivering depot expects to be there [NX-10-12]."""
        eta = statuses.eta(shown.reply, shown.rules) if documents.fetches(roles) else None
        if eta:
            self._changes |= tracking.expect(self._conn, self._id, eta.start, eta.end)

    def _ended_at(
        self,
        events: Sequence[Event],
        roles: Sequence[str],
        wanted_documents: set[str],
        chase: timedelta,
        read_at: datetime,
    ) -> datetime | None:
        """Since when there is nothing to wait for; None while it is under way or its documents are [NX-7-8]."""
        ending = tracking.ending(self._conn, self._id)
        delivered, cancelled = (
            statuses.since(statuses.everywhere(events, self._held.pallets, status))
            for status in (Status.DELIVERED, Status.CANCELLED)
        )
        delivered_at = ending.delivered_at or delivered
        if ending.lifecycle_status != Status.DELIVERED or delivered_at is None:
            return cancelled
        if not documents.fetches(roles) or wanted_documents <= set(ending.documents):
            return delivered_at
        return delivered_at + chase if read_at >= delivered_at + chase else None

    def _told(self, new: Sequence[Event], faults: Sequence[str]) -> StatusNews:
        """Writes the history's entry, if there is anything to say; bad rows alone are no news."""
        told = [event for event in new if not event.echo]
        warnings = [*self._warnings, *(dict.fromkeys(faults) if new else ())]
        changed = bool(new or self._changes or warnings)
        if told or self._changes or warnings:
            changes = {**self._changes, "statuses": [None, [_named(event) for event in told]]}
            activity.record(self._conn, self._id, "statuses read", self._actor, self._source, changes, warnings)
        echoes = len(new) - len(told)
        return StatusNews(len(new), echoes, changed, list(dict.fromkeys((*self._warnings, *faults))))


def _named(event: Event) -> str:
    which = f" pallet {event.pallet}" if event.pallet else f" {event.barcode}".rstrip()
    return f"{event.code}{which} {event.at:%Y-%m-%d %H:%M:%S}"
