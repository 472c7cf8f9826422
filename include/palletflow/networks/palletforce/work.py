"""The kinds of work we do to Palletforce, and what its handlers reach the network with."""

from collections.abc import Callable
from typing import NamedTuple

from palletflow.deployment import Deployment
from palletflow.networks.palletforce.client import PalletforceClient
from palletflow.networks.palletforce.mapper import NETWORK, Mapper
from palletflow.store import barcodes, dispatch
from palletflow.store.connection import Connection

# Key: consignment id, unless said otherwise.
DISPATCH = dispatch.DISPATCH  # register it
ROUTING = "routing"  # fetch it by number: depots, then barcodes
NETWORK_LABELS = barcodes.REFETCH  # fetch one pallet's label; key "<consignment id>:<pallet number>"
OWN_LABELS = barcodes.RELABEL  # draw our own labels
STATUS_EXPORT = barcodes.EXPORT  # tell our statuses
# Who the history names for what handlers do.
ACTOR = "palletflow"


class Access(NamedTuple):
    """One depot's way to the network: a client of its connection, and the mapper for what comes through it."""

    client: PalletforceClient
    mapper: Mapper


# Gives a depot's access; the handler's own connection to the order store is for looking whether it is flagged.
# Raises FileFault for a depot that is not ours, Misconfigured, AuthFailed, ConnectionFlagged.
Reach = Callable[[Connection, str], Access]


def requesting_depot(plan: Deployment, reach: Reach, conn: Connection, depot: str) -> str:
    """`depot`, or when it is "" the default: the first depot code of the first depot's connection [PF-3-2]."""
    if depot:
        return depot
    ours = plan.network(NETWORK).depots
    first = next(iter(ours))
    codes = reach(conn, first).client.settings.depot_codes
    return next((code for code in codes if code in ours), first)


def label_key(consignment_id: int, pallet_number: int) -> str:
    """The key of NETWORK_LABELS for one pallet."""
    return f"{consignment_id}:{pallet_number}"
