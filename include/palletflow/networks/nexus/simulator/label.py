"""Pallet labels (section 2.6): A6 pages with the 16-digit barcode as Code 128 and in digits."""

import io

from reportlab.graphics.barcode.code128 import Code128  # type: ignore[import-untyped]
from reportlab.lib.pagesizes import A6  # type: ignore[import-untyped]
from reportlab.lib.units import mm  # type: ignore[import-untyped]
from reportlab.pdfgen.canvas import Canvas  # type: ignore[import-untyped]

from .consignment import Consignment

_WIDTH, _HEIGHT = A6


def label_pdf(one: Consignment) -> bytes:
    """One page per pallet. The same consignment always gives the same bytes."""
    buffer = io.BytesIO()
    canvas = Canvas(buffer, pagesize=A6, invariant=1, pageCompression=0)
    canvas.setTitle(f"Labels {one.number}")
    for place, pallet in enumerate(one.pallets, 1):
        lines = (
            (136, 26, one.delivery),
            (124, 12, f"{one.delivery_service}   {one.network}"),
            (112, 12, f"Pallet {place} of {len(one.pallets)}   {pallet.type}   {pallet.weight:g} kg"),
            (102, 10, f"Consignment {one.number}   Ref {one.reference or '-'}"),
            (90, 12, one.receiver.name),
            (84, 10, one.receiver.line1),
            (78, 10, f"{one.receiver.town}  {one.receiver.postcode}"),
            (66, 10, f"From {one.pickup.name}, {one.collecting}"),
            (12, 14, pallet.barcode),
            (5, 7, "Sample of a simulated network"),
        )
        for height, size, text in lines:
            canvas.setFont("Helvetica-Bold" if size > 12 else "Helvetica", size)
            canvas.drawString(6 * mm, height * mm, text)
        barcode = Code128(pallet.barcode, barHeight=34 * mm, barWidth=0.55 * mm)
        barcode.drawOn(canvas, (_WIDTH - barcode.width) / 2, 22 * mm)
        canvas.showPage()
    canvas.save()
    return buffer.getvalue()


def label_zpl(one: Consignment) -> bytes:
    """The same as printer commands."""
    return "\n".join(
        f"^XA^FO40,40^A0N,60^FD{one.delivery} {one.number}^FS^FO40,140^BCN,300,Y^FD{pallet.barcode}^FS^XZ"
        for pallet in one.pallets
    ).encode()
