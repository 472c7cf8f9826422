"""One consignment: where it is and why it is stuck, all that happened to it, and what can be done."""

import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated, Any, NamedTuple

from fastapi import APIRouter, Form, Path, Query, Request, Response

from palletflow import syncs
from palletflow.desk import label_jobs, quarantined
from palletflow.desk.context import Context, InContext
from palletflow.desk.label_jobs import LabelFormat
from palletflow.desk.pages import acting, why
from palletflow.desk.pages.render import back, page
from palletflow.desk.pages.telling import (
    DISPATCHED,
    DOCUMENTS,
    OUTCOMES,
    STOPS,
    UPLOADS,
    network_name,
    shown,
    told,
    work_words,
)
from palletflow.desk.plan import Networks
from palletflow.desk.refusals import Fault, of_content, unknown
from palletflow.discovery import network_part
from palletflow.store import standing, timeline
from palletflow.store.timeline import END, Happening, Place, Record

# A place in the story as it stands in an address.
PLACE = re.compile(r"(?P<at>\d{4}-\d\d-\d\dT[\d:.+-]{8,26}) (?P<source>[a-z]{1,20}) (?P<id>-?\d{1,18})", re.ASCII)
# What a table of a record's fields shows of one.
CELL_MOST = 2000

ConsignmentId = Annotated[int, Path(alias="id", ge=1, le=2**62)]

router = APIRouter(include_in_schema=False)


@router.get("/consignment/{id}")
def show(
    request: Request, consignment_id: ConsignmentId, within: InContext, older: Annotated[str, Query(max_length=80)] = ""
) -> Any:
    """The consignment and its story, the newest 300 entries; `older`: those before a place in it."""
    held, happenings, has_more = _read(within, consignment_id, _place(older) if older else END)
    now = datetime.now(UTC)
    facts = why.exchange_facts(held)
    pallets = [_pallet(held, pallet) for pallet in held["pallets"]]
    network = network_part(held["network"], "syncing")
    stale = [one for one in syncs.syncs_of(within.conn, within.networks.plan, now) if one.network == held["network"]]
    return page(
        request,
        "consignment.html",
        c=held,
        name=_name(held),
        network=network_name(held["network"]),
        status_tone=_status_tone(held),
        dispatched=DISPATCHED[held["dispatch_state"]],
        causes=why.causes(held, stale, now),
        flows=network.flows(facts, within.networks.plan),
        ours=within.networks.plan.network(held["network"]).depots,
        by_hand=network.by_hand(facts, within.networks.plan),
        may=_may(held, within.networks),
        stops=STOPS,
        outcomes=OUTCOMES,
        uploads=UPLOADS,
        kinds=DOCUMENTS,
        shown=shown,
        pallets=pallets,
        work=[{**item, "words": work_words(item["kind"], item["key"], held["network"])} for item in held["work"]],
        entries=told(happenings, held["network"], held["task"]),
        older=_address(happenings[-1]) if has_more else "",
        is_newest=not older,
        has_links=within.networks.plan.customer_view_d is not None,
        tracking_page=within.networks.tracking_page({**held, "pallets": pallets, "delivery": _delivery(held)}),
    )


@router.get("/consignment/{id}/raw")
def raw(request: Request, consignment_id: ConsignmentId, within: InContext) -> Any:
    """The records it was made of as they came, secrets masked, and what became of each."""
    held = _held(within, consignment_id)
    records = [_laid_out(record) for record in timeline.records(within.conn, consignment_id)]
    return page(
        request,
        "consignment_raw.html",
        c=held,
        name=_name(held),
        network=network_name(held["network"]),
        records=records,
        most=timeline.RECORDS_MOST,
    )


@router.get("/consignment/{id}/labels")
def labels(
    request: Request,
    consignment_id: ConsignmentId,
    within: InContext,
    label_format: Annotated[LabelFormat, Query(alias="format")] = "pdf",
) -> Response:
    """Its labels as a download. Those that are not there yet are drawn for whoever may write."""
    may_draw = request.state.caller.may_write
    return label_jobs.print_labels(within, [consignment_id], label_format, may_draw=may_draw)


# What people do


@router.post("/consignment/{id}/work/{item}/retry")
def retry(
    request: Request,
    consignment_id: ConsignmentId,
    item_id: Annotated[int, Path(alias="item", ge=1, le=2**62)],
    within: InContext,
) -> Response:
    """Tries one piece of its work again now, parked or waiting."""
    return _back(request, consignment_id, acting.retry(within, consignment_id, item_id))


