"""Palletforce's own view against the order store."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

from soak.traffic.palletforce import NETWORK, Palletforce
from soak.truth.checks import Check, check, dispatched, doubles, known, labelled
from soak.truth.store import Held, Store

LONDON = ZoneInfo("Europe/London")
Key = tuple[str, str, datetime]
# Code that a report of our people becomes, by stop.
TOLD = {"pickup": ("POC",), "delivery": ("POD", "PODD", "PODE", "DMGD", "ABRT")}
ROLE = {"pickup": "collecting", "delivery": "delivery"}


def checks(seen: Any, now: Any, store: Store, night: Palletforce) -> Iterator[Check]:
    """`seen`: what the network had when everything had settled; `now`: what it has after that was polled."""
    ours = store.of(NETWORK)
    registered = {one.number: one for one in ours if one.registered}
    held = {one["trackingNumber"]: one for one in seen["consignments"]}
    later = {one["trackingNumber"]: one for one in now["consignments"]}
    yield doubles(NETWORK, "numbers here once", [one.number for one in ours if one.registered])
    yield _consignments(held, registered, store)
    yield _routing(held, later, registered, store)
    yield known(NETWORK, registered, later)

    def in_network(one: Held) -> list[str]:
        return [
            number
            for number, there in later.items()
            if there["customersUniqueReference"] == one.key and there["consignmentStatus"] != "CANCELLED"
        ]

    yield dispatched(NETWORK, store, night.orders, in_network)
    yield labelled(NETWORK, store, per_pallet=True)
    yield _statuses_in(seen["statuses"], registered, store)
    yield _statuses_out(now["statuses"], ours, store)
    yield _reports(night, ours, store)
    yield check(
        NETWORK,
        "orders of files, each once",
        night.filed,
        lambda key: None if sum(one.reference == key for one in ours) == 1 else f"{key}: not once",
    )


def _consignments(held: dict[str, Any], registered: dict[str | None, Held], store: Store) -> Check:
    def fault(one: Any) -> str | None:
        number = one["trackingNumber"]
        if number in registered or store.is_quarantined(NETWORK, number, one["customersUniqueReference"]):
            return None
        return f"{number} of depots {one['requestingDepot']}, {one['collectingDepot']}, {one['deliveryDepot']}"

    accepted = [one for one in held.values() if one["consignmentStatus"] == "ACCEPTED"]
    return check(NETWORK, "consignments here, or in quarantine", accepted, fault)


def _routing(held: dict[str, Any], later: dict[str, Any], registered: dict[str | None, Held], store: Store) -> Check:
    """What has not changed since it was seen is here as it is there."""

    def fault(there: Any) -> str | None:
        number = there["trackingNumber"]
        one = registered.get(number)
        if one is None or later.get(number) != there or store.is_quarantined(NETWORK, number):
            return None
        if (one.service, one.delivery) != (there["serviceName"], there["deliveryDepot"]):
            return f"{number}: {one.service} to {one.delivery}, not {there['serviceName']} to {there['deliveryDepot']}"
        if store.barcodes[one.id] != set(there["barcodes"]):
            return f"{number}: barcodes {sorted(store.barcodes[one.id])}, not {sorted(there['barcodes'])}"
        return None

    accepted = [one for one in held.values() if one["consignmentStatus"] == "ACCEPTED"]
    return check(NETWORK, "... with the routing and barcodes they have there", accepted, fault)


def _key(element: Any) -> Key:
    at = datetime.fromisoformat(element["eventDateTime"]).replace(tzinfo=LONDON).astimezone(UTC)
    return element.get("barcode", ""), element["eventCode"], at


def _statuses_in(statuses: dict[str, list[Any]], registered: dict[str | None, Held], store: Store) -> Check:
    wanted = [
        (registered[number].id, number, _key(element))
        for number, elements in statuses.items()
        if number in registered
        for element in elements
    ]
    here = {key: [row[1:4] for row in rows] for key, rows in store.imported.items()}

    def fault(one: tuple[int, str, Key]) -> str | None:
        consignment_id, number, key = one
        count = here.get(consignment_id, []).count(key)
        return None if count == 1 else f"{number}: {key[1]} {key[0]} of {key[2]:%H:%M:%S} is here {count} times"

    return check(NETWORK, "statuses of the network, each here once", wanted, fault)


def _statuses_out(statuses: dict[str, list[Any]], ours: list[Held], store: Store) -> Check:
    by_id = {one.id: one for one in ours}
    told = [(by_id[key], row) for key, rows in store.exported.items() if key in by_id for row in rows]

    def fault(one: tuple[Held, tuple[Any, ...]]) -> str | None:
        held, (_, barcode, code, at, _, _, is_sent) = one
        there = [_key(element) for element in statuses.get(held.number or "", [])]
        count = there.count((barcode, code, at))
        said = f"{held.number}: our {code} {barcode} of {at:%H:%M:%S}"
        if is_sent or count:
            return None if count == 1 else f"{said} is there {count} times"
        if store.is_listed(held.id, "parked", "statuses") or store.waits(NETWORK, "status_export", held.id):
            return None
        return f"{said} was never told, and nobody is told of it"

    return check(NETWORK, "statuses of ours, each there once", told, fault)


def _reports(night: Palletforce, ours: list[Held], store: Store) -> Check:
    """What our people said has become statuses for every pallet, where our part obliges us."""
    by_key = {one.key: one for one in ours}
    reports = [
        (order, stop, at)
        for order in night.orders.values()
        for stop, event, at, _ in order.reports
        if event == "completed"
    ]

    def fault(report: Any) -> str | None:
        order, stop, at = report
        one = by_key[order.key]
        if ROLE[stop] not in one.roles or not one.registered or one.cancelled:
            return None
        pallets = {row[5] for row in store.exported[one.id] if row[2] in TOLD[stop] and row[3] == at}
        if pallets == {None} or len(pallets) == one.pallets:
            return None
        if store.is_listed(one.id, "parked", "statuses") or store.waits(NETWORK, "status_export", one.id):
            return None
        return f"{order.key}: {stop} at {at:%H:%M:%S} was told for {len(pallets)} of {one.pallets} pallets"

    return check(NETWORK, "reports of our people told", reports, fault)
