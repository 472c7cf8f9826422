"""What a person can do at once about things that wait, one or all of a cause. Each is in the activity history.

Whatever is asked for again first finds out whether it was done already, so that asking twice does no harm.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime

from palletflow.desk.context import Context
from palletflow.desk.needs import has_part
from palletflow.desk.pipelines import Pipelines
from palletflow.desk.refusals import Fault, Refused
from palletflow.discovery import network_part
from palletflow.intake import replay
from palletflow.intake.replay import NotReplayed
from palletflow.store import barcodes, consignments, dispatch, needs, quarantine, sweeps, work_items
from palletflow.store.connection import Connection
from palletflow.store.dispatch import DispatchRefused
from palletflow.store.imports import NO_RECORDS, Counts
from palletflow.store.needs import SEEN_TO, Entry
from palletflow.work import follows

SOURCE = "order desk"
# Who presses a button twice, or two people at once, start one run.
ASKED_S = 20.0
# Replayed while the person waits; more is left to the pipeline.
REPLAYED_AT_ONCE = 200
REPLAY_DAG = "quarantine_replay"
# The pipelines that fetch photos take so many numbers.
PHOTOS_AT_ONCE = 50


def mend(within: Context, pipelines: Pipelines, cause: str, found: Sequence[Entry]) -> str:
    """Tries entries of a cause again; what the page says of it (render.SAID).

    Raises Refused 503 when Airflow lacks the pipeline for it.
    """
    return WAYS[cause](within, pipelines, found)


def end(within: Context, found: Sequence[Entry]) -> str:
    """Takes entries off their lists, as a person has seen to them; what the page says of it."""
    with within.conn.transaction():
        needs.done(within.conn, found, SEEN_TO, within.actor, SOURCE)
    return "seen-to"


def replay_now(within: Context, record_ids: Sequence[int]) -> Counts:
    """Sends quarantined records through the import flow again.

    Raises FileFault, and Refused 409 where a connection cannot be used: its records stay, all others are replayed.
    """
    plan = within.networks.plan
    found = quarantine.listed(within.conn, ids=list(record_ids))
    refused: NotReplayed | None = None
    counts = NO_RECORDS
    try:
        counts = replay.replay(
            within.conn,
            found,
            plan,
            lambda network, party: network_part(network, "hook").replayer(plan, party),
            lambda network: network_part(network, "csv_files").kinds(plan),
            now=datetime.now(UTC),
            run=SOURCE,
            actor=within.actor,
        )
    except NotReplayed as error:
        refused = error
    left = refused.left if refused else []
    with within.conn.transaction():
        needs.done(
            within.conn,
            [
                Entry(one.network, None, None, one.record_key, "", one.read_at, one.reason, subject_of(one.id))
                for one in found
                if one.id not in left
            ],
            "replayed",
            within.actor,
            SOURCE,
        )
    if refused:
        raise Refused(409, str(refused), []) from refused
    return counts


def replay_all(within: Context, pipelines: Pipelines, group: str, record_ids: Sequence[int]) -> str:
    """Replays a group: at once if it is small, else by the pipeline; what the page says of it."""
    if len(record_ids) > REPLAYED_AT_ONCE:
        said, subject = f"{len(record_ids)} records", f"quarantine replay {group}"
        asked = [Entry("", None, None, "", "", datetime.now(UTC), said, subject)]
        _start(within, pipelines, REPLAY_DAG, asked, "replay asked for", lambda _: {"record_ids": list(record_ids)})
        return "replay-begun"
    counts = replay_now(within, record_ids)
    landed = counts.records - counts.rejected
    return "none-replayed" if not landed else "all-replayed" if not counts.rejected else "some-replayed"


def subject_of(record_id: int) -> str:
    """What the activity history calls a quarantined record."""
    return f"quarantined record {record_id}"


def _dispatch(within: Context, _: Pipelines, found: Sequence[Entry]) -> str:
    """Sends what failed again, asks the network about what is unknown, queues what waits in no queue."""
    for one in found:
        assert one.consignment_id is not None, "they are of consignments"
        try:
            with within.conn.transaction():
                facts = consignments.facts(within.conn, one.consignment_id, locked=True)
                act = ACTS.get(facts.dispatch_state)
                if act:
                    act(within.conn, facts.order_id, within.actor)
        except (DispatchRefused, consignments.NoSuchConsignment):
            continue  # it has gone on meanwhile
    return "tried-again"


ACTS: Mapping[str, Callable[[Connection, int, str], None]] = {
    "failed": dispatch.send_again,
    "unknown": dispatch.look_up_now,
    "waiting": dispatch.complete,
}


def _parked(within: Context, _: Pipelines, found: Sequence[Entry]) -> str:
    with within.conn.transaction():
        work_items.requeue(within.conn, ids=[_number(one) for one in found])
        needs.done(within.conn, found, "work requeued", within.actor, SOURCE)
    return "requeued"


def _review(within: Context, _: Pipelines, found: Sequence[Entry]) -> str:
    for one in found:
        assert one.order_id is not None, "they are of orders"
        within.clerk.end_review(one.order_id)
    return "reviewed"


def _statuses(within: Context, _: Pipelines, found: Sequence[Entry]) -> str:
    return _ask(within, found, "statuses asked for", lambda network: barcodes.EXPORT)


def _etas(within: Context, _: Pipelines, found: Sequence[Entry]) -> str:
    return _ask(within, found, "ETA asked for", lambda network: _follow(within, network, follows.EXPECTED))


def _pods(within: Context, _: Pipelines, found: Sequence[Entry]) -> str:
    return _ask(within, found, "documents asked for", _document_fetch)


def _documents(within: Context, _: Pipelines, found: Sequence[Entry]) -> str:
    """Looks for what could not be fetched, and sends what could not be sent."""
    fetched = [one for one in found if one.said.startswith("Fetching")]
    sent = [one for one in found if one not in fetched]
    _ask(within, fetched, "documents asked for", _document_fetch)
    return _ask(within, sent, "upload asked for", lambda network: _follow(within, network, follows.ADDED))


def _photos(within: Context, pipelines: Pipelines, found: Sequence[Entry]) -> str:
    """Has the network's own pipeline look for photos of the longest missing."""
    for network in sorted({one.network for one in found}):
        wanted = [one for one in found if one.network == network][:PHOTOS_AT_ONCE]
        _start(within, pipelines, f"{network}_fetch_photos", wanted, "photos looked for", _tracking_ids)
    return "fetching"


