"""Sample files of deliveries: a signature, a signed note, a photo of pallets. No two of them have the same bytes."""

import io
import random
from typing import Literal

from PIL import Image, ImageDraw
from reportlab.lib.pagesizes import A5  # type: ignore[import-untyped]
from reportlab.pdfgen.canvas import Canvas  # type: ignore[import-untyped]

Media = Literal["jpg", "png", "pdf", "broken"]
MEDIA: tuple[Media, ...] = ("jpg", "png", "pdf", "broken")
_BEHIND = {"MPOD": "white", "POD": "ivory"}


def sample(type_: str, text: str, media: Media) -> bytes:
    """A file of that media type which shows ``text``; equal arguments give equal bytes. ``broken`` is no document."""
    rng = random.Random(f"{type_}|{text}")
    if media == "broken":
        return b"\x00broken\x00" + rng.randbytes(200)
    if media == "pdf":
        buffer = io.BytesIO()
        canvas = Canvas(buffer, pagesize=A5, invariant=1)
        canvas.drawString(40, 500, f"{type_} {text}")
        canvas.save()
        return buffer.getvalue()
    image = Image.new("RGB", (480, 320), _BEHIND.get(type_, "slategray"))
    draw = ImageDraw.Draw(image)
    draw.text((20, 16), f"{type_}  {text}  SAMPLE", "black")
    if type_ in _BEHIND:
        draw.line([(60 + 18 * i, 200 + rng.randint(-60, 60)) for i in range(20)], "navy", 3)
    else:
        for left in range(60, 420, 120):
            draw.rectangle((left, rng.randint(90, 190), left + 90, 290), "peru", "black")
    buffer = io.BytesIO()
    image.save(buffer, {"jpg": "JPEG", "png": "PNG"}[media])
    return buffer.getvalue()
