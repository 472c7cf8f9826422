"""Prints labels of many consignments at once: one PDF, a page of 148 x 105 mm each, in the order given."""

import io
from collections.abc import Sequence
from typing import NamedTuple

from PIL import Image
from pypdf import PdfReader, PdfWriter
from reportlab.lib.units import mm  # type: ignore[import-untyped]
from reportlab.lib.utils import ImageReader  # type: ignore[import-untyped]
from reportlab.pdfgen.canvas import Canvas  # type: ignore[import-untyped]

from palletflow.documents import media
from palletflow.documents.label_layout import HEIGHT, MARGIN, WIDTH
from palletflow.documents.label_text import BOLD, REGULAR, Paragraph, fit_block
from palletflow.documents.storage import DocumentLost, Storage
from palletflow.store.documents import StoredDocument

# A label scanned at 600 dpi has 9 million.
MOST_PIXELS = 40_000_000


class Printed(NamedTuple):
    """The PDF, and a sentence for each document that could not be printed; a page in its place says the same."""

    pdf: bytes
    broken: list[str]


class _Broken(Exception):
    """A document that cannot be printed; the text says why."""


def print_batch(storage: Storage, documents: Sequence[StoredDocument]) -> Printed:
    """Joins documents: our own PDFs page by page as they are, a network's JPEG over a whole page.

    A document that is lost or broken takes the page that says so, and the others are printed. Raises
    StorageUnavailable, and ValueError when there is nothing to print.
    """
    if not documents:
        raise ValueError("there is nothing to print")
    writer = PdfWriter()
    broken = []
    for document in documents:
        try:
            pages = _pages(storage.read(document.sha256))
        except (_Broken, DocumentLost) as error:
            broken.append(f"Document {document.id} ({document.name}) cannot be printed: {error}")
            pages = PdfReader(io.BytesIO(_notice(broken[-1])))
        for page in pages.pages:
            writer.add_page(page)
    held = io.BytesIO()
    writer.write(held)
    return Printed(held.getvalue(), broken)


def _pages(data: bytes) -> PdfReader:
    found = media.sniff(data)
    if found == media.JPEG:
        return PdfReader(io.BytesIO(_full_page(data)))
    if found != media.PDF:
        raise _Broken(f"it is {found or 'no file known here'}, and only PDF and JPEG are printed")
    try:
        reader = PdfReader(io.BytesIO(data))
        for page in reader.pages:
            page.get_contents()
    except Exception as error:  # damaged PDFs fail in as many ways as there are objects in them
        raise _Broken(f"its PDF is damaged ({error})") from error
    if not reader.pages:
        raise _Broken("it has no page")
    return reader


def _full_page(jpeg: bytes) -> bytes:
    try:
        with Image.open(io.BytesIO(jpeg), formats=["JPEG"]) as image:
            if image.width * image.height > MOST_PIXELS:
                raise _Broken(f"its picture has {image.width} x {image.height} pixels, more than a label has")
            image.load()
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise _Broken(f"its JPEG is damaged ({error})") from error
    held = io.BytesIO()
    canvas = _canvas(held)
    canvas.drawImage(ImageReader(io.BytesIO(jpeg)), 0, 0, WIDTH * mm, HEIGHT * mm)
    canvas.showPage()
    canvas.save()
    return held.getvalue()


def _notice(sentence: str) -> bytes:
    held = io.BytesIO()
    canvas = _canvas(held)
    parts = [Paragraph("THIS LABEL IS MISSING", True, 1.4), Paragraph(sentence)]
    for line in fit_block(parts, WIDTH - 2 * MARGIN, HEIGHT - 2 * MARGIN, 9, 3):
        canvas.setFont(BOLD if line.bold else REGULAR, line.size * mm)
        canvas.drawString(MARGIN * mm, (HEIGHT - MARGIN - line.baseline) * mm, line.text)
    canvas.showPage()
    canvas.save()
    return held.getvalue()


def _canvas(held: io.BytesIO) -> Canvas:
    return Canvas(held, pagesize=(WIDTH * mm, HEIGHT * mm), invariant=1)
