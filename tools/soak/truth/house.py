"""What must hold of the order store and the folders whatever network it is about."""

from collections.abc import Iterator, Mapping
from datetime import timedelta
from pathlib import Path

from palletflow.store.connection import Connection
from soak.runs import Tally
from soak.truth.checks import Check
from soak.truth.store import Store

ALL = "all"
OVERDUE = timedelta(minutes=15)
# What is asked for longest, a depot's consignments and statuses, is asked for every half hour.
BEHIND = timedelta(minutes=45)
SYNCS = "SELECT network, stream, party, succeeded_at, read_to FROM poll_runs"
WATERMARKS = (
    "SELECT network, stream, party, high FROM watermarks WHERE (network, stream) = ('palletforce', 'depot_pull')"
)
STUCK = """
SELECT c.id, c.network, coalesce(c.tracking_number, o.source_key), c.dispatch_state
FROM consignments c JOIN orders o ON o.id = c.order_id LEFT JOIN dispatch_tasks t ON t.consignment_id = c.id
WHERE o.cancelled_at IS NULL AND (c.dispatch_state IN ('waiting', 'unknown', 'failed')
                                  OR c.dispatch_state = 'todo' AND t.completed_at IS NOT NULL)
"""
FILES = "SELECT name, outcome, put_away_at IS NOT NULL FROM inbound_files"
DAILY = ("entered",)


def checks(conn: Connection, store: Store, tally: Tally, files: Mapping[Path, Mapping[str, int]]) -> Iterator[Check]:
    """`files`: what was dropped into each folder."""
    yield _work(store)
    yield _parked(store)
    stuck = conn.execute(STUCK).fetchall()
    yield Check(
        ALL,
        "not dispatched, and listed",
        len(stuck),
        [
            f"{network} {name} is {state}, and nobody is told of it"
            for key, network, name, state in stuck
            if not store.is_listed(key, "dispatch", "parked")
        ],
    )
    yield Check(ALL, "leases held", 0, [f"{row[0]}.{row[1]} {row[2]}" for row in store.work if row[4]])
    yield from _polls(conn, store)
    for folder, dropped in files.items():
        yield _folder(conn, folder, dropped)
    yield Check(ALL, "runs that failed for an unforeseen reason", 0, list(dict.fromkeys(tally.unforeseen)))
    yield Check(ALL, "runs that did not end", 0, tally.stuck)
    unforeseen = [row for row in store.work if "was not foreseen" in row[6]]
    yield Check(ALL, "work that failed for an unforeseen reason", 0, [" ".join(map(str, row)) for row in unforeseen])
    causes = {cause: len(entries) for cause, entries in store.listed.items() if cause in ("connections", "syncs")}
    yield Check(
        ALL,
        "connections refused and syncs late",
        0,
        [f"{cause}: {entry.name}: {entry.said}" for cause in causes for entry in store.listed[cause]],
    )


def _work(store: Store) -> Check:
    wrong = [
        f"{network}.{kind} {key} is due since {due_at:%H:%M}: {said}"
        for network, kind, key, due_at, _, is_parked, said in store.work
        if not is_parked and due_at < store.now - OVERDUE
    ]
    return Check(ALL, "work that waits, none of it overdue", sum(not row[5] for row in store.work), wrong)


def _parked(store: Store) -> Check:
    listed = {entry.said for cause in ("parked", "dispatch") for entry in store.listed[cause]}
    parked = [row for row in store.work if row[5]]
    wrong = [
        f"{network}.{kind} {key}: {said}"
        for network, kind, key, _, _, _, said in parked
        if f"{kind}: {said}" not in listed and not any(said in entry for entry in listed)
    ]
    return Check(ALL, "parked work, and listed", len(parked), wrong)


def _polls(conn: Connection, store: Store) -> Iterator[Check]:
    polls = conn.execute(SYNCS).fetchall()
    late = [
        f"{network} {stream} {party} last succeeded at {succeeded_at}"
        for network, stream, party, succeeded_at, _ in polls
        if stream not in DAILY and (succeeded_at is None or succeeded_at < store.now - BEHIND)
    ]
    yield Check(ALL, "polls that are up to date", len(polls), late)
    marks = conn.execute(WATERMARKS).fetchall()
    behind = [f"{party} stands at {high}" for _, _, party, high in marks if high < store.now - BEHIND]
    yield Check(ALL, "watermarks at the end", len(marks), behind)


def _folder(conn: Connection, folder: Path, dropped: Mapping[str, int]) -> Check:
    """Each file dropped is in done or rejected once, with its report; nothing else is left."""
    read = {name: (outcome, is_away) for name, outcome, is_away in conn.execute(FILES)}
    done, rejected = ({path.name for path in (folder / name).iterdir()} for name in ("done", "rejected"))
    wrong = [f"{path.name} still lies in {folder.name}" for path in folder.iterdir() if path.is_file()]
    for name in dropped:
        there = [place for place in (done, rejected) if name in place]
        if len(there) != 1:
            wrong.append(f"{name} was put away {len(there)} times")
        elif f"{name}.report.json" not in there[0]:
            wrong.append(f"{name} has no report")
        if read.get(name, ("", False))[1] is not True:
            wrong.append(f"{name}: {read.get(name, 'was not read')}")
    known = {*dropped, *(f"{name}.report.{kind}" for name in dropped for kind in ("json", "csv"))}
    wrong += [f"{name} is not what was dropped" for name in (done | rejected) - known]
    return Check(folder.name, "files, each read once and put away", len(dropped), wrong)
