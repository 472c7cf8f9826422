"""The work queue in Airflow: what wakes a DAG that drains it, and the task that does.

    schedule = work_schedule("nexus_dispatch", "nexus", ["dispatch", "label"])
    with DAG("nexus_dispatch", schedule=schedule, **work_settings(), ...):
        NexusDispatchOperator(task_id="drain")

A watcher in the triggerer starts a run when work is due that nobody attends to; a slow sweep by the clock stands behind
it. The run's one task works off what is due and lingers for more, so a burst is one run.
"""

import logging
import threading
from collections.abc import AsyncIterator, Collection, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from datetime import timedelta
from functools import partial
from typing import Any

from airflow.sdk import Asset, AssetOrTimeSchedule, AssetWatcher, BaseOperator, Context, CronTriggerTimetable, Param
from airflow.triggers.base import BaseEventTrigger, TriggerEvent

from palletflow import deployment
from palletflow.airflow import order_store
from palletflow.airflow.defaults import dag_settings
from palletflow.airflow.notify import tell_alerts
from palletflow.deployment import Deployment
from palletflow.store import work_items
from palletflow.store.connection import connect
from palletflow.work.backoff import Backoff
from palletflow.work.drain import drain
from palletflow.work.handling import Handler
from palletflow.work.watch import unattended_work

SWEEP = "*/10 * * * *"
# A drain begins nothing more before the next sweep is due, and what it has begun ends long before the task's timeout.
MOST_S = 8 * 60.0
LINGER_S = 20.0
# Of a drain that waits for a worker, above pulls: somebody waits for what it does.
PRIORITY = 10
REQUEUE_PARAMS = {
    "ids": Param(
        None,
        type=["null", "array"],
        items={"type": "integer"},
        title="Item ids",
        description="Only these parked items; empty takes all that the other fields leave.",
    ),
    "network": Param(None, type=["null", "string"], title="Network", description="Only items of this network."),
    "kind": Param(None, type=["null", "string"], title="Kind", description="Only items of this kind, e.g. dispatch."),
    "reason": Param(
        None,
        type=["null", "string"],
        title="Reason",
        description="Only items parked for a reason with these words in it, e.g. HTTP 500 after an outage.",
    ),
}

log = logging.getLogger(__name__)


class WorkTrigger(BaseEventTrigger):
    """Fires when an item of a network's kinds is due and no drain is there to find it."""

    def __init__(self, network: str, kinds: Collection[str]) -> None:
        super().__init__()
        self.network, self.kinds = network, list(kinds)

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Equal triggers are one in the triggerer."""
        return f"{__name__}.{type(self).__name__}", {"network": self.network, "kinds": self.kinds}

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Never ends; survives the loss of the order store."""
        async for _ in unattended_work(order_store.dsn_in_triggerer, self.network, self.kinds):
            yield TriggerEvent({"network": self.network, "kinds": self.kinds})


def work_schedule(name: str, network: str, kinds: Collection[str]) -> AssetOrTimeSchedule:
    """The schedule of a DAG that drains these kinds; `name` is the DAG's and names asset and watcher in the page."""
    watcher = AssetWatcher(name=f"{name}_watcher", trigger=WorkTrigger(network, kinds))
    due = Asset(name=f"{name}_due", watchers=[watcher])
    return AssetOrTimeSchedule(timetable=CronTriggerTimetable(SWEEP, timezone="UTC"), assets=[due])


def work_settings() -> dict[str, Any]:
    """Keyword arguments for a DAG that drains: those of every DAG, but a second run may start beside the first.

    The first may be there and do nothing for minutes: its worker died and Airflow has not missed it yet, it waits for
    its retry, or it only ends what it has begun. Two drains do no harm to each other, and a needless one ends at once.
    """
    settings = dag_settings(deadline=timedelta(minutes=20))
    settings["default_args"]["priority_weight"] = PRIORITY
    return {**settings, "max_active_runs": 2}


class DrainOperator(BaseOperator):
    """Works off what is due of a network's kinds; XCom gets {kind: {outcome: count}}.

    A subclass says `network` and `limits`, how many items of each kind at once, and gives the handlers.
    """

    network: str
    limits: Mapping[str, int]
    # Of kinds that are not to be given up as others are.
    backoffs: Mapping[str, Backoff] = {}
    linger_s: float = LINGER_S
    _stop: threading.Event | None = None

    def handlers(self, context: Context) -> AbstractContextManager[Mapping[str, Handler]]:
        """The handler of each kind; clients and budgets they use are open while the task works."""
        raise NotImplementedError

    def execute(self, context: Context) -> dict[str, dict[str, int]]:
        """Raises DatabaseUnavailable, ConnectionLost, and what opening the handlers raises; no item's failure."""
        self._stop = stop = threading.Event()
        # Read here, once: the threads of a task do not ask Airflow for connections.
        open_connection = partial(connect, order_store.dsn())
        with self.handlers(context) as handlers:
            counts = drain(
                open_connection,
                self.network,
                handlers,
                self.limits,
                linger_s=self.linger_s,
                most_s=MOST_S,
                stop=stop,
                backoffs=self.backoffs,
            )
        with order_store.connect() as conn:
            tell_alerts(conn)
        for kind, outcomes in counts.items():
            self.log.info("%s: %s", kind, ", ".join(f"{count} {outcome}" for outcome, count in outcomes.items()))
        return counts

    def on_kill(self) -> None:
        """Begins nothing more; what is begun may end, and what does not comes due again by itself."""
        if self._stop is not None:
            self._stop.set()


class NetworkDrainOperator(DrainOperator):
    """A DrainOperator whose handlers reach a network through the connections of our depots.

    A subclass says besides what opens the ways there, and which handlers go them.
    """

    @staticmethod
    def reaching(plan: Deployment) -> AbstractContextManager[Any]:
        """The ways to the network, open while the task works."""
        raise NotImplementedError

    def handlers_of(self, plan: Deployment, reach: Any) -> Mapping[str, Handler]:
        """The handler of each kind, over what `reaching` gave. Raises FileFault."""
        raise NotImplementedError

    @contextmanager
    def handlers(self, context: Context) -> Iterator[Mapping[str, Handler]]:
        """Raises FileFault, DatabaseUnavailable."""
        plan = deployment.load()
        with self.reaching(plan) as reach:
            yield self.handlers_of(plan, reach)


def requeue_parked(context: Context) -> int:
    """Releases the parked items that the trigger form asks for; how many."""
    asked = {name: context["params"][name] or None for name in REQUEUE_PARAMS}
    with order_store.connect() as conn:
        count = work_items.requeue(conn, **asked)
        left = sum(kind.parked for kind in work_items.counts(conn))
    log.info("Released %d parked items, %d stay parked", count, left)
    return count