@router.post("/consignment/{id}/fetch/{name}")
def fetch(request: Request, consignment_id: ConsignmentId, name: str, within: InContext) -> Response:
    """Starts the pipeline that fetches this of it."""
    return _back(request, consignment_id, acting.fetch(within, request.app.state.pipelines, consignment_id, name))


@router.post("/consignment/{id}/dispatch/complete")
def complete(request: Request, consignment_id: ConsignmentId, within: InContext) -> Response:
    """Completes its dispatch task, also again after faults."""
    return _back(request, consignment_id, acting.complete(within, consignment_id))


@router.post("/consignment/{id}/dispatch/look-up")
def look_up(request: Request, consignment_id: ConsignmentId, within: InContext) -> Response:
    """Asks the network now whether it has what may have been accepted."""
    return _back(request, consignment_id, acting.look_up(within, consignment_id))


@router.post("/consignment/{id}/dispatch/send-again")
def send_again(request: Request, consignment_id: ConsignmentId, within: InContext) -> Response:
    """Sends it once more, after a look-up."""
    return _back(request, consignment_id, acting.send_again(within, consignment_id))


@router.post("/consignment/{id}/clear-number")
def clear_number(request: Request, consignment_id: ConsignmentId, within: InContext) -> Response:
    """Takes its imported tracking number away."""
    return _back(request, consignment_id, acting.clear_number(within, consignment_id))


@router.post("/consignment/{id}/reopen")
def reopen(request: Request, consignment_id: ConsignmentId, within: InContext) -> Response:
    """Takes back that its network completed the delivery."""
    return _back(request, consignment_id, acting.reopen(within, consignment_id))


@router.post("/consignment/{id}/photo")
def choose_photo(
    request: Request,
    consignment_id: ConsignmentId,
    within: InContext,
    document_id: Annotated[int, Form(ge=1, le=2**62)],
) -> Response:
    """Says that a photo of the whole order is of this consignment."""
    return _back(request, consignment_id, acting.choose(within, consignment_id, document_id))


def _back(request: Request, consignment_id: int, said: str) -> Response:
    return back(request, f"/consignment/{consignment_id}", said)


def _held(within: Context, consignment_id: int) -> dict[str, Any]:
    """Raises Refused 404."""
    plan = within.networks.plan
    held = standing.standing(within.conn, consignment_id, within.networks.connections)
    if held is None:
        raise unknown("consignment", "id", consignment_id)
    plan.network(held["network"])  # one that the deployment file no longer lists is said so
    return held


def _read(within: Context, consignment_id: int, before: Place) -> tuple[dict[str, Any], list[Happening], bool]:
    held = _held(within, consignment_id)
    # Flags of the connections of its own depots: the others hold nothing of it up. While it has none, the first of ours
    # stands in.
    ours = within.networks.plan.network(held["network"]).depots
    taking_part = {held["requesting_depot"], held["collecting_depot"], held["delivery_depot"]} & ours.keys()
    connections = {ours[depot] for depot in taking_part or [next(iter(ours))]}
    held["flags"] = [flag for flag in held["flags"] if flag["connection"] in connections]
    happenings, has_more = timeline.story(within.conn, consignment_id, before)
    return held, happenings, has_more


def _name(held: Mapping[str, Any]) -> str:
    """What people call it."""
    return str(held["tracking_number"] or held["consignment_number"] or held["order"]["source_key"])


def _status_tone(held: Mapping[str, Any]) -> str:
    if held["lifecycle_status"] == "DELIVERED":
        return "warn" if held["exception_reason"] else "good"
    return "bad" if held["lifecycle_status"] == "EXCEPTION" else ""


class May(NamedTuple):
    """What can be done as things stand, by whoever may write; labels by everybody once they are drawn."""

    complete: bool
    look_up: bool
    send_again: bool
    clear_number: bool
    reopen: bool
    print_labels: bool
    draw_labels: bool


