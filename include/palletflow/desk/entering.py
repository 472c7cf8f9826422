"""Entering orders: made, changed, copied, cancelled, each within one transaction, by one caller or a thousand at once.

The caller's own key makes it safe to say anything twice. A field changes when the caller changes what he said of it,
not when a network has filled it in meanwhile; see palletflow.store.orders.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from pydantic import ValidationError

from palletflow.desk import contents
from palletflow.desk.contents import Changes
from palletflow.desk.given import ConsignmentContent, NewOrder, OrderContent
from palletflow.desk.plan import Networks
from palletflow.desk.refusals import Fault, Refused, conflict, faults_of, of_content, unknown
from palletflow.store import activity, orders
from palletflow.store.connection import Connection
from palletflow.store.orders import HeldConsignment, HeldOrder, Made
from palletflow.work import follows

SOURCE = "order API"


@dataclass
class Entered:
    """What became of one order; with `faults` it was rejected."""

    key: str
    id: int | None
    outcome: Literal["created", "updated", "unchanged", "rejected"]
    warnings: list[str]
    faults: list[Fault]


class Clerk:
    """Enters orders for one caller through one connection. What cannot be done is raised as Refused."""

    def __init__(self, conn: Connection, networks: Networks, actor: str, source: str = SOURCE) -> None:
        """`source`: where what he says comes from, for the history."""
        self._conn, self._networks, self._actor, self._source = conn, networks, actor, source

    def create(self, order: NewOrder) -> Entered:
        """Makes one order. The same again is unchanged; other content is a conflict that names what differs."""
        self._check(order)
        with self._conn.transaction():
            [entered] = self._enter([order], update=False)
        if entered.faults:
            raise Refused(409, f"There is an order '{order.key}' with other content", entered.faults)
        return entered

    def create_many(self, raw_orders: Sequence[Mapping[str, Any]], update: bool) -> list[Entered]:
        """Makes up to 1,000 orders in one transaction, each judged by itself; the outcomes in the order given."""
        outcomes: list[Entered] = []
        good: dict[str, tuple[int, NewOrder]] = {}
        for index, raw in enumerate(raw_orders):
            try:
                order = NewOrder.model_validate(raw)
                faults = contents.faults(order, self._networks)
                if order.key in good:
                    faults = [Fault("key", "doubled", f"orders[{good[order.key][0]}] of this call has the same key")]
                elif not faults:
                    good[order.key] = index, order
            except ValidationError as error:
                faults = faults_of(error)
            outcomes.append(Entered(_named(raw), None, "rejected", [], faults))
        with self._conn.transaction():
            entered = self._enter([order for _, order in good.values()], update)
        for (index, _), outcome in zip(good.values(), entered, strict=True):
            outcomes[index] = outcome
        return outcomes

    def put(self, key: str, content: OrderContent) -> Entered:
        """Makes the order with this key of the caller's what he says, whether it is new or not."""
        order = NewOrder.model_construct(key=key, **dict(content))
        held = orders.identify(self._conn, key)
        if held is None:
            self._check(order)
            with self._conn.transaction():
                [entered] = self._enter([order], update=False)
            if entered.outcome == "created":
                return entered
            held = entered.id
            assert held is not None, "somebody else has made it meanwhile"
        return self.replace(held, order)

    def replace(self, order_id: int, content: OrderContent) -> Entered:
        """Makes a held order what the caller says."""
        with self._conn.transaction():
            held = self._locked(order_id)
            self._check(content, held)
            return self._update(held, content, {})

    def patch(self, order_id: int, change: Mapping[str, Any]) -> Entered:
        """Changes the fields that `change` names and no other; null empties one.

        Consignments are matched by id, or else by their place; none is added or taken away.
        """
        with self._conn.transaction():
            held = self._locked(order_id)
            merged = contents.merged(held, change)
            if isinstance(merged, list):
                raise of_content(merged)
            try:
                content = OrderContent.model_validate(merged[0])
            except ValidationError as error:
                raise of_content(faults_of(error)) from error
            self._check(content, held)
            return self._update(held, content, merged[1])

    def copy(self, order_id: int, key: str) -> Entered:
        """Makes a new order with every field of another, an imported tracking ID included [PF-6-6].

        Copying the same order under the same key again changes nothing.
        """
        with self._conn.transaction():
            held = self._locked(order_id)
            head = {name: getattr(held, name) for name in contents.HEAD}
            rows = [contents.row(one.content, held.customer, self._networks) for one in held.consignments]
            copy = {**head, "key": key, "copied_from": held.id, "consignments": rows}
            for made in orders.insert(self._conn, [copy], self._actor, self._source, f"copied from {held.key}"):
                return self._made(made, self._after(made.consignments, [one.network for one in held.consignments]))
            there = orders.by_keys(self._conn, [key])[key]
            if there.copied_from != held.id:
                raise conflict("key_taken", f"There is an order '{key}' already", "key")
            return Entered(key, there.id, "unchanged", [], [])

    def cancel(self, order_id: int, reason: str) -> Entered:
        """Cancels an order; one the network may have is cancelled there too, or flagged for the portal [PF-7-6]."""
        with self._conn.transaction():
            held = self._locked(order_id)
            if held.cancelled:
                return Entered(held.key, held.id, "unchanged", [], [])
            orders.cancel(self._conn, held, reason, self._actor, self._source)
            left = [one for one in held.consignments if not (one.dispatched and self._cancels(one))]
            return Entered(held.key, held.id, "updated", self._flag(held, left, "Cancelled"), [])

    def _cancels(self, one: HeldConsignment) -> bool:
        """Whether its network takes cancellations; then it is asked to."""
        return self._networks.follow(self._conn, follows.CANCELLED, one.network, [one.id])

    def restore(self, order_id: int) -> Entered:
        """Takes a cancellation back. What a person was asked to do in the portal stays asked for."""
        with self._conn.transaction():
            held = self._locked(order_id)
            if not held.cancelled:
                return Entered(held.key, held.id, "unchanged", [], [])
            orders.restore(self._conn, held, self._actor, self._source)
            return Entered(held.key, held.id, "updated", [], [])

    def end_review(self, order_id: int) -> Entered:
        """A person has seen to what the order was flagged for."""
        with self._conn.transaction():
            held = orders.locked(self._conn, order_id)
            if held is None:
                raise unknown("order", "id", order_id)
            ended = orders.end_review(self._conn, held, self._actor, self._source)
            return Entered(held.key, held.id, "updated" if ended else "unchanged", [], [])

    def _check(self, order: OrderContent, held: HeldOrder | None = None) -> None:
        faults = contents.faults(order, self._networks, held)
        if faults:
            raise of_content(faults)

    def _locked(self, order_id: int) -> HeldOrder:
        held = orders.locked(self._conn, order_id)
        if held is None:
            raise unknown("order", "id", order_id)
        if held.of_a_network:
            raise conflict("of_a_network", f"{held.source} told us of order '{held.key}'; it is changed there")
        return held

    def _enter(self, wanted: Sequence[NewOrder], update: bool) -> list[Entered]:
        """Makes those that are new, compares or updates the others; the outcomes in the order given."""
        new = [
            {
                **{name: getattr(order, name) for name in ("key", *contents.HEAD)},
                "consignments": [
                    contents.row(contents.said(one), order.customer, self._networks) for one in order.consignments
                ],
            }
            for order in wanted
        ]
        made = {one.key: one for one in orders.insert(self._conn, new, self._actor, self._source)}
        pairs = [
            (number, consignment.network)
            for order in wanted
            if order.key in made
            for number, consignment in zip(made[order.key].consignments, order.consignments, strict=True)
        ]
        warnings = self._after([number for number, _ in pairs], [network for _, network in pairs])
        known = orders.by_keys(self._conn, [order.key for order in wanted if order.key not in made])
        return [
            self._made(made[order.key], warnings) if order.key in made else self._again(order, known[order.key], update)
            for order in wanted
        ]

    def _made(self, made: Made, warnings: Mapping[int, str]) -> Entered:
        found = (warnings[number] for number in made.consignments if number in warnings)
        return Entered(made.key, made.id, "created", _distinct(found), [])

    def _again(self, order: NewOrder, held: HeldOrder, update: bool) -> Entered:
        """An order whose key is known: updated, or compared."""
        if update:
            try:
                return self._update(self._locked(held.id), order, {})
            except Refused as refused:
                return Entered(order.key, held.id, "rejected", [], refused.faults)
        faults = [
            Fault(field, "differs", f"the order has {before!r} and not {after!r}; PUT changes it")
            for field, (before, after) in self._differences(held, order).items()
        ]
        if held.cancelled:
            faults.append(Fault("key", "cancelled", "the order with this key is cancelled; restore it"))
        return Entered(order.key, held.id, "rejected" if faults else "unchanged", [], faults)

    def _differences(self, held: HeldOrder, order: NewOrder) -> Changes:
        found = contents.head_changes(held, order)
        if len(held.consignments) != len(order.consignments):
            found["consignments"] = [len(held.consignments), len(order.consignments)]
        customers = held.customer, order.customer
        for place, (one, row) in enumerate(zip(held.consignments, order.consignments, strict=False)):
            _, changes = contents.changed(one, row, customers, frozenset(), self._networks)
            found |= {f"consignments[{place}].{field}": pair for field, pair in changes.items()}
        return found

    def _update(self, held: HeldOrder, content: OrderContent, named: Mapping[int, frozenset[str]]) -> Entered:
        if held.cancelled:
            raise conflict("cancelled", f"Order '{held.key}' is cancelled; restore it first")
        matched = contents.matched(held, content.consignments)
        if isinstance(matched, Fault):
            raise of_content([matched])
        head = contents.head_changes(held, content)
        customers = held.customer, content.customer
        rows = []
        for one, row, place in matched.kept:
            stored, changes = contents.changed(one, row, customers, named.get(one.id, frozenset()), self._networks)
            _must_be_changeable(one, changes, f"consignments[{place}]")
            rows.append((one, stored, changes))
        for one in matched.gone:
            _must_be_removable(one)
        changed = [(one, stored, changes) for one, stored, changes in rows if changes]
        if not (head or changed or matched.new or matched.gone):
            return Entered(held.key, held.id, "unchanged", [], [])

        if head:
            orders.update_order(self._conn, held.id, content.customer, content.reference, content.reference_2)
        for _, stored, _ in changed:
            orders.update_consignment(self._conn, stored)
        for one in matched.gone:
            orders.remove_consignment(self._conn, one.id)
        # What is of the whole order stands in the history of its first consignment that stays.
        whole = {**head, **({"consignments": [[one.content for one in matched.gone], []]} if matched.gone else {})}
        for number, (one, _, changes) in enumerate(rows):
            told = {**(whole if number == 0 else head), **changes}
            if told:
                activity.record(self._conn, one.id, "updated", self._actor, self._source, told)
        warnings = self._flag(
            held, [one for one, _, changes in rows if changes or head], f"Changed ({', '.join(_fields(head, rows))})"
        )
        touched = [(one.id, stored["network"]) for one, stored, _ in changed]
        touched += self._add(held, matched.new, content.customer)
        shared = self._after([number for number, _ in touched], [network for _, network in touched])
        return Entered(held.key, held.id, "updated", _distinct([*warnings, *shared.values()]), [])

    def _add(self, held: HeldOrder, new: Sequence[ConsignmentContent], customer: str) -> list[tuple[int, str]]:
        rows = [{**contents.row(contents.said(one), customer, self._networks), "order_id": held.id} for one in new]
        added = orders.add_consignments(self._conn, rows, self._actor, self._source, "added") if rows else []
        return [(number, one.network) for (_, number), one in zip(added, new, strict=True)]

    def _after(self, consignment_ids: Sequence[int], networks: Sequence[str]) -> dict[int, str]:
        """What follows from new or changed consignments: barcodes, labels, and warnings of shared numbers by id."""
        if not consignment_ids:
            return {}
        of_network: dict[str, list[int]] = {}
        for number, network in zip(consignment_ids, networks, strict=True):
            of_network.setdefault(network, []).append(number)
        for network, numbers in of_network.items():
            self._networks.entry(network).written(self._conn, self._networks.plan, numbers, self._actor)
        return orders.warn_of_shared_numbers(self._conn, consignment_ids, self._actor, self._source)

    def _flag(self, held: HeldOrder, touched: Iterable[HeldConsignment], what: str) -> list[str]:
        """Flags the order when a network has, or may have, what was touched [PF-7-6]."""
        dispatched = [one for one in touched if one.dispatched]
        if not dispatched:
            return []
        reason = f"{what} after dispatch: change it in the portal, the network has no call for it"
        orders.ask_for_review(self._conn, held.id, reason)
        for one in dispatched:
            activity.record(self._conn, one.id, "flagged for review", self._actor, self._source, warnings=[reason])
        return [reason]