def _tracking_ids(wanted: Sequence[Entry]) -> Mapping[str, object]:
    """What the pipelines that fetch photos are asked."""
    return {"tracking_ids": ", ".join(one.name for one in wanted)}


def _stale(within: Context, _: Pipelines, found: Sequence[Entry]) -> str:
    with within.conn.transaction():
        for one in found:
            assert one.consignment_id is not None, "they are of consignments"
            sweeps.take_up(within.conn, one.consignment_id)
        needs.done(within.conn, found, "taken up again", within.actor, SOURCE)
    return "tried-again"


def _ask(within: Context, found: Sequence[Entry], kind: str, work: Callable[[str], str | None]) -> str:
    """Asks for a kind of work for the consignments of entries; `work` gives it by network, None where it has none."""
    asked = [one for one in found if one.consignment_id is not None and work(one.network)]
    with within.conn.transaction():
        for network in sorted({one.network for one in asked}):
            ids = {one.consignment_id for one in asked if one.network == network}
            work_items.enqueue(within.conn, network, work(network) or "", ids)
        needs.done(within.conn, asked, kind, within.actor, SOURCE)
    return "tried-again"


def _follow(within: Context, network: str, event: str) -> str | None:
    follow: follows.Follow | None = within.networks.entry(network).FOLLOWS.get(event)
    return follow.kind if follow else None


def _document_fetch(network: str) -> str | None:
    return str(network_part(network, "work").DOCUMENT_FETCH) if has_part(network, "document_fetch") else None


def _start(
    within: Context,
    pipelines: Pipelines,
    dag_id: str,
    wanted: Sequence[Entry],
    kind: str,
    conf: Callable[[Sequence[Entry]], Mapping[str, object]],
) -> None:
    """Starts a pipeline for those of the entries for which nobody has done so in the last seconds.

    `kind`: what the history says of them; `conf`: what the run is given for them. Raises Refused 503.
    """
    with within.conn.transaction():
        found = needs.not_asked(within.conn, wanted, kind, ASKED_S)
        if not found:
            return
        needs.done(within.conn, found, kind, within.actor, SOURCE)
        try:
            pipelines.trigger(dag_id, conf(found), within.actor)
        except LookupError as error:
            remedy = "Airflow may not have read it yet, or it is broken: see its list of pipelines."
            raise Refused(503, f"Airflow has no pipeline {dag_id}", [Fault("", "no_pipeline", remedy)]) from error


def _number(one: Entry) -> int:
    """The id at the end of a subject."""
    return int(one.subject.rpartition(" ")[2])


WAYS: Mapping[str, Callable[[Context, Pipelines, Sequence[Entry]], str]] = {
    "dispatch": _dispatch,
    "parked": _parked,
    "review": _review,
    "statuses": _statuses,
    "etas": _etas,
    "documents": _documents,
    "pods": _pods,
    "photos": _photos,
    "stale": _stale,
}
