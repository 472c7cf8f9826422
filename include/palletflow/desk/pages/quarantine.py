"""Quarantined records: seen with what is wrong with them, corrected, tried, and replayed."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Request, Response
from starlette.datastructures import FormData

from palletflow.desk import mending, quarantined
from palletflow.desk.context import Context, InContext
from palletflow.desk.downloads import download
from palletflow.desk.pages.render import back, page
from palletflow.desk.quarantined import Preview
from palletflow.desk.refusals import Refused, unknown
from palletflow.intake.replay import why_not
from palletflow.store import activity, quarantine
from palletflow.store.quarantine import Kept, NotInQuarantine, Quarantined

# Of a row of a file each column is a field of the form, under this and its heading.
CELL = "cell:"
RECORD = "record"
NOT_IN_USE = "Its network is not in the deployment file."

router = APIRouter(include_in_schema=False)

RecordId = Annotated[int, Path(alias="id", ge=1, le=2**62)]


async def _form(request: Request) -> FormData:
    return await request.form()


Given = Annotated[FormData, Depends(_form)]


@router.get("/quarantine/{id}")
def show(request: Request, record_id: RecordId, within: InContext) -> Any:
    """The record, what is wrong with it, and a form to correct it."""
    return _shown(request, within, _kept(within, record_id), None)


@router.get("/quarantine/{id}/record.json")
def raw(record_id: RecordId, within: InContext) -> Response:
    """The record as it came, as a download."""
    held = _kept(within, record_id)
    return download(held.record.raw.encode(), "application/json", f"record {record_id}.json")


@router.post("/quarantine/{id}/preview")
def preview(request: Request, record_id: RecordId, within: InContext, given: Given) -> Any:
    """What the record would become as it stands in the form. Keeps nothing."""
    held = _open(within, record_id)
    return _shown(request, within, held, _text(held, given))


@router.post("/quarantine/{id}/correct")
def correct(request: Request, record_id: RecordId, within: InContext, given: Given) -> Any:
    """Keeps what stands in the form beside the record as it came."""
    _keep(within, _open(within, record_id), given)
    return back(request, f"/quarantine/{record_id}", "corrected")


@router.post("/quarantine/{id}/replay")
def replay(request: Request, record_id: RecordId, within: InContext, given: Given) -> Any:
    """Keeps what stands in the form, then sends the record through the import flow."""
    held = _open(within, record_id)
    _keep(within, held, given)
    mending.replay_now(within, [record_id])
    settled = _kept(within, record_id).settled_at is not None
    return back(request, f"/quarantine/{record_id}", "replayed" if settled else "still-rejected")


@router.post("/quarantine/{id}/take-out")
def take_out(request: Request, record_id: RecordId, within: InContext) -> Any:
    """Settles a record that is to make no order."""
    with within.conn.transaction():
        if quarantine.take_out(within.conn, [record_id], within.actor):
            subject = mending.subject_of(record_id)
            activity.record(within.conn, None, "taken out of quarantine", within.actor, mending.SOURCE, subject=subject)
    return back(request, f"/quarantine/{record_id}", "taken-out")


def _shown(request: Request, within: Context, held: Kept, tried: str | None) -> Any:
    """The page of a record; `tried`: what a person wrote and has not saved."""
    record = held.record if tried is None else held.record._replace(corrected=tried)
    is_row, too_large = record.row_number is not None, held.size > quarantined.MOST_BYTES
    mapper = within.networks.mappers.get(record.network)
    reason = why_not(mapper, record.stream, record.reason_code) if mapper else NOT_IN_USE
    waits = held.settled_at is None
    found = quarantined.preview(within, record) if waits and not (too_large or reason) else None
    failing = [fault.field for fault in found.faults] if found else [record.field or ""]
    editable = waits and not (too_large or reason) and request.state.caller.may_write
    text = record.corrected or record.raw
    cells = _cells(within, held, text) if editable and is_row else {}
    in_file = quarantined.cells_of(record.raw).keys() | quarantined.cells_of(text).keys() if cells else set()
    return page(
        request,
        "quarantine.html",
        held=held,
        record=record,
        tried=tried is not None,
        too_large=too_large,
        why_not=reason,
        remedy=quarantined.REMEDIES.get(record.reason_code, quarantined.REMEDY),
        preview=None if found and tried is None and _is_known(record, found) else found,
        editable=editable,
        text=quarantined.pretty(text) if editable and not is_row else "",
        marked=[one for one in enumerate(quarantined.lines(text, failing), 1) if one[1].failing] if editable else [],
        cells={heading: cell for heading, cell in cells.items() if heading in in_file or heading in failing},
        others={heading: cell for heading, cell in cells.items() if not (heading in in_file or heading in failing)},
        failing=failing,
        cell=CELL,
        lines=[] if too_large or (editable and not record.corrected) else quarantined.lines(record.raw, failing),
    )


def _is_known(record: Quarantined, found: Preview) -> bool:
    """Whether a preview says what the record's reason has said already."""
    return [(fault.code, fault.field) for fault in found.faults] == [(record.reason_code, record.field or "")]


def _cells(within: Context, held: Kept, text: str) -> dict[str, str]:
    """Every column the row may have, with what stands in it."""
    given = quarantined.cells_of(text)
    return {heading: given.get(heading, "") for heading in [*given, *quarantined.columns(within, held.record)]}


def _text(held: Kept, given: FormData) -> str | None:
    """The record as it stands in a form; None when it is as it was. Raises Refused 422."""
    record = held.record
    current = record.corrected or record.raw
    if record.row_number is not None:
        cells = {
            name.removeprefix(CELL): str(cell).replace("\0", "").strip()
            for name, cell in given.multi_items()
            if name.startswith(CELL)
        }
        was = {heading: cell for heading, cell in quarantined.cells_of(current).items() if cell}
        text = quarantined.row(cells) if cells and {name: cell for name, cell in cells.items() if cell} != was else ""
    else:
        said = str(given.get(RECORD, ""))
        text = quarantined.checked(said) if said.strip() else ""
    return text if text and text != quarantined.compact(current) else None


def _keep(within: Context, held: Kept, given: FormData) -> None:
    text = _text(held, given)
    if text is None:
        return
    with within.conn.transaction():
        try:
            quarantine.correct(within.conn, held.record.id, text, within.actor)
        except NotInQuarantine as error:
            raise _gone(error) from error
        subject = mending.subject_of(held.record.id)
        activity.record(within.conn, None, "corrected", within.actor, mending.SOURCE, subject=subject)


def _kept(within: Context, record_id: int) -> Kept:
    """The record. Raises Refused 404."""
    held = quarantine.kept(within.conn, record_id)
    if held is None:
        raise unknown("quarantined record", "id", record_id)
    return held


def _open(within: Context, record_id: int) -> Kept:
    """The record, which still waits and can be replayed. Raises Refused 404, 409."""
    held = _kept(within, record_id)
    if held.settled_at is not None:
        raise _gone(NotInQuarantine(record_id))
    mapper = within.networks.mappers.get(held.record.network)
    reason = (
        why_not(mapper, held.record.stream, held.record.reason_code) if mapper else "Its network is not in use here"
    )
    if reason:
        raise Refused(409, reason, [])
    return held


def _gone(error: NotInQuarantine) -> Refused:
    return Refused(409, str(error), [])
