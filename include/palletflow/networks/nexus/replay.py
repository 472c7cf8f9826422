"""Takes quarantined records in again, as the poll takes consignments in (contract 7.3)."""

from collections.abc import Sequence

from palletflow.intake.replay import Replayer, content, store_again
from palletflow.networks.nexus.consignment_import import store_orders
from palletflow.networks.nexus.mapper import Mapper
from palletflow.store.connection import Connection
from palletflow.store.imports import Batch, Counts
from palletflow.store.quarantine import Quarantined


def replayer(mapper: Mapper) -> Replayer:
    """How records are replayed that this mapper reads. Their statuses come with the next poll."""

    def store(conn: Connection, records: Sequence[Quarantined], batch: Batch) -> Counts:
        read = [content(record) for record in records]
        translated = {mapper.key(record): mapper.translate(record).consignment for record in read}
        kept = batch._replace(keeps_given=True)
        return store_orders(conn, mapper, translated, lambda: store_again(conn, mapper, records, kept))

    return Replayer(mapper.only_read, store)
