"""Imports consignments that customers entered at Palletways themselves (contract 2.4, 7.2 (c))."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import NamedTuple

from palletflow.deployment import Deployment
from palletflow.network_errors import NetworkError, NotFound, Rejected, UnknownOutcome
from palletflow.networks.palletways import fetch
from palletflow.networks.palletways.client import PalletwaysClient
from palletflow.networks.palletways.record import entered_id
from palletflow.networks.palletways.settings import IMPORT
from palletflow.networks.palletways.work import NETWORK, Access
from palletflow.store import customers, syncs, tracking
from palletflow.store.connection import Connection
from palletflow.store.imports import NO_RECORDS, Batch

STREAM = "entered"
# What may be wrong with one consignment alone; anything else concerns the connection.
OF_ONE = (Rejected, NotFound, UnknownOutcome)
# So many in a row without an answer are no accident of one consignment.
DOWN = 3


class Entered(NamedTuple):
    """What was entered. `listed`: consignments with a tracking ID; `waiting`: without one, as no depot has accepted it;

    `known`: of those listed, what we hold already; `created` to `ignored`: what became of the others.
    """

    listed: int
    waiting: int
    known: int
    created: int
    updated: int
    unchanged: int
    rejected: int
    ignored: int


def import_entered(
    conn: Connection,
    access: Access,
    plan: Deployment,
    depot: str,
    *,
    clock: Callable[[], datetime],
    run: str,
    actor: str,
    next_due_at: datetime | None = None,
) -> Entered:
    """Imports what was entered today and yesterday at one depot, as far as we do not hold it [PW-7.2-4].

    Nothing is asked unless the connection lists `import` and has `import_cons_entered`. `next_due_at`: when the clock
    starts the next import, None for one out of turn. Each consignment stays stored once it is. Raises NetworkError: of
    the connection at once, of single consignments when all others are done.
    """
    client = access.client.in_background()
    settings = client.settings
    if not (settings.import_cons_entered and settings.can(IMPORT)):
        syncs.forget(conn, NETWORK, STREAM, depot)
        return Entered(0, 0, 0, *NO_RECORDS[1:])
    listed, waiting = _listed(client, clock())
    known = {due.tracking_number for due in tracking.holders(conn, NETWORK, listed)}
    customers.sync(conn, plan.customer_names(), plan.account_rows())
    counts, in_a_row = NO_RECORDS, 0
    failures: list[NetworkError] = []
    for tracking_id in listed:
        if tracking_id in known:
            continue
        read_at = clock()
        try:
            record = fetch.read(client, access.mapper, tracking_id)
        except OF_ONE as error:
            failures.append(error)
            # What is refused or not found is answered for.
            in_a_row = in_a_row + 1 if isinstance(error, UnknownOutcome) else 0
            if in_a_row == DOWN:
                break
            continue
        in_a_row = 0
        with conn.transaction():
            batch = Batch(NETWORK, STREAM, depot, run, actor, read_at)
            counts = counts.plus(fetch.take_in(conn, access.mapper, record, batch))
    if failures:
        raise failures[0]
    if next_due_at:
        syncs.succeeded(conn, NETWORK, STREAM, depot, at=clock(), next_due_at=next_due_at)
    return Entered(len(listed), waiting, len(known), *counts[1:])


def _listed(client: PalletwaysClient, now: datetime) -> tuple[list[str], int]:
    """The tracking IDs of what was entered yesterday and today, each once, and how many have none yet."""
    today = now.astimezone(client.settings.zone).date()
    entered = [data for day in (today - timedelta(days=1), today) for data in client.entered(day)]
    found = [entered_id(data, client.settings.tracking_id_pattern) for data in entered]
    return list(dict.fromkeys(filter(None, found))), found.count("")
