"""Whether two pictures are the same photo: exactly, or re-encoded, resized or turned on the way.

Rules: docs/contracts/palletways.md, section 5, "Same photo or new".
"""

import hashlib
import struct
from collections.abc import Iterable
from typing import NamedTuple

from PIL import Image, ImageChops, ImageStat

NEAR, EXACT = "near", "exact"
CELLS = 64
HASH_SIDE = 16
# Re-encoding changes flat surfaces by a grey level or two, which would turn their bits at random.
FLAT = 2
NEARLY_WHITE = 235
MOST_RATIO_DIFFERENCE = 0.01
MOST_HASH_BITS = 6
MOST_GREY_DIFFERENCE = 2.0
# The rows of a picture that are turned into bytes at once: a large one has 150 million.
ROWS_AT_ONCE = 128
# Six times the wanted size is reached by plain averages, three times as fast as one step and as good.
REDUCING_GAP = 6.0
TURNS = (None, Image.Transpose.ROTATE_90, Image.Transpose.ROTATE_180, Image.Transpose.ROTATE_270)


class Fingerprint(NamedTuple):
    """What is kept of a picture to know it again.

    `exact`: SHA-256 (32 bytes) of width, height and decoded RGB pixels. `hash`: its 16 x 16 difference hash, 32 bytes,
    taken from `grey`: its 64 x 64 grey version, 4,096 bytes, row by row. `photo_like`: fewer than half of those cells
    are nearly white, as those of a scanned note are.
    """

    exact: bytes
    width: int
    height: int
    hash: bytes
    grey: bytes
    photo_like: bool


def of(image: Image.Image) -> Fingerprint:
    """The fingerprint of a picture, which is decoded if it is not yet. Raises whatever a damaged one does."""
    # Only these can be averaged; the numbers of a palette, or black and white alone, cannot.
    image = image if image.mode in ("L", "RGB") else image.convert("RGB")
    digest = hashlib.sha256(struct.pack(">II", image.width, image.height))
    for top in range(0, image.height, ROWS_AT_ONCE):
        rows = image.crop((0, top, image.width, min(top + ROWS_AT_ONCE, image.height)))
        digest.update(rows.convert("RGB").tobytes())
    grey = image.resize((CELLS, CELLS), Image.Resampling.BILINEAR, reducing_gap=REDUCING_GAP).convert("L")
    cells = grey.tobytes()
    white = sum(cell > NEARLY_WHITE for cell in cells)
    return Fingerprint(digest.digest(), *image.size, _hash(grey), cells, photo_like=white < len(cells) / 2)


def of_strips(images: Iterable[Image.Image]) -> Fingerprint:
    """One fingerprint for the pictures that a page is made of, taken as stacked; it is never photo-like."""
    digest = hashlib.sha256()
    width = height = 0
    stack = []
    for image in images:
        one = of(image)
        digest.update(one.exact)
        width, height = max(width, one.width), height + one.height
        stack.append(Image.frombytes("L", (CELLS, CELLS), one.grey))
    pile = Image.new("L", (CELLS, CELLS * len(stack)))
    for number, grey in enumerate(stack):
        pile.paste(grey, (0, CELLS * number))
    small = pile.resize((CELLS, CELLS), Image.Resampling.BOX)
    return Fingerprint(digest.digest(), width, height, _hash(small), small.tobytes(), photo_like=False)


def same(fetched: Fingerprint, stored: Fingerprint, how: str) -> bool:
    """Whether a fetched picture is one that is stored; `how`: "near", or "exact" for no more than the same pixels.

    "near" finds re-encoded, resized and turned photos, and only photos: scanned notes on one form look alike.
    """
    if fetched.exact == stored.exact:
        return True
    if how != NEAR or not (fetched.photo_like and stored.photo_like):
        return False
    return any(_near(fetched, stored, turn) for turn in TURNS)


def _hash(grey: Image.Image) -> bytes:
    """A bit for each of 16 x 16 places: whether it grows lighter to the right, by more than a flat surface does."""
    side = HASH_SIDE + 1
    cells = grey.resize((side, HASH_SIDE), Image.Resampling.BOX).tobytes()
    bits = 0
    for row in range(HASH_SIDE):
        for place in range(row * side, row * side + HASH_SIDE):
            bits = bits << 1 | (cells[place] + FLAT < cells[place + 1])
    return bits.to_bytes(HASH_SIDE * HASH_SIDE // 8, "big")


def _near(fetched: Fingerprint, stored: Fingerprint, turn: Image.Transpose | None) -> bool:
    width, height = stored.width, stored.height
    if turn in (Image.Transpose.ROTATE_90, Image.Transpose.ROTATE_270):
        width, height = height, width
    one, other = fetched.width * height, width * fetched.height
    if abs(one - other) > MOST_RATIO_DIFFERENCE * max(one, other):
        return False
    grey = Image.frombytes("L", (CELLS, CELLS), stored.grey)
    if turn is not None:
        grey = grey.transpose(turn)
    bits = int.from_bytes(fetched.hash, "big") ^ int.from_bytes(_hash(grey), "big")
    if bits.bit_count() > MOST_HASH_BITS:
        return False
    difference = ImageChops.difference(Image.frombytes("L", (CELLS, CELLS), fetched.grey), grey)
    return ImageStat.Stat(difference).mean[0] <= MOST_GREY_DIFFERENCE
