"""What may go wrong between us and Palletways, in its own words (contract 1.3); each one of palletflow.network_errors.

No text of theirs holds the API key: the client masks it before it raises.
"""

from collections.abc import Sequence
from dataclasses import dataclass

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
from palletflow.work.minute_budget import Unanswered


class NotConnected(NotSent):
    """No connection, and the network may have no part in it: no such host, no TLS. Nothing was sent."""


class Unconnectable(NotConnected, Unanswered):
    """No connection: none in time, refused or reset. Nothing was sent."""


class NoAnswer(UnknownOutcome, Unanswered):
    """No first byte of an answer to a call that may be made again."""

    remedy = "It is tried again by itself."


class ServerTrouble(UnknownOutcome):
    """An answer that broke off, or an HTTP code of trouble, to a call that may be made again."""

    remedy = "It is tried again by itself."


class Busy(Throttled):
    """HTTP 429 or 503: Palletways asks us to wait."""


class UnreadableAnswer(UnknownOutcome):
    """`unreadable_answer`: neither what was asked for nor a sentence that we know."""

    remedy = "It is tried again by itself; if it stays, compare the contract's section 1.3 with the text above."


class SubmissionUnclear(UnknownOutcome):
    """A submission left us and no answer says whether it was stored (contract 7.1)."""

    remedy = "It is looked up before it is sent again."


class SubmissionUnanswered(SubmissionUnclear, Unanswered):
    """... because there was no first byte of an answer."""


class KeyRefused(AuthFailed):
    """Palletways does not accept the API key at all."""


class KeyMissing(Misconfigured):
    """Palletways says that no API key came with the call."""


class MethodUnavailable(Rejected):
    """No host offers the method. Remembered for 24 hours."""

    remedy = "Ask Palletways whether the method is open here, or list another one in the connection's Extra."


class MethodRefused(Rejected):
    """The key is good, but not for this method. Remembered for an hour."""

    remedy = "Ask Palletways to open the method to this key, or use another key."


class AnswerRefused(Rejected):
    """An answer of an error, kept and shown; or what we refuse ourselves."""


@dataclass(frozen=True)
class ValidationError:
    """One error of a refused manifest (contract 2.2). `index` counts consignments from 1; 0 when it names none."""

    index: int
    code: str
    description: str


class ValidationRefused(AnswerRefused):
    """ERROR_VALIDATION: nothing was imported."""

    def __init__(self, connection: str, operation: str, detail: str, errors: Sequence[ValidationError]) -> None:
        super().__init__(connection, operation, detail)
        self.errors = tuple(errors)


class NoSuchConsignment(NotFound):
    """Palletways knows nothing of what was to be confirmed or deleted."""


class AnswerTooLarge(Rejected):
    """An answer larger than allowed; the rest of it was not read."""

    remedy = "Raise max_pdf_mib in the connection's Extra if it is to be fetched."


class LabelNotReady(Unstable):
    """There is no label yet (contract 2.9)."""

    remedy = "It is asked for again by itself."
