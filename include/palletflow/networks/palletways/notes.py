"""Palletways's notes, as they are read and as we write them (contract 2.6, 2.7 and 4.2). Pure."""

from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, NamedTuple
from xml.etree.ElementTree import Element, SubElement, tostring
from zoneinfo import ZoneInfo

from palletflow.intake.template import Fault
from palletflow.networks.palletways import times
from palletflow.networks.palletways.record import is_tracking_id
from palletflow.store.network_notes import Note
from palletflow.store.status_exports import Movement

# A mark moved by a note from the future would hide all that come before.
MOST_AHEAD = timedelta(hours=1)
MOST_NUMBER = 10**18
LONGEST = {"signatory": 100, "text": 1000, "code": 20, "barcode": 60, "label": 20}
# The events that may be told: what our people report, by event and stop or scan; how a delivery ended by its outcome.
REPORTED: Mapping[tuple[str, str], str] = {
    ("arrived", "pickup"): "pickup_arrived",
    ("completed", "pickup"): "collected",
    ("arrived", "collection_depot"): "collection_depot_arrived",
    ("completed", "collection_depot"): "collection_depot_left",
    ("arrived", "delivery_depot"): "delivery_depot_arrived",
    ("completed", "delivery_depot"): "delivery_depot_left",
    ("arrived", "delivery"): "delivery_arrived",
    ("scanned", "onto_trunk"): "scanned_onto_trunk",
    ("scanned", "receipt"): "scanned_receipt",
    ("scanned", "trunk_arrival"): "scanned_trunk_arrival",
    ("scanned", "onto_delivery_vehicle"): "scanned_onto_delivery_vehicle",
}
ENDINGS: Mapping[str, str] = {
    "CLEAN": "delivered",
    "DAMAGED": "delivered_damaged",
    "EXCEPTION": "delivered_exception",
    "NOT_DELIVERED": "not_delivered",
}


class Pod(NamedTuple):
    """What a note says of a delivery. `time` None: only the day is known [PW-4.2-2]."""

    day: date
    time: time | None
    signatory: str


def read(record: Any, *, zone: ZoneInfo, pattern: str, now: datetime) -> Note | Fault:
    """One record of getNotes [PW-2.6-1]; a fault for one that cannot be told apart from others or placed in time.

    `pattern`: of tracking IDs. A date that is none is left out; the raw form keeps it.
    """
    texts = _texts(record)
    tracking_id, number, delta = (texts.get(name, "") for name in ("trackingid", "sysnote", "delta"))
    if not is_tracking_id(tracking_id, pattern):
        return Fault("BAD_TRACKING_ID", "TrackingID", f"TrackingID '{tracking_id[:50]}' is none")
    if not _is_number(number):
        return Fault("BAD_NOTE_NUMBER", "SysNote", f"SysNote '{number[:50]}' is no whole number")
    if not _is_number(delta) or int(delta) > (now + MOST_AHEAD).timestamp():
        return Fault("BAD_DELTA", "Delta", f"Delta '{delta[:50]}' is no moment that has been")
    changed_at = datetime.fromtimestamp(int(delta), UTC)
    noted, clock = times.read_day(texts.get("notedate", "")), times.read_time(texts.get("notetime", ""))
    pod_day = times.read_day(texts.get("poddate", ""))
    code = times.clean(texts.get("statuscode", ""), LONGEST["code"])
    return Note(
        tracking_number=tracking_id,
        number=int(number),
        delta=int(delta),
        status_code=code.lstrip("0"),  # 0: no change of status [PW-2.6-2]
        noted_at=times.moment(noted, clock, zone) if noted and clock else changed_at,
        pod_date=pod_day,
        pod_time=times.read_time(texts.get("podtime", "")) if pod_day else None,
        signatory=times.clean(texts.get("podsignature", ""), LONGEST["signatory"]),
        group=times.clean(texts.get("notegroup", ""), LONGEST["label"]),
        type=times.clean(texts.get("notetype", ""), LONGEST["label"]),
        barcode=times.clean(texts.get("barcode", ""), LONGEST["barcode"]),
        text=times.clean(texts.get("notetext", ""), LONGEST["text"]),
        raw={name: times.clean(text, LONGEST["text"]) for name, text in _named(record)},
    )


def key_of(record: Any) -> str:
    """What names a record in the quarantine, as far as it says."""
    texts = _texts(record)
    return times.clean(f"{texts.get('trackingid', '')}/{texts.get('sysnote', '')}", 100)


