"""Fetches one consignment by its tracking ID into the regular order import flow (contract 2.3, 7.2)."""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

from palletflow.deployment import Deployment
from palletflow.intake.flow import Intake, Translator
from palletflow.network_errors import NotFound, Rejected, UnknownOutcome
from palletflow.networks.palletways import record as wire
from palletflow.networks.palletways.client import PalletwaysClient
from palletflow.networks.palletways.mapper import Mapper
from palletflow.networks.palletways.settings import IMPORT
from palletflow.networks.palletways.work import NETWORK, Access
from palletflow.store import barcodes, consignments, customers, tracking
from palletflow.store.connection import Connection
from palletflow.store.consignments import ConsignmentFacts
from palletflow.store.imports import Batch, Counts

STREAM = "single_fetch"
OPERATION = "getConsignment"


def fetch_consignment(
    conn: Connection,
    access: Access,
    plan: Deployment,
    tracking_id: str,
    *,
    clock: Callable[[], datetime],
    run: str,
    actor: str,
) -> Counts:
    """Imports a consignment as it stands at Palletways now; what became of it.

    Raises NotFound when Palletways knows no such tracking ID, Rejected when the connection may not import, and the
    client's NetworkError.
    """
    settings = access.client.settings
    if not settings.can(IMPORT):
        why = "the connection's Extra does not list 'import' among its capabilities"
        raise Rejected(settings.connection, OPERATION, why)
    read_at = clock()
    record = read(access.client, access.mapper, tracking_id.strip())
    customers.sync(conn, plan.customer_names(), plan.account_rows())
    with conn.transaction():
        return take_in(conn, access.mapper, record, Batch(NETWORK, STREAM, settings.depot, run, actor, read_at))


def read(client: PalletwaysClient, mapper: Mapper, tracking_id: str) -> Any:
    """The record of one consignment.

    Raises Rejected for what is no tracking ID, NotFound, UnknownOutcome for an answer about another one, and the
    client's NetworkError.
    """
    connection = client.settings.connection
    if not mapper.is_tracking_id(tracking_id):
        raise Rejected(connection, OPERATION, f"'{tracking_id[:40]}' is no tracking ID")
    manifest = client.consignment(tracking_id)
    if manifest is None:
        raise NotFound(connection, OPERATION, f"no consignment has the tracking ID {tracking_id}")
    records = wire.consignments(manifest)
    found = [mapper.key(record) for record in records]
    if tracking_id not in found:
        detail = f"answered with {', '.join(filter(None, found)) or 'no tracking ID'} in place of {tracking_id}"
        raise UnknownOutcome(connection, OPERATION, detail)
    return records[found.index(tracking_id)]


def take_in(conn: Connection, mapper: Mapper, record: Any, batch: Batch) -> Counts:
    """Stores a record by the import flow, within a transaction of the caller's that stores no other one."""

    def store(translator: Translator, kept: Batch) -> Counts:
        intake = Intake(conn, NETWORK, translator)
        intake.add([record], kept.fetched_at)
        return intake.store(kept)

    return store_order(conn, mapper, record, batch, store)


def store_order(
    conn: Connection, mapper: Mapper, record: Any, batch: Batch, store: Callable[[Translator, Batch], Counts]
) -> Counts:
    """Has a record stored by what translates it, as its order is ours or the network's, and what follows from it.

    What callers gave of orders of their own stays [PW-7.2-1].
    """
    number = mapper.key(record)
    is_ours = any(facts.order_source != NETWORK for facts in _holders(conn, number))
    translator = mapper.for_ours if is_ours else mapper
    counts = store(translator, batch._replace(keeps_given=True))
    consignment = translator.translate(record).consignment
    if consignment:
        _expect_barcodes(conn, number, consignment.barcodes, batch)
    return counts


def _holders(conn: Connection, number: str) -> list[ConsignmentFacts]:
    return [consignments.facts(conn, due.consignment_id) for due in tracking.holders(conn, NETWORK, [number])]


def _expect_barcodes(conn: Connection, number: str, codes: Sequence[str], batch: Batch) -> None:
    """The flow takes barcodes over with new routing; an order that had its routing from us gets them here."""
    for facts in _holders(conn, number):
        if facts.registered and len(codes) == len(facts.pallets) and not any(one.barcode for one in facts.pallets):
            rows = [(facts.id, pallet.number, code) for pallet, code in zip(facts.pallets, codes, strict=True)]
            barcodes.expect(conn, rows, batch.actor, f"{NETWORK} {batch.stream}")
