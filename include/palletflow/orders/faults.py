"""Why an order cannot go to its network: said to the person who can mend it."""

from typing import NamedTuple


class Fault(NamedTuple):
    """Why an order cannot go: reason code, field of ours, what is wrong, and what to do about it."""

    code: str
    field: str
    reason: str
    remedy: str
