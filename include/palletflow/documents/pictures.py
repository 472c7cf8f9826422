"""Pictures decoded with Pillow and saved as photos. Runs in the child process of photo_child.py only.

Rules: docs/contracts/palletways.md, section 5, "Splitting". A JPEG keeps its bytes. One that has to be changed, because
its page is turned or its colours are those of print, stays a JPEG: a turned one is encoded with its own quantisation
tables, which leaves its brightness as it was (0.1 of 255 levels at most, on average), or at quality 95 where its sides
do not fit blocks of 8 pixels.
Everything else is saved as PNG, which loses nothing.
"""

import hashlib
import io
import re
from collections.abc import Collection, Iterable, Iterator
from typing import Any, BinaryIO, cast

from PIL import Image, ImageChops
from PIL.JpegImagePlugin import JpegImageFile

from palletflow.documents import fingerprints, media
from palletflow.documents.fingerprints import Fingerprint
from palletflow.documents.photo_answer import MOST_PHOTO_BYTES, Known, Picture

# Clockwise degrees, as a PDF's page is turned, and what Pillow calls that.
TURNS = {90: Image.Transpose.ROTATE_270, 180: Image.Transpose.ROTATE_180, 270: Image.Transpose.ROTATE_90}
# Of a JPEG that cannot keep its own tables: no loss that an eye finds.
QUALITY = 95
# The coefficients of a progressive JPEG are held beside its pixels; of a larger one they would not fit into the child.
MOST_PROGRESSIVE_MPX = 20
# A tenth larger than with the slowest, in a fifth of its time.
PNG_LEVEL = 2
BLOCK = 8
PNG_MODES = ("1", "L", "P", "RGB")
# Sizes are checked before anything is decoded, with the limits of whoever asks.
Image.MAX_IMAGE_PIXELS = None


# How qpdf names the error that Python calls MemoryError.
OUT_OF_MEMORY = "bad_alloc"


class TooLarge(Exception):
    """A limit is met; the text says which."""


class Unsupported(Exception):
    """A kind of picture that nobody here decodes."""


def reason(error: Exception) -> str:
    """An error in a few words. Raises TooLarge when what failed is memory."""
    text = plain_text(str(error))
    if isinstance(error, MemoryError) or OUT_OF_MEMORY in text:
        raise TooLarge("reading it takes more memory than is given to it") from error
    return f"{type(error).__name__}: {text}"[:200] if text else type(error).__name__


def plain_text(message: str) -> str:
    """An error's text without what a library calls the file."""
    return re.sub(r"stream <[^>]*>:? ?|<[^>]* object at [^>]*>", "", message).strip()


