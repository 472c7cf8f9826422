"""How far every network is, and where a person is needed."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, time, timedelta
from typing import NamedTuple
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Request
from fastapi.responses import Response

from palletflow.desk import needs
from palletflow.desk.context import InContext
from palletflow.desk.pages import plot
from palletflow.desk.pages.needing import needed, paused_ones, refused
from palletflow.desk.pages.render import page
from palletflow.desk.pages.telling import network_name
from palletflow.desk.pipelines import Pipeline, Pipelines
from palletflow.store import today
from palletflow.store.today import ARRIVED, DELIVERED, DISPATCHED, MOST, WHOLE, Figures
from palletflow.syncs import SyncState, syncs_of

LONDON = ZoneInfo("Europe/London")
HAPPENING = (ARRIVED, DISPATCHED, DELIVERED)
# For a desk and for a phone: how wide, and every so many hours a mark.
PLOTS = ((1000, 6), (360, 12))

router = APIRouter()


class Line(NamedTuple):
    """A sync as the page tells of it. `next_at`: None while its pipeline is paused, or nothing is known of it."""

    sync: SyncState
    next_at: datetime | None
    paused: bool


class Row(NamedTuple):
    """A depot of ours in a network. `flagged`: its connection is not used until a check passes."""

    code: str
    name: str
    flagged: bool
    lines: Sequence[Line]
    figures: Figures


class Section(NamedTuple):
    """A network: all of it, its depots, and the syncs that concern no depot more than others."""

    network: str
    name: str
    whole: Figures
    rows: Sequence[Row]
    shared: Sequence[Line]


@router.get("/")
def show(request: Request, within: InContext) -> Response:
    """Every network and depot at a glance."""
    now = datetime.now(UTC)
    plan = within.networks.plan
    pipelines: Pipelines = request.app.state.pipelines
    listed = pipelines.listed()
    syncs = syncs_of(within.conn, plan, now)
    found = today.read(
        within.conn,
        [(network, depot) for network, ours in plan.networks.items() for depot in ours.depots],
        since=plot.first_hour(now),
        yesterday=day_begins(now, days_ago=1),
        today=day_begins(now),
    )
    question = needs.asked(within.networks, now)
    not_used = refused(within.conn, within.networks, question)
    flagged = {one.name for one in not_used}
    lines = [_line(sync, listed, now) for sync in syncs]

    def figures(network: str, depot: str) -> Figures:
        return found.figures.get((network, depot), Figures())

    sections = [
        Section(
            network,
            network_name(network),
            figures(network, WHOLE),
            [
                Row(
                    depot,
                    name,
                    ours.depots[depot] in flagged,
                    [line for line in lines if line.sync.network == network and depot in line.sync.depots],
                    figures(network, depot),
                )
                for depot, name in ours.depot_names.items()
            ],
            [line for line in lines if line.sync.network == network and not line.sync.depots],
        )
        for network, ours in plan.networks.items()
    ]
    return page(
        request,
        "today.html",
        needs=needed(
            within.conn,
            within.networks,
            question,
            syncs=syncs,
            not_used=not_used,
            paused=paused_ones(listed, plan),
        ),
        sections=sections,
        plots=[plot.drawn(found.hours, HAPPENING, now, width=width, every=every) for width, every in PLOTS],
        nothing_yet=not any(sync.succeeded_at for sync in syncs) and not found.hours,
        first_at=min((line.next_at for line in lines if line.next_at), default=None),
        most=MOST,
        minute=timedelta(minutes=1),
        airflow=request.scope.get("root_path", "").removesuffix("/palletflow/desk"),
    )


def _line(sync: SyncState, listed: Mapping[str, Pipeline], now: datetime) -> Line:
    """Airflow knows best when it runs next; a run that is due there and has not begun is due now."""
    pipeline = listed.get(sync.dag_id)
    if pipeline and pipeline.paused:
        return Line(sync, None, True)
    next_at = pipeline.next_run_at if pipeline and pipeline.next_run_at else sync.next_due_at
    return Line(sync, max(next_at, now) if next_at else None, False)


def day_begins(now: datetime, days_ago: int = 0) -> datetime:
    """The midnight in London before now, or so many days before that."""
    day = now.astimezone(LONDON).date() - timedelta(days=days_ago)
    return datetime.combine(day, time(), LONDON).astimezone(UTC)
