"""Entries of a consignment's story in plain words. Pure: from what the order store remembers to what a page shows."""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from palletflow.desk.pages.render import LONDON, NEVER, day, size, words
from palletflow.store.timeline import Happening

MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:?\d\d)")
# What the history calls it: how the page says it. Anything else is said as it stands.
SAID_AS = {
    "created": "Made",
    "updated": "Changed",
    "dispatched": "{network} has accepted it",
    "sending begun": "Sending it to {network} was begun",
    "sending again begun": "Sending it to {network} once more was begun",
    "look-up asked for": "Looking it up at {network} was asked for",
    "sending again asked for": "Sending it again was asked for",
    "dispatch refused by the network": "{network} refused it",
    "statuses read": "Statuses of {network} were read",
    "statuses dropped": "Statuses were dropped, as they were too old to be told",
    "labels became stale": "Labels printed so far are no longer good",
    "number shared": "Its tracking number is on another order too",
    "fetch asked for": "Fetching it now was asked for",
    "retry asked for": "Trying again at once was asked for",
}
BAD = ("refused", "failed", "stopped", "parked", "given up", "lost")
GOOD = ("dispatched", "photos fetched", "photo uploaded")
# How a dispatch state is said, and its tone.
DISPATCHED = {
    "not_needed": ("no dispatch task", ""),
    "todo": ("dispatch task open", "warn"),
    "waiting": ("being sent", "warn"),
    "completed": ("dispatched", "good"),
    "failed": ("dispatch failed", "bad"),
    "unknown": ("outcome unknown", "bad"),
}
STOPS = {
    "pickup": "collection",
    "collection_depot": "collection depot",
    "delivery_depot": "delivery depot",
    "delivery": "delivery",
}
OUTCOMES = {
    "CLEAN": "clean",
    "DAMAGED": "with damage",
    "EXCEPTION": "with an exception",
    "NOT_DELIVERED": "not delivered",
}
RECORDS = {
    "created": "An import made it",
    "updated": "An import changed it",
    "unchanged": "An import read it again; nothing had changed",
    "ignored": "A record of it was left aside",
    "rejected": "A record of it was rejected",
}
BARCODES = {
    "expected": "Expected barcode of",
    "confirmed": "{network} uses the barcode of",
    "superseded": "Barcode replaced of",
    "foreign": "A barcode that belongs to no pallet of ours was seen",
}
UPLOADS = {
    "waiting": ("waits to be uploaded", "warn"),
    "numbered": ("has its name and is about to be uploaded", ""),
    "transferring": ("is being transferred", ""),
    "renaming": ("is being given its final name", ""),
    "uploaded": ("is on the network's file server", "good"),
    "refused": ("cannot be uploaded", "bad"),
    "failed": ("could not be uploaded", "bad"),
    "config_error": ("waits for its connection to be mended", "bad"),
}
WINDOWS = {
    "open": "Photos of the delivery are being looked for",
    "found": "Photos of the delivery were looked for and found",
    "none": "Photos of the delivery were looked for in vain",
    "skipped": "Photos of the delivery were not looked for",
}
WORK = {
    "dispatch": "handing it to {network}",
    "routing": "fetching its routing",
    "network_labels": "fetching its label",
    "own_labels": "drawing its labels",
    "status_export": "telling {network} what our people reported",
    "cancel": "cancelling it at {network}",
    "document_upload": "sending documents to {network}",
    "document_fetch": "looking for documents at {network}",
    "eta_export": "telling its ETA",
    "tracking_id": "finding out its tracking ID",
    "look_up": "looking it up at {network}",
    "photo_download": "looking for photos of its delivery",
    "photo_upload": "uploading photos of its delivery",
}


class Entry(NamedTuple):
    """One line of the story. `badge`: what kind it is; `tone`: "", "good", "warn" or "bad".

    `quotes`: a network's own words; `notes`: what a person should know. On demand: `changes` as (field, before, after),
    `facts` as (name, value), `raw` as it came, and `record`: the raw record to look at.
    """

    at: datetime
    badge: str
    tone: str
    sentence: str
    who: str
    quotes: Sequence[str] = ()
    notes: Sequence[str] = ()
    changes: Sequence[tuple[str, str, str]] = ()
    facts: Sequence[tuple[str, str]] = ()
    raw: str = ""
    record: int | None = None
    document: int | None = None


