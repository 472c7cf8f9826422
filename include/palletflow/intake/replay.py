"""Sends quarantined records through the import flow again, in their corrected form where there is one."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from itertools import groupby
from typing import Any, NamedTuple, Protocol

from palletflow.deployment import Deployment
from palletflow.intake.file_kinds import FileKinds
from palletflow.intake.file_replay import replay_rows
from palletflow.intake.flow import Intake, Refusing, Translator, parsed
from palletflow.intake.template import Fault
from palletflow.network_errors import Misconfigured
from palletflow.store import customers
from palletflow.store.connection import Connection, NotStorable
from palletflow.store.imports import NO_RECORDS, Batch, Counts
from palletflow.store.quarantine import Quarantined

STREAM = "replay"

Store = Callable[[Connection, Sequence[Quarantined], Batch], Counts]


class Replayer(NamedTuple):
    """How a network's own import takes in what came through one of its connections.

    `only_read`: streams and reason codes of records that are no orders, with why they cannot be replayed. `store` takes
    records in, in a transaction that nothing else is stored in. `alone`: only one record at a time.
    """

    only_read: Mapping[str, str]
    store: Store
    alone: bool = False


class OnlyReads(Protocol):
    """Knows which records of a network are no orders; see Replayer."""

    @property
    def only_read(self) -> Mapping[str, str]: ...


class NotReplayed(Misconfigured):
    """The connection that records came through cannot be used: `left` are their ids. All others were replayed."""

    remedy = "Its records stay in quarantine. Make or correct the connection (Admin, Connections), then replay them."

    def __init__(self, why: Misconfigured, left: Sequence[int]) -> None:
        super().__init__(why.connection, "Replay", why.detail)
        self.left = list(left)


def why_not(of: OnlyReads, stream: str, reason_code: str) -> str:
    """Why a record cannot be replayed, "" when it can."""
    return of.only_read.get(stream) or of.only_read.get(reason_code, "")


def content(record: Quarantined) -> Any:
    """The record as it is replayed."""
    return parsed(record.corrected or record.raw)


def store_again(conn: Connection, translator: Translator, records: Sequence[Quarantined], batch: Batch) -> Counts:
    """Takes records in as `translator` reads them now, as an import that stores what it has read and no more."""
    intake = Intake(conn, batch.network, translator)
    for record in records:
        intake.replay(record.id, record.corrected or record.raw, record.read_at)
    return intake.store(batch)


def replay(
    conn: Connection,
    records: Sequence[Quarantined],
    deployment: Deployment,
    replayer: Callable[[str, str], Replayer],
    kinds: Callable[[str], FileKinds],
    *,
    now: datetime,
    run: str,
    actor: str,
) -> Counts:
    """Replays records; what is still wrong stays in quarantine with its new reason, and what is no order as it is.

    `replayer` says how for a network and the depot a record came through, `kinds` gives the kinds of files of a
    network. What was replayed stays replayed if a later depot or file fails. Raises NotReplayed when all others are
    done.
    """
    customers.sync(conn, deployment.customer_names(), deployment.account_rows())
    total = NO_RECORDS
    left: list[int] = []
    why: Misconfigured | None = None
    for (network, party, file), found in groupby(sorted(records, key=_origin), key=_origin):
        group = list(found)
        batch = Batch(network, STREAM, party=party, run=run, actor=actor, fetched_at=now)
        if file:
            total = total.plus(replay_rows(conn, kinds(network), group, batch))
            continue
        try:
            way = replayer(network, party)
        except Misconfigured as error:
            why = why or error
            left += [record.id for record in group]
        else:
            total = total.plus(_replay_records(conn, way, group, batch))
    if why:
        raise NotReplayed(why, left)
    return total


def _replay_records(conn: Connection, way: Replayer, records: Sequence[Quarantined], batch: Batch) -> Counts:
    orders = [record for record in records if not why_not(way, record.stream, record.reason_code)]
    total = NO_RECORDS
    for some in [[record] for record in orders] if way.alone else [orders] if orders else []:
        total = total.plus(_stored(conn, way, some, batch))
    return total


def _stored(conn: Connection, way: Replayer, records: Sequence[Quarantined], batch: Batch) -> Counts:
    """Stores records; one that the order store does not take stops no other."""
    try:
        with conn.transaction():
            return way.store(conn, records, batch)
    except NotStorable as error:
        if len(records) > 1:
            total = NO_RECORDS
            for record in records:
                total = total.plus(_stored(conn, way, [record], batch))
            return total
        reason = f"the order store does not take it ({str(error).splitlines()[0]})"
        refusing = Refusing(b"", records[0].record_key, Fault("NOT_STORABLE", "", reason))
        return store_again(conn, refusing, records, batch)


def _origin(record: Quarantined) -> tuple[str, str, int]:
    """Network, depot or file, and for rows of a file the reading of it."""
    return record.network, record.party, record.batch_id if record.row_number else 0
