"""Palletways's own view against the order store."""

from collections import Counter
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

from palletflow.store.connection import Connection
from soak.house import NOTES
from soak.traffic.palletways import COMPLETE, DEPOTS, NETWORK, Palletways
from soak.truth.checks import Check, check, dispatched, doubles, labelled, no_violations
from soak.truth.store import Held, Store

NOTES_HERE = "SELECT tracking_number, note_number, count(*) FROM network_notes GROUP BY 1, 2"
WINDOWS = "SELECT consignment_id, begun_at, attempted_at, state FROM photo_windows"
UPLOADS = """
SELECT encode(d.sha256, 'hex'), u.state, u.name FROM photo_uploads u JOIN documents d ON d.id = u.document_id
"""
# So long after the delivery was seen a photo is looked for.
LONGEST_WINDOW = timedelta(minutes=15)


def checks(conn: Connection, seen: Any, now: Any, store: Store, night: Palletways) -> Iterator[Check]:
    """`seen`: what the network had when everything had settled; `now`: what it has after that was polled."""
    registered: dict[str | None, Held] = {one.number: one for one in store.of(NETWORK) if one.number}
    held = {one["tracking_id"]: one for one in seen["consignments"] if one["tracking_id"]}
    later = {one["tracking_id"]: one for one in now["consignments"] if one["tracking_id"]}
    yield doubles(NETWORK, "numbers here once", [one.number for one in store.of(NETWORK) if one.registered])
    yield check(
        NETWORK,
        "consignments we were told of here",
        list(night.learnt),
        lambda number: None if number in registered or store.is_quarantined(NETWORK, number) else number,
    )

    def in_network(one: Held) -> list[str]:
        return [
            there["tracking_id"] or f"response {there['response_id']}"
            for there in now["consignments"]
            if there["reference"].startswith(f"PLF{one.id}-")
        ]

    yield dispatched(NETWORK, store, night.orders, in_network)
    yield labelled(NETWORK, store, per_pallet=False)
    yield _facts(held, registered, store)
    yield _statuses(held, later, registered, store)
    yield _notes_in(conn, held, registered)
    yield _notes_out(later, store)
    yield _photos_in(conn, held, registered, store)
    yield from _photos_out(conn, now["files"], night, registered, store)
    yield no_violations(NETWORK, now["violations"])


def _facts(held: dict[str, Any], registered: dict[str | None, Held], store: Store) -> Check:
    """Depots and barcodes of what is here."""

    def fault(there: Any) -> str | None:
        one = registered[there["tracking_id"]]
        depots = there["collection_depot"], there["delivery_depot"]
        if (
            (one.collecting, one.delivery) == depots
            or store.is_listed(one.id)
            or store.waits(NETWORK, "look_up", one.id)
        ):
            return None
        return f"{one.number}: depots {one.collecting}, {one.delivery}, not {', '.join(depots)}"

    there = [one for number, one in held.items() if number in registered]
    return check(NETWORK, "... looked up, with the depots they have there", there, fault)


def _statuses(held: dict[str, Any], later: dict[str, Any], registered: dict[str | None, Held], store: Store) -> Check:
    """What has not moved since it was seen stands here where it stands there."""

    def fault(there: Any) -> str | None:
        one = registered[there["tracking_id"]]
        codes = [entry["code"] for entry in there["statuses"]]
        if later[there["tracking_id"]]["statuses"] != there["statuses"] or not codes:
            return None
        # Nothing counts after the delivery.
        last = str(COMPLETE if COMPLETE in codes else codes[-1])
        known = [row[2] for row in store.imported[one.id]]
        return None if last in known else f"{one.number} is {one.status} by {known} here, {last} there"

    there = [one for number, one in held.items() if number in registered and registered[number].registered]
    return check(NETWORK, "statuses as they stand there", there, fault)


def _notes_in(conn: Connection, held: dict[str, Any], registered: dict[str | None, Held]) -> Check:
    """Notes that came after we knew of the consignment, each once."""
    here = {(number, note): count for number, note, count in conn.execute(NOTES_HERE)}
    wanted = [
        (number, note)
        for number, there in held.items()
        if number in registered and registered[number].registered
        for note in there["notes"]
        if note["delta"] > registered[number].created_at.timestamp()
    ]

    def fault(one: Any) -> str | None:
        number, note = one
        count = here.get((number, note["sys_note"]), 0)
        return (
            None if count == 1 else f"{number}: note {note['sys_note']} of {_at(note['delta'])} is here {count} times"
        )

    return check(NETWORK, "notes of the network, each here once", wanted, fault)