def network_name(network: str) -> str:
    """As people write it."""
    return network.capitalize()


def work_words(kind: str, key: str, network: str) -> str:
    """What a piece of work does, e.g. "fetching its label (pallet 2)"."""
    _, _, pallet = key.partition(":")
    done = WORK.get(kind, words(kind)).replace("{network}", network_name(network))
    return f"{done} (pallet {pallet})" if pallet else done


def told(happenings: Iterable[Happening], network: str, task: Mapping[str, Any] | None) -> list[Entry]:
    """The story in words, in the order given. The same status of several pallets at one moment is one entry.

    `task`: the dispatch task; what it knows of its faults stands at the entry of the history that tells of them.
    """
    entries: list[Entry] = []
    merged = _merged(list(happenings))
    faults = list(task["faults"]) if task else []
    for one, pallets in merged:
        entry = TELLERS[one.source](one, network_name(network), pallets)
        if one.source == "activity" and faults and one.kind in FAILED:
            entry = entry._replace(
                notes=[f"{fault.get('reason', '')}. {fault.get('remedy', '')}".strip(". ") + "." for fault in faults],
                facts=[*((fault.get("code", ""), fault.get("field", "")) for fault in faults), *entry.facts],
            )
            faults = []  # of the last attempt alone
        entries.append(entry)
    return entries


FAILED = ("dispatch stopped before sending", "dispatch refused by the network")
# In these two statuses are the same.
ALIKE = ("code", "status", "reason", "depot", "signatory", "note", "echo", "refusal", "sent_at", "refused_at")


def _merged(happenings: Sequence[Happening]) -> list[tuple[Happening, list[int]]]:
    found: list[tuple[Happening, list[int]]] = []
    known: dict[tuple[Any, ...], list[int]] = {}
    for one in happenings:
        pallet = one.data.get("pallet_number")
        pallets = [pallet] if pallet else []
        if one.source == "event" and pallet:
            key = (one.kind, one.at, *(one.data[name] for name in ALIKE))
            if key in known:
                known[key].append(pallet)
                continue
            known[key] = pallets
        found.append((one, pallets))
    return found


def shown(value: Any) -> str:
    """A value of the history as text."""
    if value is None or value in ("", [], {}):
        return NEVER
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return ", ".join(shown(part) for part in value)
    if isinstance(value, dict):
        return ", ".join(f"{words(name)}: {shown(part)}" for name, part in value.items())
    text = str(value)
    if MOMENT.fullmatch(text):
        return clock(text)
    return text


def clock(moment: str) -> str:
    """A moment within a sentence."""
    return f"{datetime.fromisoformat(moment).astimezone(LONDON):%a %-d %b %H:%M}"


def pallets_of(numbers: Sequence[int]) -> str:
    """ "pallet 1", "pallets 1, 2 and 4"."""
    listed = [str(number) for number in sorted(set(numbers))]
    if len(listed) < 2:
        return f"pallet {listed[0]}" if listed else ""
    return f"pallets {', '.join(listed[:-1])} and {listed[-1]}"


def _changes(changes: Mapping[str, Any] | None) -> list[tuple[str, str, str]]:
    """Fields of [before, after]; what has another shape is told as it is."""
    found = []
    for name, pair in (changes or {}).items():
        before, after = pair if isinstance(pair, list) and len(pair) == 2 else (None, pair)
        found.append((words(name.replace(".", " ")), shown(before), shown(after)))
    return found


def _present(**facts: Any) -> list[tuple[str, str]]:
    return [(words(name), shown(value)) for name, value in facts.items() if value not in (None, "", [], {})]


def _joined(*parts: str) -> str:
    return ", ".join(part for part in parts if part)


