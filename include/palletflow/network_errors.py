"""What may go wrong between us and a network, the same classes for every network.

Each class says whether trying again can help; palletflow.airflow.retries turns that into Airflow's decision.
No message ever holds a secret: clients mask theirs before they raise.
"""


class NetworkError(Exception):
    """A call to a network failed: `connection` is the Airflow connection, `operation` the network's word for it."""

    remedy = ""

    def __init__(self, connection: str, operation: str, detail: str) -> None:
        self.connection, self.operation, self.detail = connection, operation, detail
        super().__init__(
            " ".join(filter(None, (f"{operation} through connection '{connection}': {detail}.", self.remedy)))
        )


class NotSent(NetworkError):
    """Nothing reached the network: no address, refused, no TLS, no connection in time."""

    remedy = "Nothing was sent; check the network and the connection's Host, it is tried again by itself."


class Throttled(NetworkError):
    """The network asks us to wait `retry_after` seconds."""

    remedy = "It is tried again after the pause the network asked for."

    def __init__(self, connection: str, operation: str, detail: str, retry_after: float) -> None:
        super().__init__(connection, operation, detail)
        self.retry_after = retry_after


class UnknownOutcome(NetworkError):
    """The request left us and no readable answer came back: it may or may not have been carried out."""

    remedy = "A read is tried again by itself."


class Unstable(NetworkError):
    """A paged answer kept changing while it was read."""

    remedy = "Nothing was stored from it and the watermark stays; it is tried again by itself."


class Rejected(NetworkError):
    """The network understood and refused; sending the same again cannot help."""

    remedy = "Mend what the network names, then run it again."


class NotFound(NetworkError):
    """The network answers and knows nothing of what we asked for."""

    remedy = "Check the number; a network shows a depot only the consignments it takes part in."


class AuthFailed(NetworkError):
    """The network does not accept our key."""

    remedy = "Correct the connection's password; its schedules skip until a check passes."


class Misconfigured(NetworkError):
    """The connection itself is wrong: an empty host, an unknown operation or address."""

    remedy = "Correct the connection; its schedules skip until a check passes."
