"""A storage for files that were not what they should be, beside that of documents and apart from it: these can go."""

from palletflow.documents.storage import VARIABLE, Storage, StorageUnavailable

FOLDER = "quarantine"


class Quarantine(Storage):
    """Bytes by their digest as in Storage, until they are removed. May be shared by threads and processes."""

    def __init__(self, documents: Storage) -> None:
        super().__init__(documents._root / FOLDER)

    def remove(self, sha256: bytes) -> None:
        """Takes bytes away for good, if they are there. Raises StorageUnavailable."""
        place = self._place(sha256)
        try:
            place.unlink(missing_ok=True)
        except Exception as error:  # each kind of storage has exceptions of its own
            raise StorageUnavailable(VARIABLE, "remove", f"{place}: {error}") from error
