"""Takes quarantined records in again, as the pull does (contract 2.4)."""

from collections.abc import Sequence

from palletflow.intake.replay import Replayer, store_again
from palletflow.networks.palletforce.mapper import Mapper
from palletflow.store.connection import Connection
from palletflow.store.imports import Batch, Counts
from palletflow.store.quarantine import Quarantined


def replayer(mapper: Mapper) -> Replayer:
    """How records are replayed that this mapper reads."""

    def store(conn: Connection, records: Sequence[Quarantined], batch: Batch) -> Counts:
        return store_again(conn, mapper, records, batch)

    return Replayer(mapper.only_read, store)
