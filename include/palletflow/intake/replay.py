"""Sends quarantined records through the import flow again, in their corrected form where there is one."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from itertools import groupby
from typing import Protocol

from palletflow.deployment import Deployment
from palletflow.intake.file_kinds import FileKinds
from palletflow.intake.file_replay import replay_rows
from palletflow.intake.flow import Intake, Translator
from palletflow.store import customers
from palletflow.store.connection import Connection
from palletflow.store.imports import NO_RECORDS, Batch, Counts
from palletflow.store.quarantine import Quarantined

STREAM = "replay"


class ReplayTranslator(Translator, Protocol):
    """A network's mapper, and what a replay has to know of its records.

    `keeps_given`: what callers gave of orders of our own stays, as in the network's own import (store.imports.Batch).
    `only_read`: streams and reason codes of records that are no orders, with why they cannot be replayed.
    """

    @property
    def keeps_given(self) -> bool: ...
    @property
    def only_read(self) -> Mapping[str, str]: ...


def why_not(translator: ReplayTranslator, stream: str, reason_code: str) -> str:
    """Why a record cannot be replayed, "" when it can."""
    return translator.only_read.get(stream) or translator.only_read.get(reason_code, "")


def replay(
    conn: Connection,
    records: Sequence[Quarantined],
    deployment: Deployment,
    translator: Callable[[str, str], ReplayTranslator],
    kinds: Callable[[str], FileKinds],
    *,
    now: datetime,
    run: str,
    actor: str,
) -> Counts:
    """Replays records; what is still wrong stays in quarantine with its new reason, and what is no order as it is.

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


def _replay_records(conn: Connection, translator: ReplayTranslator, records: list[Quarantined], batch: Batch) -> Counts:
    intake = Intake(conn, batch.network, translator)
    orders = [record for record in records if not why_not(translator, record.stream, record.reason_code)]
    for record in orders:
        intake.replay(record.id, record.corrected or record.raw, record.read_at)
    return intake.store(batch._replace(keeps_given=translator.keeps_given)) if orders else NO_RECORDS


def _origin(record: Quarantined) -> tuple[str, str, int]:
    """Network, depot or file, and for rows of a file the reading of it."""
    return record.network, record.party, record.batch_id if record.row_number else 0