def _at(delta: int) -> str:
    return f"{datetime.fromtimestamp(delta):%H:%M:%S}"  # noqa: DTZ006 - for a person


def _notes_out(later: dict[str, Any], store: Store) -> Check:
    groups = {(one["group"], one["type"]) for one in NOTES.values()}
    by_id = {one.id: one for one in store.of(NETWORK)}
    told = [(by_id[key], rows) for key, rows in store.exported.items() if key in by_id]

    def fault(one: tuple[Held, list[tuple[Any, ...]]]) -> str | None:
        held, rows = one
        there = later.get(held.number or "", {"notes": []})["notes"]
        count = sum((note.get("NoteGroup"), note.get("NoteType")) in groups for note in there)
        sent = sum(row[6] for row in rows)
        if not sent <= count <= len(rows):
            return f"{held.number}: {sent} of {len(rows)} notes were told, {count} are there"
        # What may have arrived and is not known to have is asked for again.
        if sent == len(rows) or store.is_listed(held.id) or store.waits(NETWORK, "status_export", held.id):
            return None
        return f"{held.number}: {len(rows) - sent} notes were never told, and nobody is told of it"

    return check(NETWORK, "notes of ours, each there once", told, fault)


def _photos_in(conn: Connection, held: dict[str, Any], registered: dict[str | None, Held], store: Store) -> Check:
    windows = {key: facts for key, *facts in conn.execute(WINDOWS)}
    wanted = [
        (registered[number], photo)
        for number, there in held.items()
        if number in registered and registered[number].id in windows
        for photo in there["photos"]
        if photo["source"] == "network"
    ]

    def fault(one: Any) -> str | None:
        here, photo = one
        begun_at, attempted_at, state = windows[here.id]
        count = sum(row[2] == photo["sha256"] for row in store.documents[here.id])
        if count == 1:
            return None
        at = datetime.fromisoformat(photo["at"])
        looked_for = at <= begun_at + LONGEST_WINDOW and attempted_at is not None and at <= attempted_at
        if not count and (state == "skipped" or not looked_for or store.waits(NETWORK, "photo_download", here.id)):
            return None
        if not count and store.is_listed(here.id, "photos", "files", "parked"):
            return None
        return f"{here.number}: photo of {at:%H:%M:%S} is here {count} times"

    return check(NETWORK, "photos of others' deliveries, each here once", wanted, fault)


def _photos_out(
    conn: Connection, files: Any, night: Palletways, registered: dict[str | None, Held], store: Store
) -> Iterator[Check]:
    uploads = {sha256: (state, name) for sha256, state, name in conn.execute(UPLOADS)}
    finished = [file for file in files["finished"] if not file["set_aside"]]
    there = Counter(file["sha256"] for file in finished)
    wanted = [(number, sha256) for number, order in night.delivered.items() for sha256 in order.photos]

    def fault(one: tuple[str, str]) -> str | None:
        number, sha256 = one
        state, name = uploads.get(sha256, ("nowhere", ""))
        held = registered[number]
        if there[sha256] == 1 and state == "uploaded":
            [file] = [file for file in finished if file["sha256"] == sha256]
            return (
                None
                if (file["name"], file["tracking_id"]) == (name, number)
                else f"{number}: {file['name']}, not {name}"
            )
        if there[sha256] > 1 or state == "uploaded":
            return f"{number}: photo {sha256[:8]} is {state}, and there {there[sha256]} times"
        if held.delivery not in DEPOTS:
            return None
        if store.is_listed(held.id) or store.waits(NETWORK, "photo_upload", held.id):
            return None
        return f"{number}: photo {sha256[:8]} is {state}, and nobody is told of it"

    yield check(NETWORK, "photos of our deliveries, each there once", wanted, fault)
    yield doubles(
        NETWORK, "names on the file server, each used once", [(file["user"], file["name"]) for file in finished]
    )
    left = [f"{file['user']}: {file['name']}" for file in files["files"] if file["name"].endswith(".part")]
    yield Check(NETWORK, "unfinished files left there", 0, left)
