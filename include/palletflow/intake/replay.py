"""Sends quarantined records through the import flow again, in their corrected form where there is one."""

from collections.abc import Callable, Sequence
from datetime import datetime
from itertools import groupby

from palletflow.deployment import Deployment
from palletflow.intake.file_kinds import FileKinds
from palletflow.intake.file_replay import replay_rows
from palletflow.intake.flow import Intake, Translator
from palletflow.store import customers
from palletflow.store.connection import Connection
from palletflow.store.imports import NO_RECORDS, Batch, Counts
from palletflow.store.quarantine import Quarantined

STREAM = "replay"


def replay(
    conn: Connection,
    records: Sequence[Quarantined],
    deployment: Deployment,
    translator: Callable[[str, str], Translator],
    kinds: Callable[[str], FileKinds],
    *,
    now: datetime,
    run: str,
    actor: str,
) -> Counts:
    """Replays records; what is still wrong stays in quarantine with its new reason.

    `translator` gives the mapper for a network and the depot a record came through, `kinds` the kinds of files of a
    network. One transaction for each depot or file, so that what was replayed stays replayed if a later one fails.
    """
    customers.sync(conn, deployment.customer_names(), deployment.account_rows())
    total = NO_RECORDS
    for (network, party, file), found in groupby(sorted(records, key=_origin), key=_origin):
        group = list(found)
        batch = Batch(network, STREAM, party=party, run=run, actor=actor, fetched_at=now)
        if file:
            counts = replay_rows(conn, kinds(network), group, batch)
        else:
            counts = _replay_records(conn, translator(network, party), group, batch)
        total = total.plus(counts)
    return total


def _replay_records(conn: Connection, translator: Translator, records: list[Quarantined], batch: Batch) -> Counts:
    intake = Intake(conn, batch.network, translator)
    for record in records:
        intake.replay(record.id, record.corrected or record.raw, record.read_at)
    return intake.store(batch)


def _origin(record: Quarantined) -> tuple[str, str, int]:
    """Network, depot or file, and for rows of a file the reading of it."""
    return record.network, record.party, record.batch_id if record.row_number else 0
