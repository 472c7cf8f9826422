"""Why a consignment is stuck, in one sentence, and what to do: derived from how it stands. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from palletflow.desk.pages.render import ago, span, words
from palletflow.desk.pages.telling import clock, network_name, work_words
from palletflow.orders.exchange import Facts
from palletflow.syncs import SyncState

# Work that is due and that nobody has taken for so long: its pipeline does not run.
UNTAKEN = timedelta(minutes=10)
SENTENCE_MOST = 400
ENDED = ("DELIVERED", "CANCELLED")


class Cause(NamedTuple):
    """One thing that holds it up. `tone`: "bad" needs a person, "warn" goes on by itself or can wait. `quote`: the
    network's own words. `link` (an address of the desk) and `to`: where it can be mended."""

    tone: str
    sentence: str
    remedy: str = ""
    quote: str = ""
    link: str = ""
    to: str = ""


def exchange_facts(held: Mapping[str, Any]) -> Facts:
    """What decides what is exchanged, of a consignment as store.standing gives it."""
    twins = [
        other["id"]
        for other in held["twins"]
        if other["registered"] or (not held["registered"] and other["id"] < held["id"])
    ]
    untold = [reason for reason in held["untold"] if reason.startswith("held: ")]
    return Facts(
        tracking_number=held["tracking_number"],
        consignment_number=held["consignment_number"],
        registered=held["registered"],
        cancelled=held["order"]["cancelled_at"] is not None,
        is_own=held["order"]["source"] != held["network"],
        requesting_depot=held["requesting_depot"],
        collecting_depot=held["collecting_depot"],
        delivery_depot=held["delivery_depot"],
        our_roles=held["our_roles"],
        dispatch_state=held["dispatch_state"],
        lifecycle_status=held["lifecycle_status"],
        ended_at=_moment((held["poll"] or {}).get("ended_at")),
        stale_since=_moment(held["stale_since"]),
        asked_instead=twins[0] if twins else None,
        held=untold[0].removeprefix("held: ") if untold else "",
    )


def causes(held: Mapping[str, Any], syncs: Sequence[SyncState], now: datetime) -> list[Cause]:
    """Everything that holds a consignment up, what needs a person most first; [] when nothing does.

    `syncs`: how those stand that concern its network.
    """
    if held["order"]["cancelled_at"]:
        found = [*_work(held, now)]
    else:
        found = [
            *_dispatch(held),
            *_work(held, now),
            *_flags(held),
            *_exception(held),
            *_twins(held),
            *_quarantine(held),
            *_documents(held),
            *_stale(held),
            *_syncs(held, syncs),
        ]
    return sorted(found, key=lambda cause: cause.tone != "bad")


def _dispatch(held: Mapping[str, Any]) -> Iterator[Cause]:
    task, network = held["task"] or {}, network_name(held["network"])
    state = held["dispatch_state"]
    if state == "unknown":
        next_at = f"it is looked up again {clock(task['lookup_at'])}" if task.get("lookup_at") else ""
        searched = f"{task['lookups']} look-ups found nothing" if task.get("lookups") else ""
        lost = f"{network} may have accepted it: the answer to the sending of {clock(task['sent_at'])} was lost"
        said = "; ".join(filter(None, (lost, searched, next_at)))
        yield Cause("warn" if next_at else "bad", f"{said}.", "Look it up now; send it again if it is not there.")
    elif state == "failed":
        first, *more = task["faults"] or [{"field": "", "reason": "nobody noted why", "remedy": ""}]
        how = f"{network} refused it" if task["sent_at"] else f"it was never sent to {network}"
        also = f" (and {len(more)} more, below)" if more else ""
        yield Cause("bad", f"Dispatch failed, {how}: {_fault(first)}{also}.", first.get("remedy", ""))
    elif state == "todo" and held["lifecycle_status"] == "CANCELLED":
        said = f"It was cancelled at {network} and its order restored since: {network} has nothing of it any more."
        yield Cause("bad", said, "Complete its dispatch task again; then it is sent anew within seconds.")
    elif state == "todo":
        yield Cause("warn", "Its dispatch task is open.", "Complete the task; then it is sent within seconds.")
    elif state == "not_needed" and held["order"]["source"] == "api" and not held["registered"]:
        yield Cause(
            "warn", "It is on no trip with a network's resource, so nobody hands it to one.", "Put it on a trip."
        )


def _fault(fault: Mapping[str, str]) -> str:
    """A reason is worded to stand beside its field, such as "it is required"."""
    field, reason = fault.get("field"), fault["reason"]
    return _cut(f"{field}: {reason}" if field and field not in reason else reason)