def _activity(one: Happening, network: str, _: list[int]) -> Entry:
    data, brought = one.data, one.data["import"]
    sentence = SAID_AS.get(one.kind, one.kind[:1].upper() + one.kind[1:]).replace("{network}", network)
    if brought:
        sentence = RECORDS.get(one.kind, sentence)
    changes = _changes(data["changes"])
    lifecycle = next((after for field, _, after in changes if field == "lifecycle status"), "")
    if lifecycle:
        sentence += f": now {words(lifecycle)}"
    elif changes and one.kind == "updated":
        sentence += f": {', '.join(field for field, _, _ in changes[:4])}"
        sentence += f" and {len(changes) - 4} more" if len(changes) > 4 else ""
    tone = "bad" if any(word in one.kind for word in BAD) else "warn" if data["warnings"] else ""
    tone = tone or ("good" if one.kind in GOOD else "")
    is_dispatch = data["source"] == "dispatch"
    return Entry(
        one.at,
        "import" if brought else "dispatch" if is_dispatch else "history",
        tone,
        sentence,
        _joined(one.who, data["source"]),
        notes=list(data["warnings"]),
        changes=changes,
        facts=_present(**_window(brought)) if brought else [],
        record=brought["record"] if brought else None,
    )


def _window(of: Mapping[str, Any]) -> dict[str, Any]:
    return {"stream": of["stream"], "of": of["party"], "run": of["run"], "window from": of["from"], "to": of["to"]}


def _record(one: Happening, _: str, __: list[int]) -> Entry:
    data = one.data
    settled = f"Settled {clock(data['settled_at'])}: {data['settled_by']}" if data["settled_at"] else ""
    is_open = one.kind == "rejected" and not settled
    where = f" (row {data['row']})" if data["row"] else ""
    return Entry(
        one.at,
        "quarantine" if one.kind == "rejected" else "import",
        "bad" if is_open else "",
        RECORDS[one.kind] + where + (" and waits in quarantine" if is_open else ""),
        f"{data['stream']} {data['party']}",
        notes=[note for note in (data["reason"], settled, *data["warnings"]) if note],
        facts=_present(**_window(data), reason=data["reason_code"], field=data["field"]),
        record=one.id,
    )


def _event(one: Happening, network: str, pallets: list[int]) -> Entry:
    data = one.data
    meaning = words(data["status"]) if data["status"] != "UNKNOWN" else "a code that means nothing here"
    if data["reason"]:
        meaning += f" ({words(data['reason'])})"
    code = "" if data["code"].casefold() in (meaning, words(data["reason"] or "")) else data["code"]
    which = pallets_of(pallets) or (f"barcode {data['barcode']}" if data["barcode"] else "all pallets")
    where = f"at depot {data['depot']}" if data["depot"] else ""
    signed = f"signed by {data['signatory']}" if data["signatory"] else ""
    order = data["delivery_order"]
    facts = _present(
        code=data["code"],
        barcode="" if len(pallets) > 1 else data["barcode"],
        happened=None if one.kind == "imported" else data["occurred_at"],
        read=data["recorded_at"] if one.kind == "imported" else None,
        latitude=data["latitude"],
        longitude=data["longitude"],
        delivery=f"{order} of {data['total_deliveries']}" if order else "",
    )
    what = _joined(f"{meaning}{f' ({code})' if code else ''}", which, where, signed)
    quotes = [data["note"]] if data["note"] else []
    if one.kind == "imported":
        tone = {"DELIVERED": "good", "EXCEPTION": "bad", "UNKNOWN": "warn"}.get(data["status"], "")
        notes = ["It came without a time; this is when it was read."] if data["time_estimated"] else []
        if data["echo"]:
            tone, notes = "", [*notes, "An echo: we told it the network ourselves, so it changes nothing here."]
        return Entry(
            one.at,
            "echo" if data["echo"] else "status",
            tone,
            f"{network}: {what}",
            "",
            quotes=quotes,
            notes=notes,
            facts=facts,
            raw=data["raw"] or "",
        )
    if data["sent_at"]:
        return Entry(one.at, "told", "good", f"{network} was told: {what}", "", quotes=quotes, facts=facts)
    if data["refused_at"]:
        return Entry(
            one.at, "told", "bad", f"{network} refused: {what}", "", quotes=[data["refusal"], *quotes], facts=facts
        )
    if data["refusal"]:
        return Entry(
            one.at, "told", "warn", f"Not told yet: {what}", "", quotes=quotes, notes=[data["refusal"]], facts=facts
        )
    notes = ["No answer came yet: it may have arrived, and is looked for before it goes once more."]
    return Entry(
        one.at, "told", "warn", f"{network} is being told: {what}", "", quotes=quotes, notes=notes, facts=facts
    )


