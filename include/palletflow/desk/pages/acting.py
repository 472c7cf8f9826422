"""What a person does to one consignment. Each is one transaction, stands in the history with who did it, and does
nothing when it is asked for once more."""

from collections.abc import Callable
from datetime import UTC, datetime

from palletflow.desk.context import Context
from palletflow.desk.entering import Clerk
from palletflow.desk.label_jobs import facts_of
from palletflow.desk.mending import ASKED_S
from palletflow.desk.pages.telling import work_words
from palletflow.desk.pages.why import exchange_facts
from palletflow.desk.pipelines import CannotStart, Pipelines
from palletflow.desk.refusals import Refused, conflict, unknown
from palletflow.discovery import network_part
from palletflow.orders.exchange import ByHand
from palletflow.store import activity, consignments, dispatch, photo_uploads, standing, timeline, work_items
from palletflow.store.connection import Connection
from palletflow.store.consignments import ConsignmentFacts, NoSuchConsignment
from palletflow.store.dispatch import DispatchRefused
from palletflow.work import follows

SOURCE = "order desk"
DONE_MEANWHILE = "done-meanwhile"


def locked(conn: Connection, consignment_id: int) -> ConsignmentFacts:
    """The consignment, which nobody else changes until the transaction ends. Raises Refused 404."""
    try:
        return consignments.facts(conn, consignment_id, locked=True)
    except NoSuchConsignment as error:
        raise unknown("consignment", "id", consignment_id) from error


def retry(within: Context, consignment_id: int, item_id: int) -> str:
    """Tries one piece of its work again now; what the page says. Raises Refused 404 for work of another one."""
    conn = within.conn
    with conn.transaction():
        facts = locked(conn, consignment_id)
        item = work_items.one(conn, item_id)
        if item is None:
            return DONE_MEANWHILE
        if item.network != facts.network or item.key.partition(":")[0] != str(consignment_id):
            raise Refused(404, f"Work item {item_id} is not of this consignment", [])
        if item.held or (item.parked_at is None and item.due_at <= datetime.now(UTC)):
            return "retried"
        work_items.enqueue(conn, item.network, item.kind, [item.key])
        said = {"work": ["parked" if item.parked_at else "waiting", work_words(item.kind, item.key, item.network)]}
        activity.record(conn, consignment_id, "retry asked for", within.actor, SOURCE, said)
        return "retried"


def by_hand(within: Context, consignment_id: int) -> list[ByHand]:
    """What can be asked for now of a consignment. Raises Refused 404."""
    held = standing.standing(within.conn, consignment_id)
    if held is None:
        raise unknown("consignment", "id", consignment_id)
    found: list[ByHand] = network_part(held["network"], "syncing").by_hand(exchange_facts(held), within.networks.plan)
    return found


def fetch(within: Context, pipelines: Pipelines, consignment_id: int, name: str) -> str:
    """Starts a pipeline that fetches something of it now; what the page says.

    Raises Refused: 404 for what cannot be fetched of it, 409 when Airflow cannot start its pipeline.
    """
    wanted = {one.name: one for one in by_hand(within, consignment_id)}.get(name)
    if wanted is None:
        raise Refused(404, "This cannot be fetched as things stand: it needs a tracking number and a depot of ours", [])
    conn = within.conn
    with conn.transaction():
        locked(conn, consignment_id)
        if timeline.was_asked(conn, consignment_id, "fetch asked for", wanted.dag_id, ASKED_S):
            return "fetching"
        activity.record(conn, consignment_id, "fetch asked for", within.actor, SOURCE, {"asked": [None, wanted.dag_id]})
        try:
            pipelines.trigger(wanted.dag_id, wanted.params, within.actor)
        except CannotStart as error:
            raise Refused(409, str(error)) from error
    return "fetching"


def complete(within: Context, consignment_id: int) -> str:
    """Completes its dispatch task, also again after faults. Raises Refused 409."""
    with within.conn.transaction():
        facts = locked(within.conn, consignment_id)
        if facts.dispatch_state in ("waiting", "completed"):
            return "task-completed"
        _as_conflict(dispatch.complete, within, facts)
    return "task-completed"


def look_up(within: Context, consignment_id: int) -> str:
    """Asks the network now whether it has it. Raises Refused 409 unless the outcome is unknown."""
    with within.conn.transaction():
        facts = locked(within.conn, consignment_id)
        if not timeline.was_asked(within.conn, consignment_id, "look-up asked for", None, ASKED_S):
            _as_conflict(dispatch.look_up_now, within, facts)
    return "looking-up"


def send_again(within: Context, consignment_id: int) -> str:
    """Sends it once more, after a look-up. Raises Refused 409 unless it is unknown or was refused."""
    with within.conn.transaction():
        facts = locked(within.conn, consignment_id)
        task = dispatch.of_consignment(within.conn, consignment_id)
        if facts.dispatch_state in ("waiting", "completed") or (task and task.send_again):
            return "sent-again"
        _as_conflict(dispatch.send_again, within, facts)
    return "sent-again"


def _as_conflict(act: Callable[[Connection, int, str], None], within: Context, facts: ConsignmentFacts) -> None:
    try:
        act(within.conn, facts.order_id, within.actor)
    except DispatchRefused as refused:
        raise conflict(refused.rule, refused.reason, "dispatch_state") from refused


def clear_number(within: Context, consignment_id: int) -> str:
    """Takes its imported tracking number away, as on a copy. Raises Refused once the network has or may have it."""
    facts = facts_of(within, consignment_id)
    clerk = Clerk(within.conn, within.networks, within.actor, SOURCE)
    clerk.patch(facts.order_id, {"consignments": [{"id": consignment_id, "tracking_number": None}]})
    return "number-cleared"


def reopen(within: Context, consignment_id: int) -> str:
    """Takes back that its network completed the delivery. Raises Refused 409 where that cannot be."""
    facts = facts_of(within, consignment_id)
    if not network_part(facts.network, "syncing").REOPENS:
        raise conflict("not_reopened", f"What {facts.network} says of a delivery is not taken back here")
    status_import = network_part(facts.network, "status_import")
    done = status_import.reset(within.conn, within.networks.plan, consignment_id, actor=within.actor)
    return "reopened" if done else DONE_MEANWHILE


def choose(within: Context, consignment_id: int, document_id: int) -> str:
    """Says that a photo of the whole order is of this consignment. Raises Refused 409 when it cannot be said."""
    conn = within.conn
    with conn.transaction():
        facts = locked(conn, consignment_id)
        uploads = photo_uploads.of_consignment(conn, consignment_id)
        if any((one.document_id, one.consignment_id) == (document_id, consignment_id) for one in uploads):
            return "photo-chosen"
        if not photo_uploads.choose(conn, document_id, consignment_id):
            detail = "It is no photo of this whole order, or it is on its way already"
            raise conflict("not_to_choose", detail, "document_id")
        within.networks.follow(conn, follows.ADDED, facts.network, [consignment_id])
        activity.record(
            conn, consignment_id, "photo chosen for it", within.actor, SOURCE, {"document": [None, document_id]}
        )
    return "photo-chosen"
