"""Pallet labels (section 2.9): A6 pages with tracking ID and barcode, and the error page that looks like one."""

import io
from typing import NamedTuple

from reportlab.graphics.barcode.code128 import Code128  # type: ignore[import-untyped]
from reportlab.lib.pagesizes import A6  # type: ignore[import-untyped]
from reportlab.lib.units import mm  # type: ignore[import-untyped]
from reportlab.pdfgen.canvas import Canvas  # type: ignore[import-untyped]

from .consignment import Consignment
from .members import ACCOUNTS

_WIDTH, _HEIGHT = A6


class _Line(NamedTuple):
    height: int  # mm from the bottom
    size: int
    text: str


def labels(one: Consignment, degrees: int = 0) -> bytes:
    """One page per pallet, turned by ``degrees``. The same consignment always gives the same bytes."""
    to = one.addresses[-1]
    pages = []
    for place, barcode in enumerate(one.barcodes, 1):
        lines = [
            _Line(136, 26, one.delivery_depot),
            _Line(126, 11, f"FROM {ACCOUNTS[one.account].name}, {one.depot}"),
            _Line(116, 11, f"REF {one.reference or '-'}   CON {one.decorated}"),
            _Line(106, 12, f"TRACKING {one.tracking_id}"),
            _Line(96, 10, f"BOOK IN {'YES' if one.book_in else 'NO'}   TAIL-LIFT {'YES' if one.tail_lift else 'NO'}"),
            _Line(84, 12, to.company),
            _Line(76, 10, f"{to.town}  {to.postcode}"),
            _Line(66, 14, f"{place} OF {len(one.barcodes):03d}"),
        ]
        pages.append((lines, barcode))
    return _drawn(pages, degrees)


def error_label() -> bytes:
    """The error page of the same shape: a valid PDF without any consignment's numbers."""
    said = ("There was an error generating this label:", "consignment data not found.", "Please contact support")
    lines = [_Line(112 - 8 * place, 9, text) for place, text in enumerate(said)]
    return _drawn([([_Line(126, 16, "ERROR"), *lines], "")], 0)


def example_label() -> bytes:
    """A label as it may lie among POD images."""
    lines = [
        _Line(136, 26, "456"),
        _Line(126, 11, "FROM SAMPLE SENDER"),
        _Line(116, 11, "REF SAMPLE"),
        _Line(106, 12, "TRACKING 60000000001"),
        _Line(96, 10, "BOOK IN NO   TAIL-LIFT NO"),
        _Line(66, 14, "1 OF 001"),
    ]
    return _drawn([(lines, "B0012A4F00")], 0)


def _drawn(pages: list[tuple[list[_Line], str]], degrees: int) -> bytes:
    buffer = io.BytesIO()
    canvas = Canvas(buffer, pagesize=A6, invariant=1)
    canvas.setTitle("Labels")
    for lines, barcode in pages:
        for line in lines:
            canvas.setFont("Helvetica-Bold" if line.size > 12 else "Helvetica", line.size)
            canvas.drawString(6 * mm, line.height * mm, line.text)
        if barcode:
            drawn = Code128(barcode, barHeight=30 * mm, barWidth=0.5 * mm)
            drawn.drawOn(canvas, (_WIDTH - drawn.width) / 2, 20 * mm)
            canvas.drawCentredString(_WIDTH / 2, 12 * mm, barcode)
        canvas.setPageRotation(degrees)
        canvas.showPage()
    canvas.save()
    return buffer.getvalue()
