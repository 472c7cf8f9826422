"""Our metrics, by the way that Airflow's settings [metrics] statsd_on or otel_on say; nothing without them.

Names are `palletflow.…` after Airflow's prefix, all values of labels are tags: StatsD needs `statsd_influxdb_enabled`
for them, which include/airflow.env sets.
"""

import logging
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from airflow.configuration import conf
from airflow.observability import stats
from airflow.observability.metrics.stats_utils import get_stats_factory

from palletflow.store.figures import Counts, Figures
from palletflow.syncs import SyncState

PREFIX = "palletflow."
GAUGE, COUNTER = "gauge", "counter"


class Metric(NamedTuple):
    """`labels`: in the order in which readings give their values."""

    kind: str
    labels: tuple[str, ...]
    what: str


METRICS = {
    "sync_behind_seconds": Metric(GAUGE, ("network", "stream", "party"), "how long something has been missing"),
    "sync_stale": Metric(GAUGE, ("network", "stream", "party"), "1: its next run should have come to its end"),
    "imported": Metric(COUNTER, ("network", "stream", "outcome"), "records by what became of them"),
    "dispatched": Metric(COUNTER, ("network", "outcome"), "consignments accepted, stopped before sending, refused"),
    "dispatches_open": Metric(GAUGE, ("state",), "consignments todo, waiting, failed, unknown"),
    "work_due": Metric(GAUGE, ("network", "kind"), "items to be done now"),
    "work_due_seconds": Metric(GAUGE, ("network", "kind"), "for how long the oldest of them has been due"),
    "work_held": Metric(GAUGE, ("network", "kind"), "items being worked on"),
    "work_parked": Metric(GAUGE, ("network", "kind"), "items that wait for a person"),
    "quarantined": Metric(GAUGE, ("network", "reason"), "records that wait for a person"),
    "quarantined_files": Metric(GAUGE, ("network",), "files of the last day that were not what they should be"),
    "statuses_told": Metric(COUNTER, ("network", "outcome"), "statuses of ours that networks took or refused"),
    "photo_searches": Metric(COUNTER, ("network", "outcome"), "searches for photos of deliveries: found, none"),
    "uploads": Metric(COUNTER, ("network", "outcome"), "documents and photos to networks: done, refused, failed"),
    "calls": Metric(GAUGE, ("group",), "calls of the last minute that share a limit"),
    "calls_background": Metric(GAUGE, ("group",), "of background work among them"),
    "calls_stopped": Metric(GAUGE, ("group",), "1: nobody calls now"),
    "calls_in_flight": Metric(GAUGE, ("connection",), "calls that have not been answered yet"),
    "connections_flagged": Metric(GAUGE, (), "connections that are not used until they are corrected"),
    "documents_lost": Metric(GAUGE, (), "documents whose bytes were not found"),
    "alerts_standing": Metric(GAUGE, ("area",), "conditions that last"),
    "alerts_told": Metric(COUNTER, (), "messages that people got"),
    "order_store_up": Metric(GAUGE, (), "1: it answers"),
    "airflow_up": Metric(GAUGE, ("component",), "1: it gives signs of life"),
    "looks": Metric(COUNTER, (), "looks of the watch at the house, one a minute"),
}

log = logging.getLogger(__name__)


class Reading(NamedTuple):
    """A metric's value for these values of its labels."""

    name: str
    value: float
    labels: tuple[str, ...] = ()


def of_store(figures: Figures, now: datetime) -> list[Reading]:
    """The levels of the order store."""
    readings = [
        Reading("order_store_up", 1),
        Reading("connections_flagged", len(figures.flagged)),
        Reading("documents_lost", figures.lost_documents),
    ]
    for work in figures.work:
        labels = (work.network, work.kind)
        waited_s = (now - work.due_since).total_seconds() if work.due_since else 0.0
        readings += [
            Reading("work_due", work.due, labels),
            Reading("work_due_seconds", max(waited_s, 0.0), labels),
            Reading("work_held", work.held, labels),
            Reading("work_parked", work.parked, labels),
        ]
    for window in figures.windows:
        readings += [
            Reading("calls", window.calls, (window.name,)),
            Reading("calls_background", window.background, (window.name,)),
            Reading("calls_stopped", window.paused or window.silent, (window.name,)),
        ]
    for budget in figures.budgets:
        readings += [
            Reading("calls_in_flight", budget.in_flight, (budget.name,)),
            Reading("calls_stopped", budget.paused, (budget.name,)),
        ]
    readings += [Reading("quarantined", one.waiting, (one.network, one.reason_code)) for one in figures.quarantine]
    for name, levels in (
        ("dispatches_open", figures.dispatches),
        ("quarantined_files", figures.quarantined_files),
        ("alerts_standing", figures.standing),
    ):
        readings += [Reading(name, count, (label,)) for label, count in levels.items()]
    return readings


def of_syncs(syncs: Sequence[SyncState]) -> list[Reading]:
    """How every sync stands."""
    return [
        reading
        for sync in syncs
        for labels in [(sync.network, sync.stream, sync.party)]
        for reading in (
            Reading("sync_behind_seconds", sync.behind.total_seconds(), labels),
            Reading("sync_stale", sync.stale, labels),
        )
    ]


def of_counts(counts: Counts) -> list[Reading]:
    """What came since the last look."""
    return [
        Reading(name, number, tuple(dict(labels)[label] for label in METRICS[name].labels))
        for (name, labels), number in counts.items()
    ]


def of_airflow(health: Mapping[str, bool]) -> list[Reading]:
    """Which components of Airflow live."""
    return [Reading("airflow_up", is_well, (name,)) for name, is_well in health.items()]


class Meter:
    """Emits readings. What was a level once and is none any more becomes 0, where it would stay for ever."""

    def __init__(self) -> None:
        self._levels: set[tuple[str, tuple[str, ...]]] = set()
        self._by_statsd = conf.getboolean("metrics", "statsd_on")
        _initialize()

    def emit(self, readings: Iterable[Reading], *, whole: bool = True) -> None:
        """`whole`: these are all levels there are."""
        if self._by_statsd:
            _initialize()  # looks up its host's address again, which changes when a container is made anew
        levels = set()
        for name, value, labels in readings:
            if METRICS[name].kind == COUNTER:
                stats.incr(PREFIX + name, int(value), tags=_tags(name, labels))
            else:
                levels.add((name, labels))
                stats.gauge(PREFIX + name, float(value), tags=_tags(name, labels))
        if whole:
            for name, labels in self._levels - levels:
                stats.gauge(PREFIX + name, 0.0, tags=_tags(name, labels))
        self._levels |= levels


def _initialize() -> None:
    stats.initialize(
        factory=get_stats_factory(), export_legacy_names=conf.getboolean("metrics", "legacy_names_on", fallback=True)
    )


def _tags(name: str, labels: tuple[str, ...]) -> dict[str, Any]:
    """With values of the signs that StatsD allows."""
    return {
        label: stats.normalize_name_for_stats(value or "none", log_warning=False)
        for label, value in zip(METRICS[name].labels, labels, strict=True)
    }
