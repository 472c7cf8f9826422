"""What may go wrong with a transfer; logins, certificates and host keys are AuthFailed and Misconfigured."""

from palletflow.network_errors import NotSent, Rejected, UnknownOutcome


class Interrupted(UnknownOutcome):
    """The connection broke or went silent: nobody knows what of the last request was done."""

    remedy = "It is tried again by itself, from the first byte."


class NotNow(UnknownOutcome):
    """The server does not take it at the moment: it is busy, its disk is full."""

    remedy = "It is tried again by itself."


class Refused(Rejected):
    """The server will not do this, now or later."""


class NameTaken(Rejected):
    """A file of this name stands there already, and it is not ours."""

    remedy = "Nothing was overwritten."


class NoPlace(NotSent):
    """Other processes keep all the connections that may be open at once."""
