"""Draws a label as a PDF page of 148 x 105 mm. The same label gives the same bytes, so it is stored once."""

import io
from itertools import accumulate

from reportlab.lib.units import mm  # type: ignore[import-untyped]
from reportlab.pdfgen.canvas import Canvas  # type: ignore[import-untyped]

from palletflow.documents.label import Label
from palletflow.documents.label_layout import HEIGHT, WIDTH, Bars, Box, Element, lay_out
from palletflow.documents.label_text import BOLD, REGULAR


def draw(label: Label) -> bytes:
    """The PDF of one label. Raises ValueError for a barcode that cannot be drawn."""
    held = io.BytesIO()
    canvas = Canvas(held, pagesize=(WIDTH * mm, HEIGHT * mm), invariant=1, pageCompression=1, lang="en-GB")
    canvas.setTitle(f"Label {label.tracking_number} pallet {label.pallet} of {label.pallets}")
    canvas.setAuthor("Palletflow")
    for element in lay_out(label):
        _draw(canvas, element)
    canvas.showPage()
    canvas.save()
    return held.getvalue()


def _draw(canvas: Canvas, element: Element) -> None:
    if isinstance(element, Box):
        _fill(canvas, element.x, element.y, element.width, element.height)
    elif isinstance(element, Bars):
        starts = accumulate(element.modules, initial=0)
        # Bars and spaces take turns, a bar comes first.
        for place, (start, modules) in enumerate(zip(starts, element.modules, strict=False)):
            if place % 2 == 0:
                x = element.x + start * element.module
                _fill(canvas, x, element.y, modules * element.module, element.height)
    else:
        canvas.setFillGray(1 if element.white else 0)
        canvas.setFont(BOLD if element.bold else REGULAR, element.size * mm)
        canvas.drawString(element.x * mm, (HEIGHT - element.baseline) * mm, element.text)
        canvas.setFillGray(0)


def _fill(canvas: Canvas, x: float, y: float, width: float, height: float) -> None:
    canvas.rect(x * mm, (HEIGHT - y - height) * mm, width * mm, height * mm, stroke=0, fill=1)