def _named(record: Any) -> Iterable[tuple[str, str]]:
    """The texts of a record by their own names; of a list the first."""
    for name, value in record.items() if isinstance(record, Mapping) else ():
        one = value[0] if isinstance(value, list) and value else value
        if isinstance(one, str) and one:
            yield times.clean(str(name), 50), one


def _texts(record: Any) -> dict[str, str]:
    return {name.casefold(): text.strip() for name, text in _named(record)}


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= len(str(MOST_NUMBER)) - 1


def pod(notes: Iterable[Note]) -> Pod | None:
    """Of the notes with a day of delivery the one that changed last, then the latest one [PW-4.2-1]."""
    found = max((note for note in notes if note.pod_date), key=lambda note: (note.delta, note.number), default=None)
    return Pod(found.pod_date, found.pod_time, found.signatory) if found and found.pod_date else None


# What we write


class OurNote(NamedTuple):
    """What tells one report of our people. `event` is the template's name for it; `barcode` "": of all pallets."""

    event: str
    movement: Movement
    tracking_id: str
    barcode: str
    group: str
    type: str
    description: str
    text: str


def event_of(movement: Movement) -> str:
    """The template's name for what our people reported."""
    if movement.outcome:
        return ENDINGS[movement.outcome]
    return REPORTED[movement.event, movement.place]


def wanted(
    movements: Iterable[Movement],
    barcodes: Mapping[int, str],
    tracking_id: str,
    events: Mapping[str, Mapping[str, str]],
) -> list[OurNote]:
    """What our people reported and the template's `notes` (`events`) names, in the order it happened [PW-7.3-1].

    `barcodes`: by pallet. Without a group and a type an event is not told [PW-2.7-3].
    """
    found = []
    for movement in movements:
        row = events.get(event_of(movement), {})
        if not (row.get("group") and row.get("type")):
            continue
        said = (row.get("text", ""), movement.reason, movement.signatory and f"Signed by {movement.signatory}")
        found.append(
            OurNote(
                event=event_of(movement),
                movement=movement,
                tracking_id=tracking_id,
                barcode=barcodes.get(movement.pallet, "") if movement.pallet else "",
                group=row["group"],
                type=row["type"],
                description=row.get("description", ""),
                text=times.clean("; ".join(filter(None, said)), LONGEST["text"]),
            )
        )
    return found


def fields(note: OurNote, zone: ZoneInfo) -> dict[str, str]:
    """A note's nodes by name, in the order they go out; empty ones are left out [PW-2.7-1]."""
    nodes = {
        "pw_id": note.tracking_id,
        "barcode": note.barcode,
        "note_create_date": times.note_day(note.movement.at, zone),
        "note_create_time": times.note_time(note.movement.at, zone),
        "free_text": note.text,
        "note_group": note.group,
        "note_type": note.type,
        "note_description": note.description,
    }
    return {name: text for name, text in nodes.items() if text}


def document(nodes: Mapping[str, str], file_name: str, now: datetime, zone: ZoneInfo) -> str:
    """What createSystemNote takes, with one note (`nodes`, see fields())."""
    root = Element("notes")
    header = SubElement(root, "header")
    head = {
        "create_date": times.note_day(now, zone),
        "create_time": times.note_time(now, zone),
        "orig_filename": file_name,
        "notes_qty": "1",
    }
    for parent, texts in ((header, head), (SubElement(root, "note"), nodes)):
        for name, text in texts.items():
            SubElement(parent, name).text = text
    return '<?xml version="1.0" encoding="UTF-8"?>' + tostring(root, encoding="unicode")


def signature(nodes: Mapping[str, str]) -> tuple[str | None, ...]:
    """What a note of ours is known by once Palletways shows it, as far as its answers tell."""
    day, clock = times.read_day(nodes["note_create_date"]), times.read_time(nodes["note_create_time"])
    return (
        nodes["note_group"],
        nodes["note_type"],
        " ".join(nodes.get("free_text", "").split()),
        nodes.get("barcode", ""),
        f"{day} {clock:%H:%M}" if day and clock else None,
    )


def signature_of(note: Note) -> tuple[str | None, ...]:
    """The same of a note that was read."""
    texts = {name.casefold(): text for name, text in note.raw.items()}
    day, clock = times.read_day(texts.get("notedate", "")), times.read_time(texts.get("notetime", ""))
    at = f"{day} {clock:%H:%M}" if day and clock else None
    return note.group, note.type, " ".join(note.text.split()), note.barcode, at
