"""The watch: a process beside Airflow that looks once a minute at the order store and at Airflow's health.

It sees what no run can tell of: that there was no run. It raises and ends alerts, tells those that anybody has raised,
and emits the metrics. Where several run, one looks and the others stand by. It goes on while the order store or Airflow
is away: what it finds then it tells directly, by the connections it knew last.
"""

import logging
import signal
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from airflow.sdk.exceptions import AirflowNotFoundException

from palletflow import deployment, syncs
from palletflow.airflow import conditions, house_health, metrics, notify, order_store
from palletflow.airflow.conditions import AIRFLOW, HOUSE, STORE_AWAY, SYNCS
from palletflow.airflow.house_health import DATABASE, NoAnswer
from palletflow.airflow.metrics import Meter, Reading
from palletflow.airflow.notify import FAILED, LATE, RUNS
from palletflow.airflow.server_process import become_part_of_the_server
from palletflow.checked_yaml import FileFault
from palletflow.deployment import Alerts, Deployment
from palletflow.store import alerts, figures, session_lock
from palletflow.store.alerts import Condition
from palletflow.store.connection import Connection, ConnectionLost, DatabaseUnavailable
from palletflow.store.figures import Counter

EVERY_S = 60.0
# What of the runs that were told of is still so: by the end of an alert's subject.
STILL: dict[str, Callable[[str, datetime], bool]] = {FAILED: house_health.still_fails, LATE: house_health.still_late}

log = logging.getLogger(__name__)


def main(sign: Path | None) -> None:
    """Watches until it is asked to end; `sign` is touched after every look."""
    become_part_of_the_server()
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    Watch(sign=sign).run(stop)


