"""Draws the label of one pallet as the network prints it: 148 x 105 mm landscape at 203 dpi (section 2.2).

Everything on it comes from the consignment, so the same consignment and pallet always give the same picture.
"""

from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import reportlab  # type: ignore[import-untyped]
from PIL import Image, ImageDraw, ImageFont
from reportlab.graphics.barcode.code128 import Code128  # type: ignore[import-untyped]

from .gazetteer import DEPOTS
from .state import Consignment

DPI = 203
WIDTH, HEIGHT = round(148 / 25.4 * DPI), round(105 / 25.4 * DPI)

SERVICE_NAMES = {"A": "24 hours", "B": "48 hours", "C": "72 hours", "D": "3-5 days", "R": "Return"}

_FONTS = Path(reportlab.__file__).parent / "fonts"
_BLACK, _WHITE = 0, 255
_SMALLEST_TEXT = 8

_RULE = 4  # thickness of the lines between the boxes
_RULES_ACROSS = (186, 436, 560)
_RULES_DOWN = ((592, 0, 186), (900, 0, 186), (592, 186, 436))

# The barcode: whole pixels a module, and blank space of at least ten modules at both sides for the scanner.
_MODULE = 5
_BARS = (576, 770)  # top and bottom


class Text(NamedTuple):
    """One line of text: left edge, top edge and greatest width in pixels, height of the type, whether bold."""

    x: int
    y: int
    width: int
    size: int
    text: str
    bold: bool = False


def draw_label(consignment: Consignment, pallet: int) -> Image.Image:
    """Return the label of pallet ``pallet`` (from 1) as a grey picture, with the barcode valid now."""
    image = Image.new("L", (WIDTH, HEIGHT), _WHITE)
    draw = ImageDraw.Draw(image)
    for y in _RULES_ACROSS:
        draw.rectangle((0, y, WIDTH, y + _RULE - 1), _BLACK)
    for x, top, bottom in _RULES_DOWN:
        draw.rectangle((x, top, x + _RULE - 1, bottom), _BLACK)
    barcode = consignment.barcodes()[pallet - 1]
    for line in (*_head(consignment, pallet), *_addresses(consignment), *_facts(consignment)):
        _write(draw, line)
    _draw_barcode(draw, barcode)
    draw.text((WIDTH // 2, _BARS[1] + 6), barcode, _BLACK, _font(False, 40), anchor="ma")
    return image


def _head(consignment: Consignment, pallet: int) -> tuple[Text, ...]:
    """Where the pallet goes, how fast, and which of the consignment's pallets it is."""
    depot, service = consignment.delivery_depot, consignment.facts["serviceName"]
    return (
        Text(20, 10, 560, 24, "DELIVERY DEPOT"),
        Text(20, 42, 250, 130, depot, bold=True),
        Text(310, 82, 270, 52, DEPOTS[depot].name, bold=True),
        Text(612, 10, 270, 24, "SERVICE"),
        Text(612, 42, 120, 130, service, bold=True),
        Text(730, 92, 164, 40, SERVICE_NAMES[service]),
        Text(920, 10, 250, 24, "PALLET"),
        Text(920, 62, 250, 80, f"{pallet} of {consignment.pallets}", bold=True),
    )


def _addresses(consignment: Consignment) -> list[Text]:
    lines = []
    for x, title, name in ((20, "FROM", "collectionAddress"), (612, "TO", "deliveryAddress")):
        address = consignment.document[name]
        town = f"{_plain(address.get('town'))}  {_plain(address.get('postcode'))}"
        contact = f"{_plain(address.get('contactName'))}  {_plain(address.get('phoneNumber'))}"
        shown = [_plain(address.get(part)) for part in ("streetAddress", "location")]
        shown += [town, _plain(address.get("county")), contact]
        lines.append(Text(x, 196, 556, 24, title))
        lines.append(Text(x, 226, 556, 34, _plain(address.get("name")), bold=True))
        lines += [Text(x, 268 + 33 * i, 556, 28, text) for i, text in enumerate(part for part in shown if part.strip())]
    return lines


def _facts(consignment: Consignment) -> tuple[Text, ...]:
    facts = consignment.facts
    depots = f"Requesting depot {consignment.requesting_depot}   Collecting depot {consignment.collecting_depot}"
    weight, spaces = _plain(facts.get("weight")), _plain(facts.get("palletSpaces"))
    return (
        Text(20, 450, 640, 28, f"Consignment {consignment.number}", bold=True),
        Text(20, 486, 640, 26, depots),
        Text(20, 520, 640, 26, f"Reference {_plain(facts.get('customersUniqueReference'))}"),
        Text(680, 450, 490, 28, f"Surcharges {_plain(facts.get('surcharges')) or 'none'}", bold=True),
        Text(680, 486, 490, 26, f"{weight} kg   {spaces} spaces"),
        Text(680, 520, 490, 26, "SAMPLE OF A SIMULATED NETWORK"),
    )


def _draw_barcode(draw: ImageDraw.ImageDraw, value: str) -> None:
    """Draw ``value`` as Code 128 in the middle of the width."""
    symbol = Code128(value, quiet=0)
    symbol.validate()
    symbol.encode()
    # One letter an element: a capital is a bar, a small letter a gap, A or a being one module wide.
    elements = [(letter.isupper(), (ord(letter.lower()) - ord("a") + 1) * _MODULE) for letter in symbol.decompose()]
    x = (WIDTH - sum(width for _, width in elements)) // 2
    for is_bar, width in elements:
        if is_bar:
            draw.rectangle((x, _BARS[0], x + width - 1, _BARS[1]), _BLACK)
        x += width


def _write(draw: ImageDraw.ImageDraw, line: Text) -> None:
    """Write a line, in smaller type when it is too long for its place."""
    font = _font(line.bold, line.size)
    length = font.getlength(line.text)
    if length > line.width:
        font = _font(line.bold, max(_SMALLEST_TEXT, int(line.size * line.width / length)))
    draw.text((line.x, line.y), line.text, _BLACK, font)


def _plain(value: Any) -> str:
    """A text of the consignment in one line; anything that is no text is left out."""
    return " ".join(value.split()) if isinstance(value, str) else ""


@lru_cache
def _font(bold: bool, size: int) -> ImageFont.FreeTypeFont:
    name = "VeraBd.ttf" if bold else "Vera.ttf"
    # The basic layout does without libraries that are there on one machine and missing on the next.
    return ImageFont.truetype(_FONTS / name, size, layout_engine=ImageFont.Layout.BASIC)
