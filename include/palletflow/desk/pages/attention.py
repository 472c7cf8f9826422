"""What does not go on by itself, by cause: an overview, a list of each cause, and what can be done about one or all."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated, Any, NamedTuple
from urllib.parse import urlencode

from fastapi import APIRouter, Form, Path, Query, Request

from palletflow.desk import mending, needs
from palletflow.desk.context import Context, InContext
from palletflow.desk.needs import CAUSES, Cause, Need, Urgency
from palletflow.desk.pages.render import back, page
from palletflow.desk.refusals import Refused
from palletflow.intake.replay import why_not
from palletflow.store import need_groups
from palletflow.store.need_groups import HeldRecord, RecordGroup
from palletflow.store.needs import MOST, Asked, Entry

SHOWN = 200
GROUP = "^[0-9a-f]{16}$"
URGENCIES = {Urgency.NOW: "Now", Urgency.TODAY: "Today", Urgency.LATER: "When there is time"}

router = APIRouter(include_in_schema=False)

CauseName = Annotated[str, Path(alias="cause", max_length=40)]
NetworkName = Annotated[str, Query(max_length=40)]
GivenNetwork = Annotated[str, Form(max_length=40)]
Group = Annotated[str, Query(pattern=GROUP)]
GivenGroup = Annotated[str, Form(pattern=GROUP)]
Subject = Annotated[str, Form(max_length=400, pattern=r"^[^\x00]*$")]


class Card(NamedTuple):
    """A cause on the overview, with how much each network has of it."""

    cause: Cause
    needs: Sequence[Need]
    total: int
    more: bool
    oldest: datetime | None


@router.get("/attention")
def overview(request: Request, within: InContext) -> Any:
    """Every cause that has anything, by urgency."""
    found = needs.needs(within.conn, within.networks, datetime.now(UTC))
    cards = [_card(CAUSES[code], [one for one in found if one.cause == code]) for code in CAUSES]
    sections = {
        title: [card for card in cards if card.needs and card.cause.urgency is urgency]
        for urgency, title in URGENCIES.items()
    }
    return page(request, "attention.html", sections={title: held for title, held in sections.items() if held})


def _card(cause: Cause, found: Sequence[Need]) -> Card:
    moments = [one.oldest for one in found if one.oldest]
    total = sum(one.count for one in found)
    return Card(cause, found, total, any(one.more for one in found), min(moments, default=None))


@router.get("/attention/{cause}")
def listed(
    request: Request, code: CauseName, within: InContext, network: NetworkName = "", group: Group | None = None
) -> Any:
    """What has a cause: put together, or one by one, the oldest first. Filters: a network, one group."""
    cause = _cause(code)
    question = _asked(within, network)
    counted = needs.counted(within.conn, within.networks, cause, _asked(within, ""))
    shared: dict[str, Any] = {
        "cause": cause,
        "network": network,
        "group": group or "",
        "counted": counted,
        "total": sum(min(one.count, MOST) for one in counted),
        "more": any(one.count > MOST for one in counted),
        "most": MOST,
        "grouped": need_groups.GROUPED,
        "here": f"/attention/{code}",
    }
    if code == "quarantine" and group is None:
        groups = need_groups.records(within.conn, question.networks)
        why_nots = {one.cause: _why_not(within, one) for one in groups}
        return page(request, "attention_groups.html", **shared, groups=groups, why_nots=why_nots)
    if code == "parked" and group is None:
        return page(request, "attention_groups.html", **shared, groups=need_groups.work(within.conn, question.networks))
    if code == "quarantine":
        records = need_groups.records_of(within.conn, question.networks, group or "", SHOWN + 1)
        return page(
            request,
            "attention_records.html",
            **shared,
            records=records[:SHOWN],
            has_more=len(records) > SHOWN,
            why_not=_why_not(within, records[0]) if records else "",
        )
    subjects = _of_group(within, question, group) if group else None
    found = needs.entries(within.conn, within.networks, code, question, subjects=subjects, most=SHOWN + 1)
    return page(request, "attention_list.html", **shared, entries=found[:SHOWN], has_more=len(found) > SHOWN)


@router.post("/attention/quarantine/replay")
def replay(request: Request, within: InContext, group: GivenGroup, network: GivenNetwork = "") -> Any:
    """Replays a group of quarantined records."""
    ids = need_groups.record_ids(within.conn, _asked(within, network).networks, group)
    said = mending.replay_all(within, request.app.state.pipelines, group, ids) if ids else "done-meanwhile"
    return back(request, _list("quarantine", network), said)


@router.post("/attention/{cause}/one")
def one(request: Request, code: CauseName, within: InContext, subject: Subject, network: GivenNetwork = "") -> Any:
    """Tries one entry again."""
    return _mended(request, within, _cause(code), network, [subject])


@router.post("/attention/{cause}/all")
def everything(
    request: Request,
    code: CauseName,
    within: InContext,
    network: GivenNetwork = "",
    group: Annotated[str, Form(pattern=f"{GROUP}|^$")] = "",
) -> Any:
    """Tries all of a cause again, or of a group of it; the 1,000 that wait longest where there are more."""
    question = _asked(within, network)
    subjects = _of_group(within, question, group) if group else None
    return _mended(request, within, _cause(code), network, subjects)


@router.post("/attention/{cause}/end")
def end(request: Request, code: CauseName, within: InContext, subject: Subject, network: GivenNetwork = "") -> Any:
    """Takes one entry off the list."""
    cause = _cause(code)
    if not cause.ends:
        raise Refused(409, "This ends when its cause is mended, and is not taken off the list by hand", [])
    found = _entries(within, cause, network, [subject])
    return back(request, _list(code, network), mending.end(within, found) if found else "done-meanwhile")


def _why_not(within: Context, held: RecordGroup | HeldRecord) -> str:
    """Why records cannot be replayed, "" when they can."""
    return why_not(within.networks.mappers[held.network], held.stream, held.reason_code)


def _mended(request: Request, within: Context, cause: Cause, network: str, subjects: Sequence[str] | None) -> Any:
    if cause.code not in mending.WAYS:
        raise Refused(409, "Nothing of this can be tried again from here", [])
    found = _entries(within, cause, network, subjects)
    said = mending.mend(within, request.app.state.pipelines, cause.code, found) if found else "done-meanwhile"
    return back(request, _list(cause.code, network), said)


def _entries(within: Context, cause: Cause, network: str, subjects: Sequence[str] | None) -> list[Entry]:
    question = _asked(within, network)
    most = MOST if subjects is None else len(subjects)
    return needs.entries(within.conn, within.networks, cause.code, question, subjects=subjects, most=most)


def _of_group(within: Context, question: Asked, group: str) -> list[str]:
    """The subjects of a group of parked work."""
    return [f"parked work {number}" for number in need_groups.work_ids(within.conn, question.networks, group)]


def _asked(within: Context, network: str) -> Asked:
    return needs.asked(within.networks, datetime.now(UTC), [network] if network else None)


def _cause(code: str) -> Cause:
    if code not in CAUSES:
        raise Refused(404, f"There is no list '{code}'", [])
    return CAUSES[code]


def _list(code: str, network: str) -> str:
    return f"/attention/{code}" + (f"?{urlencode({'network': network})}" if network else "")
