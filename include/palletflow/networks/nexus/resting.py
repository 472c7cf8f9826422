"""A feature of Nexus that rests: its work is kept and comes again, and nothing else waits for it (contract 1.5, 10)."""

from palletflow.network_errors import NetworkError, Throttled

REST_S = 3600.0


class Resting(Throttled):
    """Nexus has no such call, or not for us: nothing more is asked of it in this run."""

    remedy = "The work is kept; it is tried again within the hour."

    def __init__(self, cause: NetworkError) -> None:
        super().__init__(cause.connection, cause.operation, cause.detail, REST_S)
