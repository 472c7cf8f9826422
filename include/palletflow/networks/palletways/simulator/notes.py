"""getNotes (section 2.6)."""

from datetime import datetime

from .consignment import Consignment, Note
from .envelopes import found
from .network import sees
from .replies import Problem, Tree
from .times import from_epoch, from_local
from .wire import Request

FIELDS = (
    "Barcode", "NoteDate", "NoteTime", "PodDate", "PodTime", "PodSignature", "BookInDate", "BookInTime",
    "BookInContact", "BookInReference", "NoteText", "StatusCode", "NoteGroup", "NoteType", "NoteCodeID",
)  # fmt: skip


def get_notes(request: Request) -> Tree:
    """By tracking ID, consignment number, range of time, or changes since an instant; oldest change first."""
    network = request.simulation.network
    match request.argument(0).lower():
        case "trackingid":
            one = network.of_tracking_id(request.key, request.argument(1))
            listed = [(note, one) for note in one.notes] if one else []
        case "conno":
            owners = network.of_number(request.key, request.argument(1))
            listed = [(note, one) for one in owners for note in one.notes]
        case "daterange":
            first, last = _instants(request)
            listed = [(note, one) for note, one in _seen(request) if first <= note.delta <= last]
        case "delta":
            listed = _changes(request)
        case mode:
            raise Problem("ERROR_FORMAT_INVALID", f"There is no mode {mode}")
    listed.sort(key=lambda entry: (entry[0].delta, entry[0].sys_note))
    return found([_shown(note, one) for note, one in listed])


def _changes(request: Request) -> list[tuple[Note, Consignment]]:
    switches = request.simulation.switches
    try:
        since = from_epoch(request.argument(1))
    except (ValueError, OverflowError, OSError):
        raise Problem("ERROR_FORMAT_INVALID", "The time is not in epoch seconds") from None
    if switches.is_on("note_replay"):
        return _seen(request)
    exclusive = switches["delta_boundary"] == "exclusive"
    return [
        (note, one)
        for note, one in _seen(request)
        if (second := note.delta.replace(microsecond=0)) > since or (second == since and not exclusive)
    ]


def _seen(request: Request) -> list[tuple[Note, Consignment]]:
    return [(note, one) for note, one in request.simulation.network.notes if sees(request.key, one)]


def _instants(request: Request) -> tuple[datetime, datetime]:
    try:
        return (
            from_local(request.argument(1), request.argument(2)),
            from_local(request.argument(3), request.argument(4)),
        )
    except ValueError:
        raise Problem("ERROR_FORMAT_INVALID", "The range is not date/time/date/time") from None


def _shown(note: Note, one: Consignment) -> Tree:
    return {
        "Delta": str(int(note.delta.timestamp())),
        "TrackingID": one.tracking_id,
        "ConNo": one.decorated,
        "SysNote": str(note.sys_note),
        **{name: note.fields.get(name, "") for name in FIELDS},
    }
