"""Files of a backup: packed with gzip, a megabyte in memory at a time, with the SHA-256 of what lies on the disk."""

import hashlib
import os
import zlib
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from palletflow.backup.folder import BackupFault

PIECE = 1 << 20
# Tables are text and shrink to a sixth with the least effort; more effort costs more time than the disk is worth.
LEVEL = 1
GZIP = zlib.MAX_WBITS | 16


def write(file: Path, pieces: Iterable[bytes | bytearray | memoryview], tick: Callable[[int], None]) -> str:
    """Writes pieces of any size; the digest of the file in hexadecimal. `tick` is told how many bytes were packed."""
    digest, packer, waiting, done = hashlib.sha256(), zlib.compressobj(LEVEL, wbits=GZIP), bytearray(), 0
    with file.open("xb") as output:

        def put(data: bytes) -> None:
            digest.update(data)
            output.write(data)

        for piece in pieces:
            waiting += piece
            if len(waiting) >= PIECE:
                put(packer.compress(waiting))
                done += len(waiting)
                tick(done)
                waiting.clear()
        put(packer.compress(waiting))
        put(packer.flush())
        output.flush()
        os.fsync(output.fileno())
    return digest.hexdigest()


def read(file: Path, sha256: str, tick: Callable[[int], None]) -> Iterator[bytes]:
    """The pieces of a file. Raises BackupFault, at its end at the latest, when it is not the one that was written."""
    digest, unpacker, done = hashlib.sha256(), zlib.decompressobj(GZIP), 0
    try:
        with file.open("rb") as packed:
            while data := packed.read(PIECE):
                digest.update(data)
                while data:
                    # A piece may unpack to a thousand times its size.
                    piece = unpacker.decompress(data, 4 * PIECE)
                    data = unpacker.unconsumed_tail
                    done += len(piece)
                    tick(done)
                    yield piece
        yield unpacker.flush()
    except (OSError, zlib.error) as error:
        raise BackupFault(f"{file} cannot be read: {error}. Restore another backup.") from error
    if digest.hexdigest() != sha256:
        raise BackupFault(f"{file} is not what was written: it has been changed or damaged. Restore another backup.")
