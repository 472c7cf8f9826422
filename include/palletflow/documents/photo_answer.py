"""What the child process that reads photos is asked, and the frames in which it answers.

Whoever reads the answer does not trust it: a hostile file may have taken the child over.
"""

import struct
from collections.abc import Collection
from enum import Enum
from typing import BinaryIO, NamedTuple

from palletflow.documents import child_frames, media
from palletflow.documents.child_frames import NotUnderstood
from palletflow.documents.fingerprints import CELLS, HASH_SIDE, Fingerprint

ERROR_PAGE, LABEL_LIKE, MALFORMED, ENCRYPTED, TOO_LARGE, UNSUPPORTED, NOT_A_PHOTO = REASONS = (
    "error_page", "label_like", "malformed", "encrypted", "too_large", "unsupported", "not_a_photo",
)  # fmt: skip
# More than the object storage takes for one document would be of no use.
MOST_PHOTO_BYTES = 25 * 1024 * 1024
MOST_DETAIL_BYTES = 500
MOST_TEXT_BYTES = 100_000
DIGEST_BYTES = 32
MEDIA_TYPES = (media.JPEG, media.PNG, media.PDF)
# Page and media type; then the fingerprint, then the bytes.
PICTURE = struct.Struct(">IB")
FINGERPRINT = struct.Struct(f">32sII{HASH_SIDE * HASH_SIDE // 8}s{CELLS * CELLS}s?")
NUMBER = struct.Struct(">I")


def kind(start: bytes) -> str | None:
    """The media type of a file of which photos are taken, by its first 1,024 bytes; None for all others."""
    if b"%PDF-" in start[:1024]:
        return media.PDF
    found = media.sniff(start)
    return found if found in (media.JPEG, media.PNG, media.TIFF) else None


class Limits(NamedTuple):
    """How much of a file is read, and what counts as a photo.

    Pictures of a PDF's page need `min_photo_px` on both sides. `label_words`: a page with three of them, one of those
    among the last three, is a label; "n" in them stands for a number.
    """

    max_mib: float = 25
    max_pages: int = 60
    max_image_mpx: float = 50
    max_decode_s: float = 60
    min_photo_px: int = 200
    label_words: tuple[str, ...] = ("FROM", "REF", "TRACKING", "BOOK IN", "TAIL-LIFT", "n OF nnn")


class Wanted(Enum):
    """What a file is read for: photos, fingerprints of all pictures there are, or words."""

    PHOTOS = "photos"
    PRINTS = "prints"
    TEXTS = "texts"


class Picture(NamedTuple):
    """A picture as it is to be stored; `page` counts pages, or frames of a TIFF, from 1."""

    data: bytes
    media_type: str
    page: int
    fingerprint: Fingerprint


class Known(NamedTuple):
    """A picture whose bytes are held already where it would be stored, by their SHA-256."""

    digest: bytes


class Fault(NamedTuple):
    """Why something was not taken for a photo: one of REASONS, and a sentence that says what and where."""

    reason: str
    detail: str


class Answer(NamedTuple):
    """All that a child told: `began` and `ended` say whether it came that far. `texts`: the words of each page.

    `known`: digests of the pictures that it was told of and met.
    """

    texts: list[str]
    pictures: list[Picture]
    known: list[bytes]
    faults: list[Fault]
    pages: int
    began: bool
    ended: bool


class Writer:
    """Writes an answer, each part as soon as it is known."""

    def __init__(self, out: BinaryIO) -> None:
        self._out = out

    def begin(self) -> None:
        """The child is ready to read; what befalls it from now on is the file's doing."""
        self._frame(b"B")

    def pages(self, count: int) -> None:
        """How many pages or frames the file has."""
        self._frame(b"N", NUMBER.pack(count))

    def picture(self, picture: Picture | Known) -> None:
        """One picture."""
        if isinstance(picture, Known):
            self._frame(b"K", picture.digest)
            return
        head = PICTURE.pack(picture.page, MEDIA_TYPES.index(picture.media_type))
        self._frame(b"P", head, FINGERPRINT.pack(*picture.fingerprint), picture.data)

    def text(self, words: str) -> None:
        """The words of the next page."""
        self._frame(b"T", words.encode("utf-8", "replace")[:MOST_TEXT_BYTES])

    def fault(self, fault: Fault) -> None:
        """One fault."""
        detail = fault.detail.encode("utf-8", "replace")[:MOST_DETAIL_BYTES]
        self._frame(b"F", bytes([REASONS.index(fault.reason)]), detail)

    def end(self) -> None:
        """Nothing follows."""
        self._frame(b"E")

    def _frame(self, kind: bytes, *parts: bytes) -> None:
        child_frames.write(self._out, kind, *parts)


def read(answer: bytes | bytearray, known: Collection[bytes]) -> Answer:
    """What an answer tells, which may stop anywhere; `known`: the digests that the child was told of.

    Raises NotUnderstood when it is none.
    """
    texts: list[str] = []
    pictures: list[Picture] = []
    met: list[bytes] = []
    faults: list[Fault] = []
    pages, began, ended = 0, False, False
    for kind, body in child_frames.read(answer):
        try:
            match kind:
                case b"B":
                    began = True
                case b"N":
                    [pages] = NUMBER.unpack(body)
                case b"T":
                    texts.append(bytes(body[:MOST_TEXT_BYTES]).decode("utf-8", "replace"))
                case b"P":
                    pictures.append(_picture(body))
                case b"K":
                    met.append(bytes(body))
                case b"F":
                    faults.append(Fault(REASONS[body[0]], child_frames.plain(bytes(body[1:]), MOST_DETAIL_BYTES)))
                case b"E":
                    ended = True
                    break
                case _:
                    raise NotUnderstood(f"a frame of kind {kind!r}")
        except (struct.error, IndexError) as error:
            raise NotUnderstood(f"a frame of kind {kind!r} with {len(body)} bytes: {error}") from error
    if not set(known).issuperset(met):
        raise NotUnderstood("a picture is said to be known and is not")
    return Answer(texts, pictures, met, faults, pages, began, ended)


def _picture(body: memoryview) -> Picture:
    page, media_type = PICTURE.unpack_from(body)
    fingerprint = Fingerprint(*FINGERPRINT.unpack_from(body, PICTURE.size))
    data = bytes(body[PICTURE.size + FINGERPRINT.size :])
    if media.sniff(data) != MEDIA_TYPES[media_type]:
        raise NotUnderstood(f"page {page} is said to be {MEDIA_TYPES[media_type]} and is not")
    return Picture(data, MEDIA_TYPES[media_type], page, fingerprint)