class Saver:
    """Makes photos of pictures of at most `most_mpx` megapixels.

    A picture that keeps bytes whose SHA-256 is among `known` is not decoded, whatever its size.
    """

    def __init__(self, most_mpx: float, known: Collection[bytes]) -> None:
        self._most_mpx = most_mpx
        self._known = known

    def open(self, file: BinaryIO, form: str) -> Image.Image:
        """A file as a picture that is not decoded yet. Raises TooLarge, and whatever Pillow does for a damaged one."""
        return self._checked(Image.open(file, formats=(form,)))

    def check(self, width: int, height: int) -> None:
        """Raises TooLarge."""
        _check(width, height, self._most_mpx, "a picture")

    def jpeg(self, jpeg: bytes, page: int, *, turn: int = 0, negative: bool = False) -> Picture | Known:
        """A JPEG stream; `turn`: clockwise degrees; `negative`: its four colours of print are the wrong way round."""
        image = Image.open(io.BytesIO(jpeg), formats=("JPEG",))
        keeps_bytes = image.mode != "CMYK" and not turn
        if keeps_bytes and (known := self._met(jpeg)):
            return known
        self._checked(image)
        if image.mode == "CMYK":
            return self._saved(_encoded_cmyk(image, turn, negative), media.JPEG, page)
        if turn:
            return self._saved(_encoded_turned(cast(JpegImageFile, image), turn), media.JPEG, page)
        return self._saved(jpeg, media.JPEG, page, image)

    def png(self, image: Image.Image, page: int, *, turn: int = 0) -> Picture:
        """A picture that is no JPEG."""
        image = plain(image)
        if turn:
            image = image.transpose(TURNS[turn])
        held = io.BytesIO()
        image.save(held, "PNG", compress_level=PNG_LEVEL)
        return self._saved(held.getvalue(), media.PNG, page, image)

    def png_file(self, png: bytes, page: int) -> Picture | Known:
        """A PNG that stays as it is."""
        return self._met(png) or self._saved(png, media.PNG, page)

    def pile(self, pdf: bytes, page: int, images: Iterable[Image.Image]) -> Picture:
        """A page that stays a PDF, because its pictures are parts of one."""
        return self._made(pdf, media.PDF, page, fingerprints.of_strips(map(plain, images)))

    def _saved(self, data: bytes, media_type: str, page: int, image: Image.Image | None = None) -> Picture:
        return self._made(data, media_type, page, fingerprints.of(image or Image.open(io.BytesIO(data))))

    def _made(self, data: bytes, media_type: str, page: int, marks: Fingerprint) -> Picture:
        if len(data) > MOST_PHOTO_BYTES:
            raise TooLarge(f"what is saved of a page has {len(data):,} bytes, more than {MOST_PHOTO_BYTES:,}")
        return Picture(data, media_type, page, marks)

    def _checked(self, image: Image.Image) -> Image.Image:
        self.check(*image.size)
        if image.info.get("progressive"):
            _check(*image.size, MOST_PROGRESSIVE_MPX, "a progressive JPEG")
        return image

    def _met(self, data: bytes) -> Known | None:
        digest = hashlib.sha256(data).digest()
        return Known(digest) if digest in self._known else None


def _check(width: int, height: int, most_mpx: float, what: str) -> None:
    if width * height > most_mpx * 1_000_000:
        raise TooLarge(f"{what} of {width} x {height} pixels has more than {most_mpx:g} million")


def plain(image: Image.Image) -> Image.Image:
    """The same in black and white, grey, palette or RGB: what every viewer shows."""
    if image.mode in PNG_MODES:
        return image
    # A profile of other colours would spoil these.
    image.info.pop("icc_profile", None)
    if image.mode.startswith("I"):
        return image.convert("I").point(lambda level: level / 256).convert("L")
    return image.convert("RGB")


def frames(image: Image.Image, most: int) -> Iterator[Image.Image]:
    """At most so many frames of an opened file: the same object, each time at its next frame."""
    for number in range(most):
        try:
            image.seek(number)
        except EOFError:
            return
        yield image


def _encoded_cmyk(image: Image.Image, turn: int, negative: bool) -> bytes:
    if negative:
        image = ImageChops.invert(image)
    image.info.pop("icc_profile", None)
    rgb = image.convert("RGB")
    if turn:
        rgb = rgb.transpose(TURNS[turn])
    held = io.BytesIO()
    rgb.save(held, "JPEG", quality=QUALITY, subsampling=0)
    return held.getvalue()


def _encoded_turned(image: JpegImageFile, turn: int) -> bytes:
    if image.mode == "RGB":
        # Its own colour space: no rounding to RGB and back.
        image.draft("YCbCr", None)
    turned = image.transpose(TURNS[turn])
    # The sides whose ends come to lie at the left or at the top, where blocks of 8 x 8 pixels begin.
    moved = {90: image.height, 180: image.width | image.height, 270: image.width}[turn]
    held = io.BytesIO()
    options: dict[str, Any] = {"subsampling": 0, "icc_profile": image.info.get("icc_profile")}
    if moved % BLOCK:
        turned.save(held, "JPEG", quality=QUALITY, **options)
    else:
        turned.save(held, "JPEG", qtables=_turned_tables(image.quantization, turn), **options)
    return held.getvalue()


def _turned_tables(tables: dict[int, list[int]], turn: int) -> dict[int, list[int]]:
    if turn == 180:
        return tables
    places = [BLOCK * column + row for row in range(BLOCK) for column in range(BLOCK)]
    return {number: [table[place] for place in places] for number, table in tables.items()}
