"""Where a person is needed, for the first lines of the desk: one sentence a cause, and where it is mended."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import NamedTuple

from palletflow.deployment import Deployment
from palletflow.desk.pages.render import count, span
from palletflow.desk.pages.telling import network_name
from palletflow.desk.pipelines import Pipeline
from palletflow.discovery import network_names
from palletflow.store.connection_flags import Flag
from palletflow.store.today import MOST, WHOLE, Today
from palletflow.syncs import SyncState

SAID_MOST = 300


class Need(NamedTuple):
    """What a person is needed for. `link`: where it is mended, on the desk or else on Airflow's own page."""

    said: str
    link: str
    on_desk: bool = True


def needs(
    plan: Deployment,
    found: Today,
    syncs: Sequence[SyncState],
    flags: Sequence[Flag],
    paused: Collection[str],
) -> list[Need]:
    """All of it, what concerns single consignments last. `paused`: DAG ids of pipelines that do not run.

    What is late because its pipeline is paused or its connection flagged is told by these.
    """
    flagged = {flag.connection for flag in flags}
    late: dict[tuple[str, str, str], list[SyncState]] = {}
    for sync in syncs:
        connections = {plan.networks[sync.network].depots[depot] for depot in sync.depots}
        if sync.stale and sync.dag_id not in paused and not (connections and connections <= flagged):
            late.setdefault((sync.network, sync.what, sync.dag_id), []).append(sync)
    return [
        *(
            Need(f"The pipeline {dag_id} is paused: unpause it in Airflow", f"/dags/{dag_id}", on_desk=False)
            for dag_id in sorted(paused)
        ),
        *(
            Need(
                f"The connection {flag.connection} is not used until a check passes: {flag.reason[:SAID_MOST]}",
                "/connections",
                on_desk=False,
            )
            for flag in flags
        ),
        *(
            Need(_late(network, what, of), f"/dags/{dag_id}", on_desk=False)
            for (network, what, dag_id), of in late.items()
        ),
        *_of_consignments(found),
    ]


def paused_ones(pipelines: Mapping[str, Pipeline], plan: Deployment) -> set[str]:
    """The DAG ids of those that are paused, without those of networks that this deployment does not use."""
    unused = tuple(f"{network}_" for network in network_names() if network not in plan.networks)
    return {one.dag_id for one in pipelines.values() if one.paused and not one.dag_id.startswith(unused)}


def _late(network: str, what: str, syncs: Sequence[SyncState]) -> str:
    depots = [depot for sync in syncs for depot in sync.depots]
    of = f" of {', '.join(depots)}" if depots else ""
    late = max(sync.behind for sync in syncs)
    return f"{network_name(network)}: {what}{of} should have been read {span(late)} ago"


def _of_consignments(found: Today) -> Iterable[Need]:
    whole = {network: figures for (network, depot), figures in found.figures.items() if depot == WHOLE}
    for by_network, one, many, link in (
        (
            {name: of.parked for name, of in whole.items()},
            "piece of work is parked",
            "pieces of work are parked",
            "/attention/parked",
        ),
        (
            {name: of.failed for name, of in whole.items()},
            "dispatch has failed",
            "dispatches have failed",
            "/attention/dispatch",
        ),
        (found.quarantined, "record is in quarantine", "records are in quarantine", "/attention"),
    ):
        some = {network: number for network, number in sorted(by_network.items()) if number}
        total = sum(some.values())
        if total:
            number = f"More than {count(MOST)}" if total > MOST else count(total)
            of = ", ".join(f"{network_name(network)} {count(part)}" for network, part in some.items())
            yield Need(f"{number} {one if total == 1 else many} ({of})", link)
