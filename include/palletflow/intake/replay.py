"""Sends quarantined records through the import flow again, in their corrected form where there is one."""

from collections.abc import Callable, Sequence
from datetime import datetime
from itertools import groupby

from palletflow.deployment import Deployment
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
    *,
    now: datetime,
    run: str,
    actor: str,
) -> Counts:
    """Replays records; what is still wrong stays in quarantine with its new reason.

    `translator` gives the mapper for a network and the depot or file a record came from. One transaction for each of
    those, so that what was replayed stays replayed if a later one fails.
    """
    customers.sync(conn, deployment.customer_names(), deployment.account_rows())
    total = NO_RECORDS
    for (network, party), group in groupby(sorted(records, key=_origin), key=_origin):
        intake = Intake(conn, network, translator(network, party))
        for record in group:
            intake.replay(record.id, record.corrected or record.raw, record.read_at)
        batch = Batch(network, STREAM, party=party, run=run, actor=actor, fetched_at=now)
        total = total.plus(intake.store(batch))
    return total


def _origin(record: Quarantined) -> tuple[str, str]:
    return record.network, record.party
