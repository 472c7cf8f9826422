"""Everything a drain of Palletforce's dispatch work runs: one handler a kind."""

from collections.abc import Callable, Mapping
from datetime import datetime

from palletflow.deployment import Deployment
from palletflow.documents.storage import Storage
from palletflow.network_errors import NotSent
from palletflow.networks.palletforce import own_labels
from palletflow.networks.palletforce.dispatch import Dispatcher
from palletflow.networks.palletforce.mapper import NETWORK, preview
from palletflow.networks.palletforce.network_labels import LabelFetcher
from palletflow.networks.palletforce.routing import Router
from palletflow.networks.palletforce.work import (
    DISPATCH,
    NETWORK_LABELS,
    OWN_LABELS,
    ROUTING,
    Reach,
    requesting_depot,
)
from palletflow.store.connection import Connection
from palletflow.store.consignments import ConsignmentFacts
from palletflow.work.flagged import ConnectionFlagged
from palletflow.work.handling import Handler, Result, WorkItem


def handlers(plan: Deployment, reach: Reach, storage: Storage, clock: Callable[[], datetime]) -> Mapping[str, Handler]:
    """The handlers of DISPATCH, ROUTING, NETWORK_LABELS and OWN_LABELS. Raises FileFault for template and plan."""
    template = preview(plan).template

    def draw_labels(conn: Connection, item: WorkItem) -> Result:
        def look_up(facts: ConsignmentFacts) -> str:
            depot = requesting_depot(plan, reach, conn, facts.requesting_depot)
            try:
                access = reach(conn, depot)
            except ConnectionFlagged as error:
                # Labels need no network: without an answer they are provisional.
                raise NotSent(plan.network(NETWORK).depots[depot], "FetchManifest", str(error)) from error
            return own_labels.fetched_depot(access.client, access.mapper, facts.tracking_number)

        return own_labels.handler(template, storage, look_up)(conn, item)

    return {
        DISPATCH: Dispatcher(plan, reach, clock),
        ROUTING: Router(plan, reach, clock),
        NETWORK_LABELS: LabelFetcher(plan, reach, storage, clock),
        OWN_LABELS: draw_labels,
    }
