"""What a handler of work items is given and gives back.

A handler does the I/O of one item with no transaction open. It first finds out whether its effect already happened:
an item whose worker was killed comes again. What it found goes into `Result.record`, which is stored in the same
transaction that ends the item, so the two are true together or not at all.

What a handler raises decides what becomes of the item (see palletflow.work.failures):

| raised | the item |
|---|---|
| Throttled | is due again after `retry_after`; counts as no attempt |
| NotSent, UnknownOutcome, Unstable, DatabaseUnavailable, a lost connection | backs off, parks after the most attempts |
| AuthFailed, Misconfigured, ConnectionFlagged | the connection is flagged; due again later; counts as no attempt |
| Rejected, NotFound, FileFault | is parked at once with the text |
| anything else | is tried once more, then parked; the traceback is in the log |
"""

from collections.abc import Callable
from datetime import datetime
from typing import NamedTuple

from palletflow.store.connection import Connection
from palletflow.store.work_items import WorkItem

__all__ = ["Handler", "Result", "WorkItem", "nothing"]


def nothing(_: Connection) -> None:
    """The result of work that leaves nothing to store."""


class Result(NamedTuple):
    """What came of an item. Without `again_at` and `parked` it is done.

    `record` runs in the transaction that ends or moves the item. It may run more than once, each time after a rollback,
    so it changes nothing but the store. `again_at`: come back then, which is no failure and counts as no attempt.
    `parked`: keep it for a person, with this reason.
    """

    record: Callable[[Connection], None] = nothing
    again_at: datetime | None = None
    parked: str | None = None


# The connection is the thread's own, in autocommit mode; no transaction may stay open during I/O.
Handler = Callable[[Connection, WorkItem], Result]
