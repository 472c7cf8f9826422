"""Fetches one consignment now: import, statuses, and a look for its documents (contract 2.2, 9.5)."""

import re
from collections.abc import Callable, Iterator
from datetime import datetime

from palletflow.deployment import Deployment
from palletflow.network_errors import NotFound
from palletflow.networks.nexus.consignment_import import ConsignmentImport
from palletflow.networks.nexus.goods import BARCODE
from palletflow.networks.nexus.record import Reply
from palletflow.networks.nexus.work import DOCUMENT_FETCH, NETWORK, Access
from palletflow.store import customers, tracking, work_items
from palletflow.store.connection import Connection
from palletflow.store.imports import Batch, Counts

STREAM = "single_fetch"
# Of a barcode's finds so many are looked at.
MOST_LOOKED_AT = 5


def fetch_consignment(
    conn: Connection,
    access: Access,
    plan: Deployment,
    wanted: str,
    *,
    clock: Callable[[], datetime],
    run: str,
    actor: str,
) -> Counts:
    """Imports a consignment as it stands at Nexus now, whatever was read of it before; what became of it.

    `wanted`: its consignmentID, its consignmentNumber or the barcode of a pallet. Raises NotFound when there is not
    exactly one, and the client's NetworkError.
    """
    settings = access.client.settings
    keys = _found(access, wanted.strip())
    if len(keys) != 1:
        said = f"{len(keys)} consignments are '{wanted}'" if keys else f"no consignment '{wanted}'"
        raise NotFound(settings.connection, "GET consignments", said)
    customers.sync(conn, plan.customer_names(), plan.account_rows())
    batch = Batch(NETWORK, STREAM, settings.connection, run, actor, clock())
    taking = ConsignmentImport(conn, access, plan, batch, clock)
    whole = taking.read(keys[0])
    again = taking.store([whole])
    with conn.transaction():
        holders = tracking.holders(conn, NETWORK, keys)
        work_items.enqueue(conn, NETWORK, DOCUMENT_FETCH, [due.consignment_id for due in holders])
    for error in filter(None, again.values()):
        raise error
    return taking.counts


def _found(access: Access, wanted: str) -> list[str]:
    """The consignmentIDs of those that are meant: the id counts before the number, the number before the barcode."""
    replies = [access.mapper.reading.reply(row) for row in access.client.search(wanted)]
    by_id = [reply.key for reply in replies if reply.key == wanted]
    by_number = [reply.key for reply in replies if reply.number.upper() == wanted.upper()]
    return by_id or by_number or list(_with_barcode(access, wanted, replies))


def _with_barcode(access: Access, wanted: str, replies: list[Reply]) -> Iterator[str]:
    """Those that carry a barcode: a row of the list does not show any."""
    if re.fullmatch(BARCODE, wanted):
        for reply in replies[:MOST_LOOKED_AT]:
            if (
                reply.consignment_id
                and wanted in access.mapper.reading.reply(access.client.get(reply.consignment_id)).barcodes
            ):
                yield reply.key