def _must_be_changeable(one: HeldConsignment, changes: Changes, under: str) -> None:
    if "tracking_number" in changes and one.registered:
        detail = f"the network has registered {one.content['tracking_number']}; the number can no longer be changed"
        raise conflict("PF-6-9", detail, f"{under}.tracking_number")
    if one.dispatched and {"tracking_number", "network"} & changes.keys():
        field = "network" if "network" in changes else "tracking_number"
        detail = f"the consignment is being dispatched ({one.dispatch_state}); wait until its outcome is known"
        raise conflict("PF-7-4", detail, f"{under}.{field}")


def _must_be_removable(one: HeldConsignment) -> None:
    if one.registered or one.dispatch_state != "not_needed":
        raise conflict(
            "PF-7-6",
            f"Consignment {one.id} has a dispatch task or is in the network; it cannot be removed",
            "consignments",
        )


def _fields(head: Changes, rows: Iterable[tuple[HeldConsignment, Any, Changes]]) -> list[str]:
    return _distinct([*head, *(field for one, _, changes in rows if one.dispatched for field in changes)])


def _named(raw: Mapping[str, Any]) -> str:
    """What a caller may have meant as the key of an order that was not understood; half a surrogate pair is no text."""
    return str(raw.get("key", ""))[:100].encode("utf-8", "replace").decode()


def _distinct(texts: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(texts))