@dataclass
class Watch:
    """What the watch works with: how it opens the order store, asks for Airflow's health, knows whom to tell."""

    connect: Callable[[], Connection] = order_store.connect
    health: Callable[[], Mapping[str, bool]] = house_health.airflow_health
    ways: Callable[[], Mapping[str, Any]] = notify.known_ways
    load: Callable[[], Deployment] = deployment.load
    meter: Meter = field(default_factory=Meter)
    # Touched after every look, and while another watch looks.
    sign: Path | None = None
    _counter: Counter = field(default_factory=Counter)
    # What is told is known to last: it was seen in the look before as well.
    _seen: set[str] = field(default_factory=set)
    _ways: Mapping[str, Any] = field(default_factory=dict)
    # What was told while the order store was away, and when last.
    _told_directly: dict[str, datetime] = field(default_factory=dict)
    _settings: Alerts = field(default_factory=Alerts)

    def run(self, stop: threading.Event, every_s: float = EVERY_S) -> None:
        """Looks once in so many seconds, if no other watch does."""
        stands_by = False
        while not stop.is_set():
            try:
                with self.connect() as conn, session_lock.alone(conn, "watch") as alone:
                    if alone:
                        log.info("Watching")
                    elif not stands_by:
                        log.info("Another watch is looking; standing by")
                    stands_by = not alone
                    while alone and not stop.is_set():
                        self._look_whatever_happens(conn)
                        self._give_sign()
                        stop.wait(every_s)
            except (DatabaseUnavailable, ConnectionLost, AirflowNotFoundException) as error:
                log.warning("The order store does not answer: %s", type(error).__name__)
                self.look_without_store()
            self._give_sign()
            stop.wait(every_s)

    def look(self, conn: Connection) -> None:
        """One look at everything. Raises ConnectionLost."""
        now = datetime.now(UTC)
        health = self._airflow()
        seen = figures.read(conn)
        found = {**conditions.of_store(seen, self._settings, now), AIRFLOW: conditions.of_airflow(health)}
        states = []
        try:
            plan = self.load()
            self._settings = plan.alerts
            syncs.expect(conn, plan)
            states = syncs.syncs_of(conn, plan, now)
            found[SYNCS] = conditions.of_syncs(states)
        except FileFault as fault:
            found[HOUSE].append(conditions.of_deployment(fault))
        self._store_answers(found)
        self._settle(conn, found, blind=[] if health[DATABASE] else [AIRFLOW])
        self._settle_runs(conn)
        notify.tell_alerts(conn, self._ways, nobody=health[DATABASE])
        alerts.tidy(conn)
        figures.looked(conn)
        self.meter.emit(
            [
                *metrics.of_store(seen, now),
                *metrics.of_syncs(states),
                *metrics.of_counts(self._counter.count(conn)),
                *metrics.of_airflow(health),
                Reading("looks", 1),
            ]
        )

    def look_without_store(self) -> None:
        """One look at what can be seen while the order store is away; tells directly what lasts."""
        health = self._airflow()
        found = [STORE_AWAY, *conditions.of_airflow(health)]
        again, now = timedelta(hours=self._settings.again_h), datetime.now(UTC)
        for condition in self._lasting(found):
            told_at = self._told_directly.get(condition.subject)
            if told_at is None or now - told_at >= again:
                notify.send(condition.subject, notify.with_link(condition.message, condition.link), self._ways)
                self._told_directly[condition.subject] = now
        self._end_directly({condition.subject for condition in found})
        self.meter.emit(
            [Reading("order_store_up", 0), *metrics.of_airflow(health), Reading("looks", 1)],
            whole=False,
        )

    def _look_whatever_happens(self, conn: Connection) -> None:
        """A look that fails is no reason to stop watching. Raises ConnectionLost."""
        try:
            self.look(conn)
        except ConnectionLost:
            raise
        except Exception:
            log.exception("This look failed; the next one comes in a minute")

    def _give_sign(self) -> None:
        if self.sign is not None:
            self.sign.touch()

    def _airflow(self) -> Mapping[str, bool]:
        health = self.health()
        if health[DATABASE]:
            self._ways = self.ways()
        return health

    def _settle(self, conn: Connection, found: Mapping[str, list[Condition]], blind: list[str]) -> None:
        """Keeps which conditions last; of an area that could not be seen whole nothing is over."""
        lasting = {condition.subject for condition in self._lasting([one for area in found.values() for one in area])}
        again_s = self._settings.again_h * notify.HOUR_S
        for area in (*found, *({SYNCS} - found.keys())):
            standing = alerts.standing(conn, area)
            if area in blind or area not in found:
                alerts.still_stand(conn, standing)
            begun = [one for one in found.get(area, []) if one.subject in lasting or one.subject in standing]
            alerts.settle(conn, area, begun, again_s)

    def _lasting(self, found: list[Condition]) -> list[Condition]:
        """Those that were seen in the look before too."""
        before, self._seen = self._seen, {condition.subject for condition in found}
        return [condition for condition in found if condition.subject in before]

    def _settle_runs(self, conn: Connection) -> None:
        """Ends alerts of runs, which runs raise, when Airflow says that they are over."""
        standing = alerts.standing(conn, RUNS)
        alerts.still_stand(conn, [subject for subject, since in standing.items() if _still_so(subject, since)])
        alerts.settle(conn, RUNS, [], 0)

    def _store_answers(self, found: Mapping[str, list[Condition]]) -> None:
        """Tells that it is over what was told directly; what lasts is the order store's to tell from now on."""
        if self._told_directly:
            self._end_directly({condition.subject for area in found.values() for condition in area})
            self._told_directly.clear()

    def _end_directly(self, lasting: set[str]) -> None:
        for subject in self._told_directly.keys() - lasting:
            notify.send(f"Over: {subject}", f"Over: {subject}.", self._ways)
            del self._told_directly[subject]


def _still_so(subject: str, since: datetime) -> bool:
    for ending, is_so in STILL.items():
        if subject.endswith(ending):
            try:
                return is_so(subject.removesuffix(ending), since)
            except NoAnswer:
                return True
    return False