def _movement(one: Happening, _: str, __: list[int]) -> Entry:
    data = one.data
    if one.kind == "scanned":
        what = f"Pallet {data['pallet_number']} scanned {words(data['scan'])}"
    else:
        what = f"{STOPS[data['stop']].capitalize()} {one.kind}"
    ended = OUTCOMES.get(data["outcome"] or "", "")
    signed = f"signed by {data['signatory']}" if data["signatory"] else ""
    where = f"at depot {data['depot']}" if data["depot"] else ""
    tone = {"CLEAN": "good", "NOT_DELIVERED": "bad", "DAMAGED": "warn", "EXCEPTION": "warn"}.get(data["outcome"], "")
    return Entry(
        one.at,
        "our report",
        tone,
        _joined(what, ended, where, signed),
        one.who,
        quotes=[data["reason"]] if data["reason"] else [],
        changes=_changes(data["changes"]),
        facts=_present(
            reported=data["reported_at"],
            barcode=data["barcode"],
            latitude=data["latitude"],
            longitude=data["longitude"],
        ),
    )


DOCUMENTS = {
    "LABEL": "Label of ours",
    "NETWORK_LABEL": "Label of the network",
    "POD": "POD",
    "SIGNATURE": "Signature",
    "PHOTO": "Photo",
    "PAPERWORK": "Paperwork",
    "OTHER": "Document",
}


def _document(one: Happening, _: str, __: list[int]) -> Entry:
    data = one.data
    of = (
        f"pallet {data['pallet_number']}" if data["pallet_number"] else "of the whole order" if data["of_order"] else ""
    )
    what = "Provisional label" if data["provisional"] else DOCUMENTS[one.kind]
    return Entry(
        one.at,
        "label" if one.kind in ("LABEL", "NETWORK_LABEL") else "document",
        "",
        f"{_joined(what, of)}: {data['name']}",
        _joined(one.who, data["source"]),
        notes=[f"No longer good since {clock(data['stale_at'])}."] if data["stale_at"] else [],
        facts=_present(kind=data["media_type"], size=size(data["size"]), barcode=data["barcode"]),
        document=one.id,
    )


def _exchange(one: Happening, network: str, __: list[int]) -> Entry:
    data = one.data
    what = f"{DOCUMENTS[data['kind']]} {data['name']}".strip()
    if data["done_at"]:
        sentence = f"{network} has it from us: {what}" if one.kind == "sent" else f"Fetched from {network}: {what}"
        tone = "good"
    elif data["given_up_at"]:
        sentence = (
            f"{network} refused: {what}" if one.kind == "sent" else f"Could not be fetched from {network}: {what}"
        )
        tone = "bad"
    else:
        sentence = f"On its way to {network}: {what}" if one.kind == "sent" else f"To be fetched from {network}: {what}"
        tone = "warn"
    return Entry(
        one.at,
        "exchange",
        tone,
        sentence,
        "",
        quotes=[data["reason"]] if data["reason"] else [],
        facts=_present(code=data["code"], number=data["number"], network_id=data["network_id"], tries=data["tries"]),
        document=data["document_id"],
    )


def _upload(one: Happening, _: str, __: list[int]) -> Entry:
    data = one.data
    said, tone = UPLOADS[one.kind]
    return Entry(
        one.at,
        "upload",
        tone,
        f"Photo {data['document']} {said}" + (f" as {data['name']}" if data["name"] else ""),
        "",
        quotes=[data["reason"]] if data["reason"] else [],
        facts=_present(
            code=data["code"],
            tries=data["tries"] or None,
            failing_since=data["failing_since"],
            next_try=data["next_try_at"],
            size=size(data["size"]) if data["size"] else "",
        ),
        document=one.id,
    )


def _file(one: Happening, network: str, __: list[int]) -> Entry:
    data = one.data
    return Entry(
        one.at,
        "quarantine",
        "bad",
        f"A file that {network} gave for photos is none: {words(one.kind)}",
        data["method"],
        quotes=[data["detail"]] if data["detail"] else [],
        facts=_present(size=size(data["size"]) if data["size"] else "not kept", came_last=data["seen_at"]),
    )


