"""The one retry policy of every task: which failure may help itself, and after how long."""

from datetime import timedelta

from airflow.sdk import Context, RetryAction, RetryDecision, RetryPolicy

from palletflow.airflow.runs import BadForm
from palletflow.checked_yaml import FileFault
from palletflow.intake.file_drops import NoSuchFile
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
from palletflow.store.quarantine import NotInQuarantine

# A pull's retries must end before the next one is due.
RETRIES = 3
PAUSES = (timedelta(minutes=1), timedelta(minutes=3), timedelta(minutes=6))
PASSES_BY_ITSELF = (NotSent, UnknownOutcome, Unstable, DatabaseUnavailable, ConnectionLost)
NEEDS_A_PERSON = (AuthFailed, Misconfigured, Rejected, NotFound, FileFault, BadForm, NoSuchFile, NotInQuarantine)


class PalletflowRetries(RetryPolicy):
    """Waits out what passes by itself, stops at once at what a person must mend, tries the unforeseen once more."""

    def evaluate(
        self, exception: BaseException, try_number: int, max_tries: int, context: Context | None = None
    ) -> RetryDecision:
        """See the class."""
        pause = PAUSES[min(try_number, len(PAUSES)) - 1]
        if isinstance(exception, NEEDS_A_PERSON):
            return RetryDecision(RetryAction.FAIL, reason="a person must mend this; see the error")
        if isinstance(exception, Throttled):
            wait = max(pause, timedelta(seconds=exception.retry_after))
            return RetryDecision(RetryAction.RETRY, retry_delay=wait, reason="the network asked for a pause")
        if isinstance(exception, PASSES_BY_ITSELF):
            return RetryDecision(RetryAction.RETRY, retry_delay=pause, reason="this passes by itself")
        if try_number > 1:
            return RetryDecision(RetryAction.FAIL, reason="an unforeseen error came twice")
        return RetryDecision(RetryAction.RETRY, retry_delay=pause, reason="an unforeseen error is tried once more")

    def serialize(self) -> dict[str, str]:
        """Nothing to keep: the policy has no settings."""
        return {"__type": f"{__name__}.{type(self).__name__}"}
