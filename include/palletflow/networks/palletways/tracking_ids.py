"""The handler of TRACKING_ID: the tracking ID of a consignment that Palletways stored without naming it (contract 7.1).

A submission is answered with a response ID; the tracking ID may follow once the depot has accepted it.
"""

from collections.abc import Callable
from datetime import datetime, timedelta
from functools import partial

from palletflow.deployment import Deployment
from palletflow.networks.palletways import record, rules
from palletflow.networks.palletways.client import PalletwaysClient
from palletflow.networks.palletways.dispatch import is_ours, of_another
from palletflow.networks.palletways.tree import Tree
from palletflow.networks.palletways.work import ACTOR, LABEL, LOOK_UP, NETWORK, Reach
from palletflow.store import consignments, dispatch, work_items
from palletflow.store.connection import Connection
from palletflow.store.consignments import ConsignmentFacts, NoSuchConsignment
from palletflow.store.dispatch import DispatchTask, RegisteredByOther
from palletflow.work.handling import Result, WorkItem

# After the submission, then every hour for a day [PW-7.1-5].
LOOKS = (*(timedelta(minutes=minutes) for minutes in (1, 5, 15, 30)), *(timedelta(hours=hour) for hour in range(1, 25)))
GIVEN_UP = (
    "Palletways has the consignment and gave it no tracking ID within 24 hours: its depot may not have accepted it. "
    "Look for {reference} in the portal and enter its tracking ID, or requeue this once it is accepted"
)


def next_look(since: datetime, now: datetime) -> datetime | None:
    """When to ask again for what has been wanted `since` and is not known; None when it is given up after a day."""
    return next((since + after for after in LOOKS if since + after > now), None)


class TrackingIds:
    """See the module. Threads may share one."""

    def __init__(self, plan: Deployment, reach: Reach, clock: Callable[[], datetime]) -> None:
        self._plan, self._reach, self._clock = plan, reach, clock
        self._ours = plan.network(NETWORK).depots

    def __call__(self, conn: Connection, item: WorkItem) -> Result:
        """Looks once. Raises NetworkError, FileFault, ConnectionFlagged."""
        consignment_id = int(item.key)
        try:
            facts = consignments.facts(conn, consignment_id)
        except NoSuchConsignment:
            return Result()
        task = dispatch.of_consignment(conn, consignment_id)
        if facts.registered or task is None or task.state != "completed":
            return Result()
        client = self._reach(conn, facts.requesting_depot or next(iter(self._ours))).client
        for basics in self._shown(client, task, facts):
            tracking_id = record.entered_id(basics, client.settings.tracking_id_pattern)
            if tracking_id:
                return Result(partial(_store, task, tracking_id))
        look = next_look(task.finished_at or item.created_at, self._clock())
        return (
            Result(again_at=look)
            if look
            else Result(parked=GIVEN_UP.format(reference=task.network_reference or task.transaction_number))
        )

    def _shown(self, client: PalletwaysClient, task: DispatchTask, facts: ConsignmentFacts) -> list[Tree]:
        """What Palletways shows of it: by its response ID, else by our key, which another account may use as well."""
        if task.network_reference:
            return client.basics_by_response_id(task.network_reference)
        key = task.transaction_number
        account = rules.account(facts, self._plan.accounts_of(NETWORK, facts.customer_code))
        return [one for one in client.basics_by_reference(key) if is_ours(one, key, account)]


def _store(task: DispatchTask, tracking_id: str, conn: Connection) -> None:
    try:
        with conn.transaction():
            dispatch.numbered(conn, task, tracking_id, ACTOR)
    except RegisteredByOther as other:
        dispatch.warn(conn, task, [of_another(other).reason], ACTOR)
        return
    for kind in (LOOK_UP, LABEL):
        work_items.enqueue(conn, NETWORK, kind, [task.consignment_id])
