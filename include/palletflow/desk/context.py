"""What every address of the desk works with: a connection, the deployment, the caller's name, the order meant."""

from collections.abc import Iterator, Sequence
from typing import Annotated, NamedTuple

from fastapi import Depends, Path, Request

from palletflow.desk.entering import Clerk
from palletflow.desk.given import KEY_OR_ID
from palletflow.desk.plan import Networks, Plans
from palletflow.desk.pool import Pool
from palletflow.desk.refusals import unknown
from palletflow.store import consignments, orders
from palletflow.store.connection import Connection


class Context(NamedTuple):
    """Of one request."""

    conn: Connection
    networks: Networks
    actor: str

    @property
    def clerk(self) -> Clerk:
        """Enters orders in the caller's name."""
        return Clerk(self.conn, self.networks, self.actor)

    def follow(self, event: str, consignment_ids: Sequence[int]) -> None:
        """Asks for the work that follows from an event (work.follows) for the network of each consignment."""
        for network, ids in consignments.by_network(self.conn, consignment_ids).items():
            self.networks.follow(self.conn, event, network, ids)

    def order_id(self, named: str) -> int:
        """Our id of the order with this key of its caller's, or of "~<our id>". Raises Refused 404."""
        if named.startswith("~"):
            found = int(named[1:])
            if orders.exists(self.conn, found):
                return found
        else:
            identified = orders.identify(self.conn, named)
            if identified is not None:
                return identified
        raise unknown("order", "key", named)


def context(request: Request) -> Iterator[Context]:
    """Holds one connection until the request is answered."""
    pool: Pool = request.app.state.pool
    plans: Plans = request.app.state.plans
    with pool.connection() as conn:
        yield Context(conn, plans.current(conn), request.state.caller.name)


InContext = Annotated[Context, Depends(context)]
OrderName = Annotated[
    str,
    Path(
        pattern=KEY_OR_ID,
        description="The order's own key, or ~ and our id of it, e.g. ~51, for an order that did not come from here.",
        examples=["SO-1001"],
    ),
]


def ordered(order: OrderName, within: InContext) -> int:
    """The order an address names, by our id."""
    return within.order_id(order)


OrderId = Annotated[int, Depends(ordered)]
