"""What is exchanged with a network of one consignment, and why not: said in words for the person who asks."""

from collections.abc import Mapping
from datetime import datetime
from typing import NamedTuple


class Facts(NamedTuple):
    """What decides that of a consignment. `is_own`: the order is ours, not one that its network told us of.

    `cancelled`: its order is. `ended_at`: since when its network has nothing more to say; `stale_since`: since when
    nobody asks for it any more. `asked_instead`: the consignment that stands for the same number, which is asked for in
    its place, None when it is this one. `held`: why statuses of ours are kept back, "" when none is.
    """

    tracking_number: str
    consignment_number: str
    registered: bool
    cancelled: bool
    is_own: bool
    requesting_depot: str
    collecting_depot: str
    delivery_depot: str
    our_roles: list[str]
    dispatch_state: str
    lifecycle_status: str
    ended_at: datetime | None
    stale_since: datetime | None
    asked_instead: int | None
    held: str

    @property
    def is_coming(self) -> bool:
        """Whether the network does not have it yet and may get it."""
        return not self.registered and self.dispatch_state in ("todo", "waiting", "unknown", "failed")


class Flow(NamedTuple):
    """One thing that is exchanged, in words: whether it is for this consignment, and the rule that says so."""

    what: str
    is_on: bool
    why: str


class ByHand(NamedTuple):
    """Something a person may ask for now: the pipeline that does it and its parameters. `name` stands in addresses."""

    name: str
    label: str
    dag_id: str
    params: Mapping[str, str]


# What the statuses of a network do here, by the part that is ours: the answers that are the same for every network.
LOOP_GUARD = (
    False,
    "both legs are ours: the loop guard keeps the network's statuses as history and out of stops and status; our own "
    "people's reports count",
)
WE_DELIVER = (True, "we deliver: they move the stops before the delivery, which our own people report")
NO_PART = (False, "none of its depots is ours: they are kept, and the status follows them, but they move no stop")