def _may(held: Mapping[str, Any], networks: Networks) -> May:
    is_live = held["order"]["cancelled_at"] is None
    state, task, number = held["dispatch_state"], held["task"], held["tracking_number"]
    is_own = held["order"]["source"] != held["network"]
    printed = {
        document["pallet_number"]
        for document in held["documents"]
        if document["kind"] in ("LABEL", "NETWORK_LABEL")
        and document["stale_at"] is None
        and document["consignment_id"] == held["id"]
    }
    there = {pallet["number"] for pallet in held["pallets"] if pallet["removed_at"] is None}
    has_labels = bool(printed) and (None in printed or printed >= there)
    is_drawn_here = networks.entry(held["network"]).DRAWS_LABELS
    was_refused = state == "failed" and task is not None and task["sent_at"] is not None
    return May(
        complete=is_live and task is not None and state in ("todo", "failed") and not was_refused,
        look_up=is_live and state == "unknown",
        send_again=is_live and (state == "unknown" or was_refused),
        clear_number=is_live
        and is_own
        and bool(number)
        and not held["registered"]
        and state in ("not_needed", "todo", "failed"),
        reopen=network_part(held["network"], "syncing").REOPENS and held["delivered"] is not None,
        print_labels=is_live and bool(number) and has_labels,
        draw_labels=is_live and bool(number) and is_drawn_here,
    )


def _pallet(held: Mapping[str, Any], pallet: Mapping[str, Any]) -> dict[str, Any]:
    """A pallet with its barcode, those it had before, and its good and stale labels."""
    current = [one for one in pallet["barcodes"] if one["state"] in ("expected", "confirmed")]
    labels = [
        document
        for document in held["documents"]
        if document["kind"] in ("LABEL", "NETWORK_LABEL")
        and document["pallet_number"] in (pallet["number"], None)
        and document["consignment_id"] == held["id"]
    ]
    return {
        **pallet,
        "current": current[0] if current else None,
        "barcode": current[0]["barcode"] if current else "",
        "earlier": [one for one in pallet["barcodes"] if one["state"] == "superseded"],
        "good_labels": [one for one in labels if one["stale_at"] is None],
        "stale_labels": [one for one in labels if one["stale_at"] is not None],
    }


def _delivery(held: Mapping[str, Any]) -> Mapping[str, Any]:
    """Where it is brought."""
    return next(stop for stop in held["stops"] if stop["kind"] == "delivery")


def _address(one: Happening) -> str:
    return f"{one.at.astimezone(UTC).isoformat()} {one.source} {one.id}"


def _place(older: str) -> Place:
    """Raises Refused 422 for what is none."""
    # A browser writes a plus sign of an address as a space.
    found = PLACE.fullmatch(older)
    try:
        if found:
            return Place(datetime.fromisoformat(found["at"]), found["source"], int(found["id"]))
    except ValueError:
        pass
    raise of_content([Fault("older", "format", "this address names no place in the story; open the page anew")])


class LaidOut(NamedTuple):
    """A record for the page: as a table of `cells` where it is a row of a file, else as `text`."""

    record: Record
    cells: list[tuple[str, str]]
    text: str
    corrected: str


def _laid_out(record: Record) -> LaidOut:
    cells: list[tuple[str, str]] = []
    if record.row_number is not None:
        cells = _cells(record.raw)
    return LaidOut(record, cells, "" if cells else pretty(record.raw), pretty(record.corrected or ""))


def _cells(raw_text: str) -> list[tuple[str, str]]:
    """A row's headings and cells; [] when it is none."""
    try:
        content = json.loads(raw_text)
    except (ValueError, RecursionError):
        return []
    if not isinstance(content, dict):
        return []
    return [(str(name), str(value)[:CELL_MOST]) for name, value in content.items()]


def pretty(text: str) -> str:
    """A record as a person reads it: JSON and XML with a line a field, anything else as it is."""
    stripped = text.strip()
    if stripped[:1] in ("{", "["):
        try:
            json.loads(stripped)
        except (ValueError, RecursionError):
            return text
        # Bounds its indenting: a thousand lists within each other would come to a gigabyte.
        return quarantined.pretty(stripped)
    if stripped[:1] == "<":
        return _indented(stripped)
    return text


def _indented(xml: str) -> str:
    """XML with its elements indented. It is taken apart as text: nobody resolves anything that a stranger wrote."""
    lines: list[str] = []
    depth = 0
    for part in re.findall(r"<[^<>]*>|[^<]+|<", xml):
        if not part.strip():
            continue
        if part.startswith("</"):
            depth = max(0, depth - 1)
            if lines and not lines[-1].lstrip().startswith("</") and _opens(lines[-1], part):
                lines[-1] += part
                continue
        if part.startswith("<") or not lines:
            lines.append("  " * min(depth, 40) + part.strip())
            depth += part.startswith("<") and part[1:2] not in ("/", "?", "!") and not part.endswith("/>")
        else:
            lines[-1] += part.strip()
    return "\n".join(lines)


def _opens(line: str, closing: str) -> bool:
    """Whether a line begins with the element that is closed now."""
    return re.match(rf"\s*<{re.escape(closing[2:-1].strip())}[\s>]", line) is not None
