"""Where a person is needed now, for the first lines of the desk: one sentence a cause, and where it is seen to.

What can wait stands on the page Needs attention alone.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from palletflow.deployment import Deployment
from palletflow.desk import needs
from palletflow.desk.needs import CAUSES, Urgency
from palletflow.desk.pages.render import count, span
from palletflow.desk.pages.telling import network_name
from palletflow.desk.pipelines import Pipeline
from palletflow.desk.plan import Networks
from palletflow.discovery import network_names
from palletflow.store.connection import Connection
from palletflow.store.needs import MOST, Asked, Entry
from palletflow.syncs import SyncState

CONNECTIONS, SYNCS = "connections", "syncs"
# Of a cause that is told one by one, so many, and so much of what each says.
LISTED_MOST, SAID_MOST = 20, 300


class Needed(NamedTuple):
    """What a person is needed for. `link`: where it is seen to, on the desk or else on Airflow's own page."""

    said: str
    link: str
    on_desk: bool = True


def refused(conn: Connection, networks: Networks, question: Asked) -> list[Entry]:
    """Connections that are not used until a check passes, and networks that answer nobody; `name` is whose."""
    return needs.entries(conn, networks, CONNECTIONS, question, subjects=None, most=LISTED_MOST)


def paused_ones(pipelines: Mapping[str, Pipeline], plan: Deployment) -> set[str]:
    """The DAG ids of those that are paused, without those of networks that this deployment does not use."""
    unused = tuple(f"{network}_" for network in network_names() if network not in plan.networks)
    return {one.dag_id for one in pipelines.values() if one.paused and not one.dag_id.startswith(unused)}


def needed(
    conn: Connection,
    networks: Networks,
    question: Asked,
    *,
    syncs: Sequence[SyncState],
    not_used: Sequence[Entry],
    paused: set[str],
) -> list[Needed]:
    """All that is urgent. `not_used`: as refused(); `paused`: DAG ids of pipelines that do not run.

    What is late because its pipeline is paused or its connection is not used is told by these.
    """
    return [
        *(
            Needed(f"The pipeline {dag_id} is paused: unpause it in Airflow", f"/dags/{dag_id}", on_desk=False)
            for dag_id in sorted(paused)
        ),
        *(Needed(f"{one.name}: {one.said[:SAID_MOST]}", f"/attention/{CONNECTIONS}") for one in not_used),
        *_late(networks.plan, syncs, {one.name for one in not_used}, paused),
        *_counted(conn, networks, question),
    ]


def _late(plan: Deployment, syncs: Sequence[SyncState], not_used: set[str], paused: set[str]) -> Iterable[Needed]:
    late: dict[tuple[str, str], list[SyncState]] = {}
    for sync in syncs:
        connections = {plan.networks[sync.network].depots[depot] for depot in sync.depots}
        if sync.stale and sync.dag_id not in paused and not (connections and connections <= not_used):
            late.setdefault((sync.network, sync.what), []).append(sync)
    for (network, what), of in late.items():
        depots = ", ".join(depot for sync in of for depot in sync.depots)
        longest = span(max(sync.behind for sync in of))
        whose = f" of {depots}" if depots else ""
        yield Needed(
            f"{network_name(network)}: {what}{whose} should have been read {longest} ago", f"/attention/{SYNCS}"
        )


def _counted(conn: Connection, networks: Networks, question: Asked) -> Iterable[Needed]:
    for cause in CAUSES.values():
        if cause.urgency is not Urgency.NOW or cause.code in (CONNECTIONS, SYNCS):
            continue
        held = needs.counted(conn, networks, cause, question)
        total = sum(one.count for one in held)
        if total:
            number = f"more than {count(MOST)}" if total > MOST else count(total)
            of = ", ".join(network_name(one.network) for one in held)
            yield Needed(f"{cause.title}: {number} ({of})", f"/attention/{cause.code}")
