"""Writes a label as ZPL II for label printers of 203 dpi: the layout of the PDF, drawn by the printer itself.

The usual printer has a head of 104 mm and takes labels of 105 x 148 mm upright, so everything is turned by 90 degrees.
Letters are the resident scalable font 0, which is narrower than the font the layout was measured with and is sure to
have Latin-1 only: other letters lose their accent, what is left over stands as "?". Every sign of a field beside plain
letters, digits and a few marks is sent as hexadecimal bytes, so no content can end its field.
"""

import re
import unicodedata

from palletflow.documents.label import Label
from palletflow.documents.label_layout import HEIGHT, WIDTH, Bars, Box, Element, lay_out

DOTS_PER_MM = 8
HEAD_DOTS = 832
# The head lies over the middle of the label.
ACROSS, ALONG = (round(HEIGHT * DOTS_PER_MM) + HEAD_DOTS) // 2, round(WIDTH * DOTS_PER_MM)
PLAIN = re.compile(rb"[A-Za-z0-9 .,/()-]")
# Signs outside Latin-1 that have a plain form and no decomposition of their own.
PLAINER = str.maketrans({"–": "-", "—": "-", "‘": "'", "’": "'", "“": '"', "”": '"'})
START_B, START_C, CODE_C, CODE_B = 104, 105, 99, 100
# How ^BC is told which code set to use.
INVOKED = {START_B: ">:", START_C: ">;", CODE_C: ">5", CODE_B: ">6"}


def draw(label: Label) -> bytes:
    """The ZPL of one label, pure ASCII. Raises ValueError for a barcode that cannot be drawn."""
    head = f"^XA^CI28^PW{HEAD_DOTS}^LL{ALONG}^LH0,0"
    fields = map(_field, lay_out(label))
    return "\n".join((head, *fields, "^XZ", "")).encode("ascii")


def escaped(text: str) -> str:
    """A text for ^FH^FD: bytes of UTF-8 (^CI28), all but plain ones as _ and two hexadecimal digits."""
    signs = (bytes([byte]) for byte in printable(text).encode())
    return "".join(sign.decode() if PLAIN.fullmatch(sign) else f"_{sign[0]:02X}" for sign in signs)


def printable(text: str) -> str:
    """The text in Latin-1 letters, which every printer has."""
    found = []
    for sign in text.translate(PLAINER):
        if sign > "\xff":
            parts = (part for part in unicodedata.normalize("NFKD", sign) if not unicodedata.combining(part))
            sign = "".join(part if part <= "\xff" else "?" for part in parts)
        found.append(sign)
    return "".join(found)


def _field(element: Element) -> str:
    if isinstance(element, Box):
        across, down = max(_dots(element.height), 1), max(_dots(element.width), 1)
        x, y = _turned(element.x, element.y + element.height)
        return f"^FO{x},{y}^GB{across},{down},{min(across, down)}^FS"
    if isinstance(element, Bars):
        x, y = _turned(element.x, element.y + element.height)
        bars = f"^BY{_dots(element.module)}^BCR,{_dots(element.height)},N,N,N,N"
        return f"^FO{x},{y}{bars}^FD{_code_128(element.symbols)}^FS"
    x, y = _turned(element.x, element.baseline)
    reverse = "^FR" if element.white else ""
    return f"^FT{x},{y}^A0R,{_dots(element.size)}{reverse}^FH^FD{escaped(element.text)}^FS"


def _turned(x: float, y: float) -> tuple[int, int]:
    """A place of the layout on the label as the printer feeds it: our down is its left."""
    return ACROSS - _dots(y), _dots(x)


def _dots(length: float) -> int:
    return round(length * DOTS_PER_MM)


def _code_128(symbols: list[int]) -> str:
    """Data of ^BC that makes the printer draw just these symbols; it adds check and stop itself."""
    data, in_pairs = "", False
    for symbol in symbols[:-2]:
        if symbol in INVOKED and (symbol != CODE_C or not in_pairs):
            data += INVOKED[symbol]
            in_pairs = symbol in (START_C, CODE_C)
        else:
            data += f"{symbol:02d}" if in_pairs else chr(symbol + ord(" "))
    return data
