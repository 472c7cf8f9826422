"""The kinds of work we do to Nexus, and what its handlers reach it with. The key of all is a consignment's id."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import TYPE_CHECKING, NamedTuple

from palletflow.store import barcodes, dispatch
from palletflow.store.connection import Connection

if TYPE_CHECKING:
    from palletflow.networks.nexus.client import NexusClient
    from palletflow.networks.nexus.lookups import Lookups
    from palletflow.networks.nexus.mapper import Mapper

NETWORK = "nexus"
DISPATCH = dispatch.DISPATCH  # create it
LABEL = barcodes.REFETCH  # fetch its label, one document for all pallets
CANCEL = "cancel"  # take it back
STATUS_EXPORT = barcodes.EXPORT  # tell our statuses
DOCUMENT_UPLOAD = "document_upload"  # send our signatures, PODs and photos
DOCUMENT_FETCH = "document_fetch"  # look for the delivering depot's
ETA_EXPORT = "eta_export"  # tell when its delivery is expected
# Who the history names for what handlers do.
ACTOR = "palletflow"


class Access(NamedTuple):
    """One depot's way to Nexus: a client of its connection, that connection's look-ups, and the mapper."""

    client: NexusClient
    lookups: Lookups
    mapper: Mapper


# Gives a depot's access; the handler's own connection to the order store is for looking whether it is flagged.
# Raises FileFault for a depot that is not ours, Misconfigured, AuthFailed, ConnectionFlagged.
Reach = Callable[[Connection, str], Access]


def asking_depot(ours: Collection[str], *depots: str) -> str:
    """Of a consignment's depots the first that is ours: Nexus shows a depot only what it takes part in.

    When Nexus named none of ours, the first of all our depots.
    """
    return next((depot for depot in depots if depot in ours), next(iter(ours)))
