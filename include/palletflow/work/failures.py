"""What becomes of an item whose handler raised: the table of palletflow.work.handling."""

import random
from typing import NamedTuple

from palletflow.checked_yaml import FileFault
from palletflow.network_errors import (
    AuthFailed,
    Misconfigured,
    NotFound,
    NotSent,
    Rejected,
    Throttled,
    UnknownOutcome,
    Unstable,
)
from palletflow.store.connection import ConnectionLost, DatabaseUnavailable
from palletflow.store.work_items import storable
from palletflow.work.backoff import Backoff
from palletflow.work.flagged import CHECK_EVERY_S, ConnectionFlagged

PASSES_BY_ITSELF = (NotSent, UnknownOutcome, Unstable, DatabaseUnavailable, ConnectionLost)
NEEDS_A_PERSON = (Rejected, NotFound, FileFault)
CONNECTION_REFUSED = (AuthFailed, Misconfigured)
UNFORESEEN_ATTEMPTS = 2


class Verdict(NamedTuple):
    """`pause_s`: None to park it. `counted`: as an attempt. `flag`: the connection to flag. `foreseen`: no bug."""

    reason: str
    pause_s: float | None = None
    counted: bool = True
    flag: str | None = None
    foreseen: bool = True


def judge(error: Exception, attempt: int, backoff: Backoff) -> Verdict:
    """What to do with an item whose attempt number `attempt` ended with this error."""
    reason = storable(str(error)) or type(error).__name__
    if isinstance(error, Throttled):
        return Verdict(reason, pause_s=error.retry_after, counted=False)
    if isinstance(error, (ConnectionFlagged, *CONNECTION_REFUSED)):
        flag = error.connection if isinstance(error, CONNECTION_REFUSED) else None
        # Spread, so that the one check that is allowed finds its answer before the others look.
        return Verdict(reason, pause_s=CHECK_EVERY_S * random.uniform(1.0, 1.2), counted=False, flag=flag)
    if isinstance(error, NEEDS_A_PERSON):
        return Verdict(reason)
    foreseen = isinstance(error, PASSES_BY_ITSELF)
    if not foreseen:
        reason = f"{type(error).__name__}: {reason}. This was not foreseen; the log of the run has the traceback"
    if attempt >= (backoff.attempts if foreseen else UNFORESEEN_ATTEMPTS):
        return Verdict(f"{reason} (attempt {attempt}, the last)", foreseen=foreseen)
    return Verdict(reason, pause_s=backoff.pause_s(attempt), foreseen=foreseen)
