"""What of the house's figures somebody is to be told of: in which area, what, where, and what to do."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from itertools import groupby

from palletflow.airflow.house_health import API, DATABASE
from palletflow.checked_yaml import FileFault
from palletflow.deployment import Alerts
from palletflow.store.alerts import ATTENTION, Condition
from palletflow.store.figures import WAITS_TOO_LONG, Figures
from palletflow.syncs import SyncState

DAGS = "/dags"
SYNCS, WORK, QUARANTINE, HOUSE, AIRFLOW = "syncs", "work", "quarantine", "house", "airflow"

STORE_AWAY = Condition(
    "The order store does not answer",
    "The order store does not answer: nothing is imported, dispatched or shown. Check that Postgres runs, has room on "
    "its disk, and that the connection 'order_store' leads to it. Nothing is lost; everything goes on by itself.",
    "",
)
# What of it does not work, and what to do.
COMPONENTS = {
    API: "no task can start, and no page opens. Restart the api-server; its log says why it ended.",
    DATABASE: "no pipeline runs. Check that Postgres runs and has room on its disk.",
    "scheduler": "no pipeline runs. Restart the scheduler; its log says what it waits for.",
    "dag-processor": "changes to pipelines are not read and failures are not told. Restart the dag-processor.",
    "triggerer": "work that comes up waits for the sweep of every ten minutes, and late runs are not told. Restart the "
    "triggerer.",
}


def of_store(figures: Figures, settings: Alerts, now: datetime) -> dict[str, list[Condition]]:
    """By area, what the order store shows."""
    return {
        WORK: [*_parked(figures), *_waiting(figures, now)],
        QUARANTINE: [
            Condition(
                f"Quarantine grows: {one.network} {one.reason_code}",
                f"{one.lately} records of {one.network} were quarantined within an hour for {one.reason_code}; "
                f"{one.waiting} wait for that. Look at one of them: mend the setting it names, then replay them all.",
                f"{ATTENTION}/quarantine",
            )
            for one in figures.quarantine
            if one.lately >= settings.quarantined
        ],
        HOUSE: [*_flagged(figures), *_lost(figures)],
    }


def of_syncs(syncs: Sequence[SyncState]) -> list[Condition]:
    """The syncs that are stale, one condition a pipeline."""
    stale = sorted((sync for sync in syncs if sync.stale), key=lambda sync: sync.dag_id)
    found = []
    for dag_id, group in groupby(stale, key=lambda sync: sync.dag_id):
        said = "; ".join(
            f"{sync.network} {sync.what} of {sync.party}, last synced {_at(sync.succeeded_at)}" for sync in group
        )
        found.append(
            Condition(
                f"Not synced: {dag_id}",
                f"{dag_id} has not come to its end when it should have: {said}. Look whether the DAG is paused, its "
                "last run failed or there was none (then: the scheduler), or its connection is flagged. What was "
                "missed is read by itself.",
                f"{ATTENTION}/syncs",
            )
        )
    return found


def of_airflow(health: Mapping[str, bool]) -> list[Condition]:
    """The components of Airflow that give no sign of life."""
    return [
        Condition(
            f"Airflow's {name} gives no sign of life",
            f"Airflow's {name} gives no sign of life: {COMPONENTS[name]}",
            "" if name in (API, DATABASE) else DAGS,
        )
        for name, is_well in health.items()
        if not is_well
    ]


def of_deployment(fault: FileFault) -> Condition:
    """The deployment file, or a template it names, is wrong."""
    return Condition(
        "The deployment file cannot be used",
        f"The deployment file cannot be used: {fault}. No pipeline can read it either. Mend it; `palletflow "
        "check-deployment` says when it is good.",
        "",
    )


def _parked(figures: Figures) -> list[Condition]:
    return [
        Condition(
            f"Parked: {work.network} {work.kind}",
            f"Parked work of {work.network} {work.kind}: {work.parked}, the first since {_at(work.parked_since)}, "
            f"{work.parked_lately} within the last hour. Most often for: {work.parked_for[:300]}. Mend the cause, then "
            "press Try again.",
            f"{ATTENTION}/parked",
        )
        for work in figures.work
        if work.parked
    ]


def _waiting(figures: Figures, now: datetime) -> list[Condition]:
    return [
        Condition(
            f"Work waits: {work.network} {work.kind}",
            f"Work of {work.network} {work.kind} that is due: {work.due}, the first since {_at(work.due_since)}; "
            f"{work.held} of it being worked on. If none is: look whether the DAG is paused, and at its last run. If "
            "some are: the network is slower than what comes in, or answers late.",
            f"{ATTENTION}/overdue",
        )
        for work in figures.work
        if work.due_since is not None and now - work.due_since > WAITS_TOO_LONG
    ]


def _flagged(figures: Figures) -> list[Condition]:
    return [
        Condition(
            f"Connection {flagged.connection} is flagged",
            f"Connection {flagged.connection} is flagged since {_at(flagged.since)} and not used: {flagged.reason} "
            "Correct it in Airflow and press Test; the next run goes on.",
            f"{ATTENTION}/connections",
        )
        for flagged in figures.flagged
    ]


def _lost(figures: Figures) -> list[Condition]:
    if not figures.lost_documents:
        return []
    return [
        Condition(
            "Documents are lost",
            f"Documents whose bytes are not where documents lie: {figures.lost_documents}. Look whether the storage is "
            "the right one and whole; if it is, copy `documents` of the backup folder over it, as the runbook says.",
            f"{ATTENTION}/lost-documents",
        )
    ]


def _at(moment: datetime | None) -> str:
    return f"{moment:%a %d %b %H:%M} UTC" if moment else "never"