def _collision(one: Happening, _: str, __: list[int]) -> Entry:
    name = one.data["name"]
    said = f"Somebody else's file stood at the file server as {name}: nothing was overwritten, the number is used up"
    return Entry(one.at, "upload", "warn", said, "", facts=_present(photo=one.data["document"]))


def _window_of_photos(one: Happening, _: str, __: list[int]) -> Entry:
    data = one.data
    return Entry(
        one.at,
        "photos",
        {"found": "good", "none": "warn"}.get(one.kind, ""),
        WINDOWS[one.kind],
        "",
        facts=_present(
            attempts=data["attempts"],
            covered_up_to=data["attempted_at"],
            only_one_attempt=True if data["single"] else None,
        ),
    )


def _ask(one: Happening, network: str, __: list[int]) -> Entry:
    return Entry(one.at, "photos", "", f"{network} was asked for photos at once", "")


def _eta(one: Happening, network: str, __: list[int]) -> Entry:
    data = one.data
    eta = f"ETA {clock(data['eta'])} on trip {data['route']}"
    if one.kind == "accepted":
        return Entry(one.at, "ETA", "good", f"{network} was told: {eta}", "")
    return Entry(one.at, "ETA", "bad", f"{network} refused: {eta}", "", quotes=[data["refusal"]])


def _note(one: Happening, network: str, __: list[int]) -> Entry:
    data = one.data
    signed = f"signed by {data['signatory']}" if data["signatory"] else ""
    delivered = f"delivered {day(data['pod_date'])} {(data['pod_time'] or '')[:5]}".strip() if data["pod_date"] else ""
    code = f"status {data['status_code']}" if data["status_code"] else ""
    what = _joined(" ".join(filter(None, (one.kind, data["type"]))), code, delivered, signed)
    return Entry(
        one.at,
        "note",
        "",
        f"{network} notes" + (f": {what}" if what else ""),
        "",
        quotes=[data["text"]] if data["text"] else [],
        facts=_present(number=one.id, barcode=data["barcode"], read=data["read_at"]),
        raw=data["raw"] or "",
    )


def _barcode(one: Happening, network: str, __: list[int]) -> Entry:
    pairs = one.data["barcodes"]
    what = BARCODES[one.kind].replace("{network}", network)
    if one.kind != "foreign":
        what = f"{what} {pallets_of([pallet for pallet, _ in pairs if pallet])}"
    return Entry(
        one.at,
        "barcode",
        "warn" if one.kind in ("superseded", "foreign") else "",
        f"{what}: {', '.join(code for _, code in pairs[:3])}" + (" …" if len(pairs) > 3 else ""),
        "",
        facts=[(f"pallet {pallet}" if pallet else "barcode", code) for pallet, code in pairs] if len(pairs) > 3 else [],
    )


def _work(one: Happening, network: str, __: list[int]) -> Entry:
    data = one.data
    what = work_words(one.kind, data["key"], network)
    if data["parked_at"]:
        sentence, tone = f"Parked until a person releases it: {what}", "bad"
    elif data["held"]:
        sentence, tone = f"Being done now: {what}", ""
    else:
        sentence, tone = f"Waits, due {clock(data['due_at'])}: {what}", "warn" if data["last_error"] else ""
    return Entry(
        one.at,
        "work",
        tone,
        sentence,
        "",
        quotes=[data["last_error"]] if data["last_error"] else [],
        facts=_present(item=one.id, attempts=data["attempts"]),
    )


def _stale(one: Happening, network: str, __: list[int]) -> Entry:
    return Entry(
        one.at, "status", "warn", f"{network} is no longer asked for it: nothing ended it in all that time", ""
    )


TELLERS: Mapping[str, Callable[[Happening, str, list[int]], Entry]] = {
    "activity": _activity,
    "record": _record,
    "event": _event,
    "movement": _movement,
    "document": _document,
    "exchange": _exchange,
    "upload": _upload,
    "file": _file,
    "collision": _collision,
    "window": _window_of_photos,
    "ask": _ask,
    "eta": _eta,
    "note": _note,
    "barcode": _barcode,
    "work": _work,
    "stale": _stale,
}
