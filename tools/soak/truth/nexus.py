"""Nexus's own view against the order store."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from soak.traffic.nexus import DEPOTS, NETWORK, Nexus
from soak.truth.checks import Check, check, dispatched, doubles, known, labelled, no_violations
from soak.truth.store import Held, Store

# What the search for documents ends with [NX-9-17], and our kinds for them.
CHASED = {"MPOD": "SIGNATURE", "POD": "POD"}
# Twice a second is what networks like; a night is in more of a hurry.
HURRIED = ("rate",)


def checks(seen: Any, now: Any, store: Store, night: Nexus, since: datetime) -> Iterator[Check]:
    """`seen`: what the network had when everything had settled; `now`: what it has after that was polled.

    `since`: the night's beginning; what was booked on earlier days the first poll need not see.
    """
    registered = {one.number: one for one in store.of(NETWORK) if one.registered}
    held = {str(one["consignmentID"]): one for one in seen["consignments"]}
    later = {str(one["consignmentID"]): one for one in now["consignments"]}
    yield doubles(NETWORK, "numbers here once", [one.number for one in store.of(NETWORK) if one.registered])
    yield _consignments(held, registered, store, since.date().isoformat())
    yield known(NETWORK, registered, later)

    def in_network(one: Held) -> list[str]:
        return [
            number
            for number, there in later.items()
            if there["customerReference"] == one.key and there["status"]["name"] != "Cancelled"
        ]

    yield dispatched(NETWORK, store, night.orders, in_network)
    yield labelled(NETWORK, store, per_pallet=False)
    yield _statuses_in(held, registered, store)
    yield _statuses_out(later, store)
    yield _reports(night, later, store)
    yield _documents_in(held, registered, store)
    yield _documents_out(night, later, store)
    yield no_violations(NETWORK, [one for one in now["violations"] if one["rule"] not in HURRIED])


def _depots(one: Any) -> set[str]:
    return {one["originatingDepotCode"], one["collectingDepotCode"], one["deliveryDepotCode"]} & set(DEPOTS)


def _consignments(held: dict[str, Any], registered: dict[str | None, Held], store: Store, since: str) -> Check:
    def fault(there: Any) -> str | None:
        number = str(there["consignmentID"])
        if number in registered or (NETWORK, number) in store.ignored:
            return None
        if store.is_quarantined(NETWORK, number, there["consignmentNumber"]):
            return None
        return f"{number} {there['consignmentNumber']}, {there['status']['name']}, created {there['createdDate']}"

    ours = [
        one
        for one in held.values()
        if _depots(one) and one["status"]["name"] != "Cancelled" and one["createdDate"] >= since
    ]
    return check(NETWORK, "consignments here, left out or in quarantine", ours, fault)


def _statuses_in(held: dict[str, Any], registered: dict[str | None, Held], store: Store) -> Check:
    here = {key: [row[1:4] for row in rows] for key, rows in store.imported.items()}
    wanted = [
        (registered[number].id, number, event)
        for number, there in held.items()
        if number in registered
        for event in there["statuses"]
    ]

    def fault(one: Any) -> str | None:
        consignment_id, number, event = one
        key = event["barcode"] or "", event["status"], _second(event["dateTime"])
        count = here.get(consignment_id, []).count(key)
        if not count and _is_repeated(event, held[number]["statuses"]):
            return None
        return None if count == 1 else f"{number}: {key[1]} {key[0]} of {key[2]:%d %H:%M:%S} is here {count} times"

    return check(NETWORK, "statuses of the network, each here once", wanted, fault)


def _is_repeated(event: Any, events: list[Any]) -> bool:
    """Whether it says again what the whole consignment is, and nothing else has been said since.

    The list shows no difference then, so it is read with the next one that makes one (ADR 0008).
    """
    before = [one for one in events if one["dateTime"] < event["dateTime"]]
    since = [one for one in events if one["dateTime"] >= event["dateTime"]]
    was_said = any(one["status"] == event["status"] and not one["barcode"] for one in before)
    return was_said and all(one["status"] == event["status"] for one in since)


def _second(text: str) -> datetime:
    """As the wire writes it."""
    return datetime.fromisoformat(text).replace(microsecond=0)


def _statuses_out(later: dict[str, Any], store: Store) -> Check:
    by_id = {one.id: one for one in store.of(NETWORK)}
    told = [(by_id[key], row) for key, rows in store.exported.items() if key in by_id for row in rows]

    def fault(one: tuple[Held, tuple[Any, ...]]) -> str | None:
        held, (_, _, code, at, _, _, is_sent) = one
        there = later.get(held.number or "", {"statuses": []})["statuses"]
        count = sum(event["status"] == code and _second(event["dateTime"]) == at for event in there)
        said = f"{held.number}: our {code} of {at:%d %H:%M:%S}"
        if is_sent or count:
            # A status that the network had already is not told again.
            found = count or any(event["status"] == code for event in there)
            return None if found and count < 2 else f"{said} is there {count} times"
        if store.is_listed(held.id, "parked", "statuses") or store.waits(NETWORK, "status_export", held.id):
            return None
        return f"{said} was never told, and nobody is told of it"

    return check(NETWORK, "statuses of ours, each there once", told, fault)


def _reports(night: Nexus, later: dict[str, Any], store: Store) -> Check:
    """Deliveries of ours are known to the network."""

    def fault(number: int) -> str | None:
        order = night.delivered[number]
        if not order.reports:
            return None
        there = later[str(number)]
        if any(event["status"] == "Delivered" for event in there["statuses"]) or there["status"]["name"] == "Cancelled":
            return None
        one = next(held for held in store.of(NETWORK) if held.number == str(number))
        if {"collecting", "delivery"} <= set(one.roles) or store.is_listed(one.id) or _waits(store, one):
            return None
        return f"{number} was delivered by our people at {order.reports[0][2]:%H:%M}, and the network does not know"

    return check(NETWORK, "deliveries of our people told", list(night.delivered), fault)


def _waits(store: Store, one: Held) -> bool:
    return store.waits(NETWORK, "status_export", one.id)


def _documents_in(held: dict[str, Any], registered: dict[str | None, Held], store: Store) -> Check:
    wanted = [
        (registered[number], there, file)
        for number, there in held.items()
        if number in registered
        for file in there["attachments"]
        if file["source"] == "network" and file["type"] in CHASED
    ]

    def fault(one: Any) -> str | None:
        here, there, file = one
        roles = set(here.roles)
        if "delivery" in roles or not roles & {"requesting", "collecting"} or here.status != "DELIVERED":
            return None
        count = sum(row[2] == file["sha256"] for row in store.documents[here.id])
        if count == 1:
            return None
        kinds = {row[1] for row in store.documents[here.id]}
        if not count and (set(CHASED.values()) <= kinds or store.waits(NETWORK, "document_fetch", here.id)):
            return None  # both are here already, or it is still looked for
        if not count and store.is_listed(here.id, "documents", "parked", "pods"):
            return None
        return f"{there['consignmentID']}: {file['fileName']} is here {count} times"

    return check(NETWORK, "signatures and PODs of others, each here once", wanted, fault)


def _documents_out(night: Nexus, later: dict[str, Any], store: Store) -> Check:
    wanted = [(number, order, sha256) for number, order in night.delivered.items() for sha256 in order.photos]

    def fault(one: Any) -> str | None:
        number, _, sha256 = one
        there = [file for file in later[str(number)]["attachments"] if file["sha256"] == sha256]
        if len(there) == 1:
            return None
        held = next(held for held in store.of(NETWORK) if held.number == str(number))
        if "delivery" not in held.roles or {"collecting", "delivery"} <= set(held.roles):
            return None if not there else f"{number}: {sha256[:8]} went out, and we do not deliver it"
        if not there and (
            store.is_listed(held.id, "documents", "parked") or store.waits(NETWORK, "document_upload", held.id)
        ):
            return None
        return f"{number}: document {sha256[:8]} is there {len(there)} times"

    return check(NETWORK, "documents of ours, each there once", wanted, fault)
