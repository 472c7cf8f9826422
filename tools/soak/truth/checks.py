"""One line of the verdict, and what all networks have in common."""

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Any, NamedTuple

from soak.traffic.people import Order
from soak.truth.store import Held, Store

MOST_SHOWN = 8


class Check(NamedTuple):
    """How many there should be and how many are as they should; `wrong` names what is not."""

    network: str
    what: str
    expected: int
    wrong: list[str]


def check(network: str, what: str, things: Collection[Any], fault: Callable[[Any], str | None]) -> Check:
    """Each thing is as it should be unless `fault` says what is wrong with it."""
    return Check(network, what, len(things), [said for thing in things if (said := fault(thing))])


def doubles(network: str, what: str, keys: Iterable[Any]) -> Check:
    """No key comes twice."""
    counted = Counter(keys)
    wrong = [f"{key} is there {count} times" for key, count in counted.items() if count > 1]
    return Check(network, what, len(counted), wrong)


def known(network: str, registered: Collection[str | None], there: Collection[str]) -> Check:
    """What is registered here is in the network."""
    wrong = [f"{number} is not there" for number in registered if number not in there]
    return Check(network, "... and the network knows them all", len(registered), wrong)


def dispatched(
    network: str, store: Store, orders: Mapping[str, Order], in_network: Callable[[Held], list[str]]
) -> Check:
    """Each order of ours whose task was completed is exactly one consignment of its network, or says why it is none.

    `in_network`: the numbers of what the network holds of an order and has not cancelled.
    """
    by_key = {one.key: one for one in store.of(network)}

    def fault(order: Order) -> str | None:
        one = by_key.get(order.key)
        if one is None:
            return f"{order.key} is not in the order store"
        numbers = in_network(one)
        if len(numbers) > 1:
            return f"{order.key} is in the network as {', '.join(numbers)}"
        if one.cancelled or not order.completed:
            is_coming = store.waits(network, "cancel", one.id)
            if numbers and one.cancelled and not is_coming and not store.is_listed(one.id):
                return f"{order.key} was cancelled, is in the network as {numbers[0]}, and nobody is told of it"
            return None
        if one.state == "completed":
            if not numbers and one.network_status == "CANCELLED" and store.is_listed(one.id, "review"):
                return None  # cancelled there by somebody
            if [one.number] != list(numbers):
                return f"{order.key} is completed as {one.number}, and the network has {list(numbers) or 'nothing'}"
            return None
        if store.is_listed(one.id, "dispatch", "parked"):
            return None
        return f"{order.key} is {one.state}, the network has {list(numbers) or 'nothing'}, and nobody is told of it"

    return check(network, "orders dispatched, each one consignment there", list(orders.values()), fault)


def labelled(network: str, store: Store, per_pallet: bool) -> Check:
    """Each consignment that we dispatched has its labels, or says why it has none."""

    def fault(one: Held) -> str | None:
        labels = [row for row in store.documents[one.id] if row[1] == "NETWORK_LABEL"]
        wanted = one.pallets if per_pallet else 1
        if len(labels) == wanted or store.is_listed(one.id, "parked", "barcodes"):
            return None
        if store.waits(network, "network_labels", one.id):
            return None
        return f"{one.key or one.number} has {len(labels)} labels of {wanted}"

    ours = [one for one in store.of(network) if one.state == "completed" and one.registered and not one.cancelled]
    return check(network, "labels of what was dispatched", ours, fault)


def no_violations(network: str, listed: Iterable[Mapping[str, Any]]) -> Check:
    """The network saw nothing that the client should have refused."""
    return Check(network, "rules of the network broken", 0, [f"{one['rule']}: {one['detail']}" for one in listed])
