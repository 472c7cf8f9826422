"""What is asked, what is answered, and what an answer's status means (the table of contract 1.5). Pure functions."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from http import HTTPStatus
from typing import NamedTuple

from palletflow.http_calls import Secrets, retry_after
from palletflow.network_errors import NetworkError
from palletflow.networks.nexus.error_bodies import REASONS_KEPT, ErrorBody
from palletflow.networks.nexus.errors import (
    NexusConflict,
    NexusForbidden,
    NexusNotFound,
    NexusNotOffered,
    NexusRateLimited,
    NexusServerError,
    NexusUnknownOutcome,
    NexusValidationError,
)
from palletflow.networks.nexus.retries import BACKOFF_S

# A page of 1,000 consignments has about 2 MB.
ANSWER_MOST_BYTES = 64 * 1024 * 1024
# Refusals that only their status tells apart.
KINDS: dict[int, type[NetworkError]] = {
    HTTPStatus.UNAUTHORIZED: NexusForbidden,  # of a file's host; Nexus's own means the bearer and comes not this far
    HTTPStatus.FORBIDDEN: NexusForbidden,
    HTTPStatus.METHOD_NOT_ALLOWED: NexusNotOffered,
    HTTPStatus.CONFLICT: NexusConflict,
}


@dataclass(frozen=True)
class Request:
    """What is asked. `shown`: its address for logs and errors, without query. `number`: the consignment's, if known.

    `repeatable`: asking twice does no harm. `assumed_write`: a 404 may mean that there is no such call (contract 1.5).
    """

    method: str
    url: str
    shown: str
    repeatable: bool
    headers: Mapping[str, str]
    body: bytes | None = field(default=None, repr=False)
    assumed_write: bool = False
    number: str = ""
    most_bytes: int = ANSWER_MOST_BYTES

    @property
    def operation(self) -> str:
        """What an error calls it."""
        return f"{self.method} {self.shown}"


class Answer(NamedTuple):
    """`body` is None when it was larger than allowed; `error`: what a refusal says.

    `with_bearer`: it answers a request that had ours. `foreign`: it is not from Nexus's own host.
    """

    status: int
    headers: Mapping[str, str]
    body: bytes | None
    error: ErrorBody
    with_bearer: bool
    foreign: bool


def said(answer: Answer, secrets: Secrets) -> str:
    """What a refusal says, for an error's text."""
    trace = f" (trace {answer.error.trace_id})" if answer.error.trace_id else ""
    return f"HTTP {answer.status}: " + secrets.shown((answer.error.text or "empty body") + trace, REASONS_KEPT)


def failure(
    connection: str, request: Request, answer: Answer, secrets: Secrets, cap_s: float, now: datetime
) -> NetworkError | None:
    """The error that an answer of no success stands for; None for one of success."""
    status = answer.status
    if 200 <= status < 300:
        return None
    about = (connection, request.operation, said(answer, secrets))
    if status == HTTPStatus.TOO_MANY_REQUESTS:
        asked = retry_after(answer.headers.get("Retry-After"), now)
        if asked is None:
            return NexusRateLimited(*about, BACKOFF_S[-1], backs_off=True)
        return NexusRateLimited(*about, min(asked, cap_s), too_long=asked > cap_s)
    if status == HTTPStatus.NOT_FOUND:
        return (NexusNotOffered if request.assumed_write else NexusNotFound)(*about)
    if status in KINDS:
        return KINDS[status](*about)
    if 400 <= status < 500 and status != HTTPStatus.REQUEST_TIMEOUT:
        return NexusValidationError(*about, answer.error.fields, answer.error.trace_id)
    return (NexusServerError if request.repeatable else NexusUnknownOutcome)(*about)
