"""Which syncs a deployment should have, and how each of them stands: for the order desk, alerts and metrics.

A sync is one stream of a network that is read by the clock for one party: a depot of ours, the connection that several
of them share, or a place that files come from. Each network says in its `entry.synced` which it has, so that one that
never ran at all is known too.

**Stale** is a sync of which the next run should have come to its end: now is later than the next run was due by more
than one interval of its schedule, but never by less than LEEWAY. One that never ran was due when it became known that
there should be one, which is when the deployment file first named it.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from palletflow.deployment import Deployment, NetworkDeployment
from palletflow.discovery import network_part
from palletflow.store import syncs
from palletflow.store.connection import Connection

LEEWAY = timedelta(minutes=10)
FILES = "files"
FILES_EVERY = timedelta(minutes=5)


class Synced(NamedTuple):
    """A sync that a network should have. `what` it reads, in words; `depots` of ours that it concerns; the DAG that
    runs it and how far apart its runs are as it is shipped. `once_run`: only its connection knows whether it is
    switched on, so it is expected as long as its last run found it so."""

    stream: str
    party: str
    what: str
    depots: tuple[str, ...]
    dag_id: str
    every: timedelta
    once_run: bool = False


class SyncState(NamedTuple):
    """How one stands. `succeeded_at`: end of its last run that came to one, None before the first; `next_due_at`: when
    the one after it is due; `read_to`: up to when its feed is read, None when it has none.

    `behind`: for how long something has been missing that should be here: since the next run was due, or since what the
    last one left undone came up; zero while all is as planned.
    """

    network: str
    stream: str
    party: str
    what: str
    depots: tuple[str, ...]
    dag_id: str
    read_to: datetime | None
    succeeded_at: datetime | None
    next_due_at: datetime | None
    behind: timedelta
    stale: bool


def expected(plan: Deployment) -> list[tuple[str, Synced]]:
    """Every (network, sync) that the deployment file asks for, in its order."""
    return [(network, sync) for network in plan.networks for sync in _of(network, plan)]


def expect(conn: Connection, plan: Deployment) -> None:
    """Keeps since when each of them is asked for; whoever reads the deployment file anew calls it."""
    syncs.expect(conn, [(network, sync.stream, sync.party) for network, sync in expected(plan) if not sync.once_run])


def syncs_of(conn: Connection, plan: Deployment, now: datetime) -> list[SyncState]:
    """How every sync stands that the deployment should have, in the order of its file."""
    held = syncs.listed(conn)
    return [
        _state(network, sync, held.get((network, sync.stream, sync.party)), now)
        for network, sync in expected(plan)
        if not sync.once_run or (network, sync.stream, sync.party) in held
    ]


def of_files(network: str, ours: NetworkDeployment) -> list[Synced]:
    """The syncs of a network that takes files, for its `entry.synced`: one for each place that they come from."""
    places = {"folder": ours.folder, "sftp": ours.sftp}
    return [
        Synced(FILES, place, f"files ({place})", (), f"{network}_files", FILES_EVERY)
        for place, where in places.items()
        if where is not None
    ]


def _of(network: str, plan: Deployment) -> Sequence[Synced]:
    found: Sequence[Synced] = network_part(network, "entry").synced(plan)
    return found


def _state(network: str, sync: Synced, held: syncs.Sync | None, now: datetime) -> SyncState:
    none = timedelta(0)
    due_at = (held.next_due_at or held.expected_since) if held else now
    overdue = max(now - due_at, none)
    left = now - held.succeeded_at + held.lag if held and held.succeeded_at and held.lag else none
    return SyncState(
        network,
        sync.stream,
        sync.party,
        sync.what,
        sync.depots,
        sync.dag_id,
        held.read_to if held else None,
        held.succeeded_at if held else None,
        held.next_due_at if held else None,
        max(overdue, left),
        overdue > max(LEEWAY, sync.every),
    )
