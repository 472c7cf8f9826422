"""The process that joins labels of strangers: `python -m palletflow.documents.print_child`.

Its arguments: SIZES MEMORY SECONDS. It limits itself, then reads files, PDFs and JPEGs of so many bytes each, one
after the other from its standard input, and writes frames of print_answer.py to its standard output: that it began,
which file it opens now, which cannot be printed and why, and, only where every file can be, the parts of the joined
PDF. It opens no other file, starts nothing and needs no network. printing.py starts it, and takes it that whatever it
answers may be a lie.
"""

import io
import os
import signal
import sys
from collections.abc import Sequence
from typing import Any, BinaryIO

from pikepdf import AccessMode, Array, ObjectStreamMode, PasswordError, Pdf, Stream
from PIL import Image, UnidentifiedImageError

from palletflow.documents import child_frames, media, pdf_pages
from palletflow.documents.child_limits import limit
from palletflow.documents.pictures import TooLarge, reason
from palletflow.documents.print_answer import BEGUN, END, FAULT, NEXT, PART, PLACE

# A label scanned at 600 dpi has 9 million.
MOST_PIXELS = 40_000_000
# Of one file, in seconds of CPU: a label takes some milliseconds.
MOST_SECONDS = 5.0
# Written anew, a sound file grows by little.
MOST_GROWTH, MOST_ADDED = 2, 65_536
PART_BYTES = 1 << 20
# Where a whole PDF has its last line.
TAIL = 1024


class NotPrintable(Exception):
    """A file that cannot be printed; the text says why."""


class Parts(io.RawIOBase):
    """Writes what it is given as parts of the joined PDF."""

    def __init__(self, out: BinaryIO) -> None:
        self._out = out

    def writable(self) -> bool:
        """It is."""
        return True

    def write(self, data: Any, /) -> int:
        """One frame."""
        child_frames.write(self._out, PART, bytes(data))
        return len(data)


def clean(data: bytes) -> Pdf:
    """The pages of a file, written anew. Raises NotPrintable, and whatever a damaged file makes a library raise."""
    found = media.sniff(data)
    if found == media.JPEG:
        data = full_page(data)
    elif found != media.PDF:
        raise NotPrintable(f"it is {found or 'no file known here'}, and only PDF and JPEG are printed")
    written = io.BytesIO()
    with checked(data) as pdf, Pdf.new() as alone:
        alone.pages.extend(pdf.pages)
        alone.save(written)
    if written.tell() > MOST_GROWTH * len(data) + MOST_ADDED:
        raise NotPrintable(f"it has {len(data):,} bytes and becomes {written.tell():,}, so it is no label")
    return Pdf.open(written, access_mode=AccessMode.stream)


def checked(data: bytes) -> Pdf:
    """A PDF with all that its pages draw. Raises as `clean` does."""
    try:
        pdf = Pdf.open(io.BytesIO(data), access_mode=AccessMode.stream)
    except PasswordError as error:
        raise NotPrintable("its PDF asks for a password") from error
    # A list of objects that is wrong is made anew; where the end is missing, a part of the label may be.
    if pdf_pages.warnings(pdf) and b"%%EOF" not in data[-TAIL:]:
        raise NotPrintable("its PDF is damaged: the end of it is missing")
    if not pdf.pages:
        raise NotPrintable("it has no page")
    for page in pdf.pages:
        contents = page.obj.get("/Contents", Array())
        for stream in contents if isinstance(contents, Array) else [contents]:
            if not isinstance(stream, Stream):
                raise NotPrintable("its PDF is damaged: what a page draws is missing")
            stream.read_bytes()
    for warning in pdf_pages.warnings(pdf):
        raise NotPrintable(f"its PDF is damaged ({warning})")
    return pdf


def full_page(jpeg: bytes) -> bytes:
    """A picture over a whole page, with its own bytes. Raises as `clean` does."""
    # Most jobs have no pictures and need not pay for this.
    from reportlab import rl_config  # type: ignore[import-untyped]
    from reportlab.lib.units import mm  # type: ignore[import-untyped]
    from reportlab.lib.utils import ImageReader  # type: ignore[import-untyped]
    from reportlab.pdfgen.canvas import Canvas  # type: ignore[import-untyped]

    from palletflow.documents.label_layout import HEIGHT, WIDTH

    with Image.open(io.BytesIO(jpeg), formats=["JPEG"]) as image:
        if image.width * image.height > MOST_PIXELS:
            raise NotPrintable(f"its picture has {image.width} x {image.height} pixels, more than a label has")
        image.load()
    # Bytes as text would make a quarter more of them.
    rl_config.useA85 = 0
    held = io.BytesIO()
    canvas = Canvas(held, pagesize=(WIDTH * mm, HEIGHT * mm), invariant=1)
    canvas.drawImage(ImageReader(io.BytesIO(jpeg)), 0, 0, WIDTH * mm, HEIGHT * mm)
    canvas.showPage()
    canvas.save()
    return held.getvalue()


def why_not(data: bytes, error: Exception) -> str:
    """Why a file cannot be printed, in words."""
    if isinstance(error, NotPrintable | TooLarge):
        return str(error)
    kind = "JPEG" if media.sniff(data) == media.JPEG else "PDF"
    if isinstance(error, UnidentifiedImageError):
        return f"its {kind} is damaged"
    try:
        return f"its {kind} is damaged ({reason(error)})"
    except TooLarge as too_large:
        return str(too_large)


def answer(file: BinaryIO, out: BinaryIO, sizes: Sequence[int]) -> None:
    """Joins files into one PDF, or tells which of them cannot be printed."""
    child_frames.write(out, BEGUN)
    sheets: list[Pdf] = []
    for place, size in enumerate(sizes):
        child_frames.write(out, NEXT, PLACE.pack(place))
        data = file.read(size)
        signal.setitimer(signal.ITIMER_PROF, MOST_SECONDS)
        try:
            sheets.append(clean(data))
        except Exception as error:  # damaged files fail in as many ways as there are objects in them
            child_frames.write(out, FAULT, PLACE.pack(place), why_not(data, error).encode())
    signal.setitimer(signal.ITIMER_PROF, 0)
    if len(sheets) == len(sizes):
        child_frames.write(out, NEXT, PLACE.pack(len(sizes)))
        with Pdf.new() as joined, io.BufferedWriter(Parts(out), PART_BYTES) as parts:
            for sheet in sheets:
                joined.pages.extend(sheet.pages)
            joined.save(parts, deterministic_id=True, object_stream_mode=ObjectStreamMode.generate)
    child_frames.write(out, END)


def main(arguments: Sequence[str]) -> None:
    """Joins the files of one print job."""
    sizes, memory, seconds = arguments
    # What a library prints must not get among the frames.
    out = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    with os.fdopen(0, "rb") as file:
        limit(int(memory), float(seconds))
        answer(file, out, [int(size) for size in sizes.split(",")])
    os._exit(0)


if __name__ == "__main__":
    main(sys.argv[1:])
