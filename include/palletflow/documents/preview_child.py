"""The process that draws previews of files of strangers: `python -m palletflow.documents.preview_child`.

Its arguments: SIDE PAGE MEMORY SECONDS. It limits itself, then reads one file, a PDF or a picture, from its standard
input and writes to its standard output the frames B (it began), D (how many pages there are, and the page as a PNG of
at most SIDE x SIDE pixels) or F (which of FAULTS), and E. It opens no other file, starts nothing and needs no network.
previews.py starts it, and takes it that whatever it answers may be a lie.
"""

import io
import os
import struct
import sys
from collections.abc import Sequence
from typing import BinaryIO

from PIL import Image, ImageOps, UnidentifiedImageError

from palletflow.documents import child_frames, media
from palletflow.documents.child_limits import limit

ENCRYPTED, DAMAGED, TOO_LARGE, NO_SUCH_PAGE, UNSUPPORTED = FAULTS = (
    "encrypted", "damaged", "too_large", "no_such_page", "unsupported",
)  # fmt: skip
COUNT = struct.Struct(">I")
MOST_MPX = 50
# Frames of a picture are found one after the other; nobody pages further.
MOST_FRAMES = 100
FORMATS = {media.JPEG: "JPEG", media.PNG: "PNG", media.TIFF: "TIFF", media.GIF: "GIF"}
WHITE = "white"
# What pypdfium2 says for a PDF that wants a password: FPDF_ERR_PASSWORD.
PASSWORD_WANTED = 4
# Sizes are checked before anything is decoded.
Image.MAX_IMAGE_PIXELS = None


class NotDrawn(Exception):
    """There is nothing to show: one of FAULTS."""


def picture_page(file: BinaryIO, form: str, number: int, side: int) -> tuple[int, Image.Image]:
    """How many frames a picture has, and one of them no larger than `side`, upright. Raises NotDrawn."""
    image: Image.Image = Image.open(file, formats=(form,))
    count = min(int(getattr(image, "n_frames", 1)), MOST_FRAMES) if form in ("TIFF", "GIF") else 1
    if number > count:
        raise NotDrawn(NO_SUCH_PAGE)
    if number > 1:
        image.seek(number - 1)
    if image.width * image.height > MOST_MPX * 1_000_000:
        raise NotDrawn(TOO_LARGE)
    image.draft("RGB", (side, side))
    if image.mode in ("1", "P"):
        image = image.convert("L" if image.mode == "1" else "RGBA")
    elif image.mode.startswith("I"):
        image = image.convert("I").point(lambda level: level / 256).convert("L")
    image.thumbnail((side, side))
    image = ImageOps.exif_transpose(image)
    if image.mode in ("LA", "PA", "RGBA"):
        opaque = Image.new("RGBA", image.size, WHITE)
        opaque.alpha_composite(image.convert("RGBA"))
        image = opaque
    return count, image if image.mode == "L" else image.convert("RGB")


def pdf_page(file: BinaryIO, number: int, side: int) -> tuple[int, Image.Image]:
    """How many pages a PDF has, and one of them drawn on white, as large as fits into `side`. Raises NotDrawn."""
    # As slow to import as a picture is to draw.
    import pypdfium2  # type: ignore[import-untyped]

    try:
        pdf = pypdfium2.PdfDocument(file.read())
    except pypdfium2.PdfiumError as error:
        raise NotDrawn(ENCRYPTED if error.err_code == PASSWORD_WANTED else DAMAGED) from error
    count = len(pdf)
    if not count:
        raise NotDrawn(DAMAGED)
    if number > count:
        raise NotDrawn(NO_SUCH_PAGE)
    page = pdf[number - 1]
    width, height = page.get_size()
    if min(width, height) <= 0:
        raise NotDrawn(DAMAGED)
    drawn = page.render(scale=(side - 1) / max(width, height)).to_pil()
    return count, drawn.convert("RGB")


def answer(file: BinaryIO, out: BinaryIO, number: int, side: int) -> None:
    """Draws one page of a file and tells what came of it."""
    child_frames.write(out, b"B")
    try:
        start = file.read(1024)
        file.seek(0)
        form = FORMATS.get(media.sniff(start) or "")
        count, image = picture_page(file, form, number, side) if form else pdf_page(file, number, side)
        count = min(count, 2**32 - 1)
        child_frames.write(out, b"D", COUNT.pack(count), _as_png(image))
    except NotDrawn as error:
        _fault(out, str(error))
    except MemoryError:
        _fault(out, TOO_LARGE)
    except UnidentifiedImageError:
        _fault(out, DAMAGED)
    except Exception:  # whatever a library makes of a damaged file
        _fault(out, DAMAGED)
    child_frames.write(out, b"E")


def _fault(out: BinaryIO, which: str) -> None:
    child_frames.write(out, b"F", bytes([FAULTS.index(which)]))


def _as_png(image: Image.Image) -> bytes:
    held = io.BytesIO()
    # Nothing of what a camera or a scanner noted is handed on.
    image.info.clear()
    image.save(held, "PNG")
    return held.getvalue()


def main(arguments: Sequence[str]) -> None:
    """Draws one page of one file."""
    side, number, memory, seconds = arguments
    # What a library prints must not get among the frames.
    out = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    with os.fdopen(0, "rb") as file:
        limit(int(memory), float(seconds))
        answer(file, out, int(number), int(side))
    os._exit(0)


if __name__ == "__main__":
    main(sys.argv[1:])
