"""What of Palletways is not kept for ever."""

from datetime import datetime

from palletflow.documents.storage import Storage
from palletflow.networks.palletways.photo_fetch import delete_old_quarantine
from palletflow.store.connection import Connection


def tidy(conn: Connection, storage: Storage, now: datetime) -> dict[str, int]:
    """Deletes what has been kept long enough; how many of what. Raises StorageUnavailable."""
    return {"files in quarantine": delete_old_quarantine(conn, storage, now)}
