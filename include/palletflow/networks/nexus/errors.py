"""What may go wrong between us and Nexus, in its own words (contract 1.5); each is one of palletflow.network_errors."""

from collections.abc import Sequence

from palletflow.network_errors import (
    AuthFailed,
    NetworkError,
    NotFound,
    Rejected,
    Throttled,
    UnknownOutcome,
    Unstable,
)


class NexusValidationError(Rejected):
    """Nexus refuses what was sent. `fields` are those it names, `trace_id` its own word for the request, or ""."""

    def __init__(
        self, connection: str, operation: str, detail: str, fields: Sequence[str] = (), trace_id: str = ""
    ) -> None:
        super().__init__(connection, operation, detail)
        self.fields, self.trace_id = tuple(fields), trace_id


class NexusForbidden(Rejected):
    """Our user may not do this."""

    remedy = "Ask Pall-Ex to allow it to the connection's user, then run it again."


class NexusNotOffered(NetworkError):
    """Nexus has no such call at this address. The feature rests for the run; its work is kept."""

    remedy = "If Nexus has the call elsewhere, say so under endpoints in the Nexus template."


class NexusNotFound(NotFound):
    """Nexus knows nothing of it, or does not show it to our user."""


class NexusConflict(Rejected):
    """What was sent contradicts what Nexus holds: a number in use, goods already collected."""


class NexusRateLimited(Throttled):
    """Nexus asks us to wait. `backs_off`: it did not say how long. `too_long`: longer than a client waits by itself."""

    def __init__(
        self,
        connection: str,
        operation: str,
        detail: str,
        retry_after: float,
        *,
        backs_off: bool = False,
        too_long: bool = False,
    ) -> None:
        super().__init__(connection, operation, detail, retry_after)
        self.backs_off, self.too_long = backs_off, too_long


class NexusServerError(UnknownOutcome):
    """No good answer to a call that may be made again: a read, a cancel, a login."""

    remedy = "It is tried again by itself."


class NexusUnknownOutcome(UnknownOutcome):
    """A POST left us and no answer says what became of it."""

    remedy = "It is looked up before it is sent again."


class NexusProtocolError(UnknownOutcome):
    """An answer of success that is not of the type or shape it should have."""

    remedy = "It is tried again by itself; if it stays, compare the Nexus template with what Nexus sends."


class NexusAuthError(AuthFailed):
    """Nexus does not accept our login, or refuses the bearer it has just given us."""

    remedy = "Correct the connection's login and password; its schedules skip until a check passes."


class LabelNotReady(Unstable):
    """The label is not drawn yet (contract 2.6)."""

    remedy = "It is asked for again by itself."


class AddressRefused(Rejected):
    """A file's address that we do not follow (contract 1.7)."""

    remedy = "If the host is one of Nexus's, add it to attachment_hosts in the connection's Extra."


class FileTooLarge(Rejected):
    """A file larger than the connection allows."""

    remedy = "Raise max_download_mb in the connection's Extra if it is to be fetched."


class UnknownName(Rejected):
    """NX115: a name of the template that a look-up of Nexus does not have exactly once (contract 2.9)."""

    code = "NX115"
    remedy = "Write Nexus's own name into the Nexus template, or force the id under ids."

    def __init__(self, connection: str, lookup: str, code: str, wanted: str, candidates: Sequence[str]) -> None:
        self.lookup, self.local_code, self.wanted, self.candidates = lookup, code, wanted, tuple(candidates)
        said = f"'{wanted}' ({code})" if wanted else f"the empty name of '{code}'"
        listed = ", ".join(f"'{name}'" for name in self.candidates) or "nothing"
        super().__init__(connection, lookup, f"{self.code}: {said} is not there exactly once; there is {listed}")
