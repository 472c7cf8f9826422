"""Takes quarantined records in again, as a look-up or a fetch takes a consignment in (contract 7.2)."""

from collections.abc import Sequence

from palletflow.intake.replay import Replayer, content, store_again
from palletflow.networks.palletways.fetch import store_order
from palletflow.networks.palletways.mapper import Mapper
from palletflow.store.connection import Connection
from palletflow.store.imports import Batch, Counts
from palletflow.store.quarantine import Quarantined


def replayer(mapper: Mapper) -> Replayer:
    """How records are replayed that this mapper reads, each by itself."""

    def store(conn: Connection, records: Sequence[Quarantined], batch: Batch) -> Counts:
        [record] = records
        return store_order(
            conn, mapper, content(record), batch, lambda translator, kept: store_again(conn, translator, records, kept)
        )

    return Replayer(mapper.only_read, store, alone=True)
