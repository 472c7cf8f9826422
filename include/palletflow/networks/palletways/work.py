"""The kinds of work we do to Palletways, and what its handlers reach it with. The key of all is a consignment's id."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import TYPE_CHECKING, NamedTuple

from palletflow.store import barcodes, dispatch
from palletflow.store.connection import Connection
from palletflow.work.backoff import Backoff

if TYPE_CHECKING:
    from palletflow.networks.palletways.client import PalletwaysClient
    from palletflow.networks.palletways.mapper import Mapper

NETWORK = "palletways"
DISPATCH = dispatch.DISPATCH  # submit it
TRACKING_ID = "tracking_id"  # find out the tracking ID of what was submitted
LABEL = barcodes.REFETCH  # fetch its labels
CANCEL = "cancel"  # take it back
LOOK_UP = "look_up"  # read roles, parties and barcodes by its tracking ID
NOTES_OUT = barcodes.EXPORT  # tell what our people reported
PHOTO_DOWNLOAD = "photo_download"  # look for photos of its delivery
PHOTO_UPLOAD = "photo_upload"  # send ours
# An outage of a day is waited out; the attempt after it stands for all that were missed.
PHOTO_BACKOFF = Backoff(attempts=100)
# Who the history names for what handlers do.
ACTOR = "palletflow"


class Access(NamedTuple):
    """One depot's way to Palletways: a client with its key, and the mapper."""

    client: PalletwaysClient
    mapper: Mapper


# Gives a depot's access; the handler's own connection to the order store is for looking whether it is flagged.
# Raises FileFault for a depot that is not ours, Misconfigured, AuthFailed, ConnectionFlagged.
Reach = Callable[[Connection, str], Access]


def asking_depot(ours: Collection[str], *depots: str) -> str:
    """Of a consignment's depots the first that is ours: a key shows what its depot takes part in.

    When none of them is ours, the first of all our depots.
    """
    return next((depot for depot in depots if depot in ours), next(iter(ours)))
