"""Whether two pictures are the same photo: exactly, or re-encoded, resized or turned on the way."""

from typing import NamedTuple


class Fingerprint(NamedTuple):
    """What is kept of a picture to know it again.

    `exact`: SHA-256 (32 bytes) of width, height and decoded RGB pixels. `hash`: its 16 x 16 difference hash, 32 bytes.
    `grey`: its 64 x 64 grey version, 4,096 bytes, row by row. `photo_like`: fewer than half of those cells are nearly
    white, as those of a scanned note are.
    """

    exact: bytes
    width: int
    height: int
    hash: bytes
    grey: bytes
    photo_like: bool


def same(fetched: Fingerprint, stored: Fingerprint, how: str) -> bool:
    """Whether a picture is one that is stored already; `how`: "near" or "exact"."""
    return fetched.exact == stored.exact and how in ("near", "exact")