def _work(held: Mapping[str, Any], now: datetime) -> Iterator[Cause]:
    for item in held["work"]:
        what = work_words(item["kind"], item["key"], held["network"])
        what = what[:1].upper() + what[1:]
        said = _cut(item["last_error"] or "")
        if item["parked_at"]:
            since = clock(item["parked_at"])
            yield Cause("bad", f"{what} is parked since {since}.", "Mend the cause, then try it again.", said)
        elif item["held"]:
            continue
        elif item["last_error"]:
            tried = f"{item['attempts']} time{'s' * (item['attempts'] != 1)}"
            yield Cause("warn", f"{what} failed {tried}; it is tried again {clock(item['due_at'])}.", "", said)
        elif now - datetime.fromisoformat(item["due_at"]) > UNTAKEN:
            waited = span(now - datetime.fromisoformat(item["due_at"]))
            remedy = "See on Today whether the network's pipelines run."
            yield Cause(
                "bad", f"{what} has been due for {waited} and nobody has taken it.", remedy, link="/", to="Today"
            )


def _flags(held: Mapping[str, Any]) -> Iterator[Cause]:
    for flag in held["flags"]:
        said = f"Connection {flag['connection']} is flagged since {clock(flag['flagged_at'])}: nothing goes through it."
        yield Cause("bad", said, "Mend the connection in Airflow; it is checked again by itself.", _cut(flag["reason"]))


def _exception(held: Mapping[str, Any]) -> Iterator[Cause]:
    review = held["order"]["review_reason"]
    if held["lifecycle_status"] == "EXCEPTION":
        reason = words(held["exception_reason"])
        shown = (
            f", which {network_name(held['network'])} calls {held['network_status']}" if held["network_status"] else ""
        )
        yield Cause(
            "bad", f"It is an exception: {reason}{shown}.", "See with the depot what is to be done.", review or ""
        )
    elif review:
        yield Cause("bad", "Its order is flagged for a person.", "", _cut(review))


def _quarantine(held: Mapping[str, Any]) -> Iterator[Cause]:
    for record in held["quarantined"][:3]:
        field = f" ({record['field']})" if record["field"] else ""
        yield Cause(
            "bad",
            f"A record of it, read {clock(record['read_at'])}, waits in quarantine: "
            f"{words(record['reason_code'])}{field}.",
            "Correct the record and replay it.",
            _cut(record["reason"] or ""),
            f"/quarantine/{record['id']}",
            "Open it",
        )


def _twins(held: Mapping[str, Any]) -> Iterator[Cause]:
    """A number that is on several live orders before the network has it."""
    others = [other["order"] for other in held["twins"] if not other["cancelled"]]
    if others and not held["registered"] and held["dispatch_state"] != "completed":
        said = f"Tracking number {held['tracking_number']} is also on order {', '.join(others[:3])}."
        yield Cause("warn", said, "The network takes it once: clear it on the copy.")


def _documents(held: Mapping[str, Any]) -> Iterator[Cause]:
    """Documents of which no parked work tells, as their work has come to an end."""
    network = network_name(held["network"])
    for one in held["unfetched"]:
        if one["given_up_at"]:
            said = f"{words(one['kind']).capitalize()} {one['name']} could not be fetched from {network}."
            yield Cause("warn", said, "Fetching it now looks for it once more.", _cut(one["reason"] or ""))
    for document in held["documents"]:
        upload = document["upload"]
        if upload and upload["state"] in ("refused", "config_error"):
            said = f"Photo {document['name']} cannot be uploaded."
            yield Cause("warn", said, "Mend what is named, or add another photo.", _cut(upload["reason"] or ""))
        elif (
            upload and upload["state"] == "waiting" and upload["consignment_id"] is None and document["kind"] == "PHOTO"
        ):
            said = f"Photo {document['name']} of the order waits until somebody says of which consignment it is."
            yield Cause("warn", said, "Say so below.")


def _stale(held: Mapping[str, Any]) -> Iterator[Cause]:
    if held["stale_since"] and held["lifecycle_status"] not in ENDED:
        network, since = network_name(held["network"]), ago(held["stale_since"])
        said = f"Nothing ended it, so {network} is no longer asked for it; that was decided {since}."
        yield Cause("bad", said, "Find out where the goods are; fetching it now asks once.")


def _syncs(held: Mapping[str, Any], syncs: Sequence[SyncState]) -> Iterator[Cause]:
    """What should have been read of it, had the pipeline run."""
    if held["lifecycle_status"] in ENDED or not held["registered"]:
        return
    depots = {held["requesting_depot"], held["collecting_depot"], held["delivery_depot"]}
    for sync in syncs:
        if sync.stale and depots & set(sync.depots):
            last = f"were last read {ago(sync.succeeded_at)}" if sync.succeeded_at else "were never read"
            said = f"{sync.what.capitalize()} of {', '.join(sync.depots)} {last}: what is shown here may be old."
            yield Cause("bad", said, f"See why {sync.dag_id} does not run.", link="/", to="Today")


def _moment(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None


def _cut(text: str) -> str:
    """A reason as part of a sentence."""
    plain = text.strip().rstrip(".")
    return plain if len(plain) <= SENTENCE_MOST else f"{plain[:SENTENCE_MOST]} …"
