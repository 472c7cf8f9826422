"""Text on a label: what can be shown of it, how wide it is, and how it is made to fit. Lengths are millimetres.

Widths are those of the embedded font. The resident font of label printers is narrower, so what fits here fits there.
"""

import math
import unicodedata
from pathlib import Path
from typing import NamedTuple

from reportlab.pdfbase import pdfmetrics  # type: ignore[import-untyped]
from reportlab.pdfbase.ttfonts import TTFont  # type: ignore[import-untyped]

FONTS = Path(__file__).with_name("fonts")
REGULAR, BOLD = "PalletflowLabel", "PalletflowLabelBold"
for _name, _file in ((REGULAR, "DejaVuSansCondensed.ttf"), (BOLD, "DejaVuSansCondensed-Bold.ttf")):
    pdfmetrics.registerFont(TTFont(_name, str(FONTS / _file)))
# What the font cannot show stands as a box, so that somebody looks the name up instead of trusting half of it.
UNSHOWN = "\u25a1"
CUT = "…"
# More of one field does not fit any label.
MOST_CHARACTERS = 250
# Of the font size: how far letters rise above the baseline (capitals with accents) and fall below, line to line.
ASCENT, DESCENT, LEADING = 0.95, 0.24, 1.17
STEP = 0.1


class Paragraph(NamedTuple):
    """Text that may take several lines. `scale`: its size against the rest of its block."""

    text: str
    bold: bool = False
    scale: float = 1.0


class Line(NamedTuple):
    """One line of a fitted block; `baseline` is measured from the block's top."""

    text: str
    bold: bool
    size: float
    baseline: float


def shown(text: str) -> str:
    """The text as it can be printed: one line, no controls or reading-direction marks, boxes for unknown signs.

    What passes 250 characters is cut.
    """
    glyphs = pdfmetrics.getFont(REGULAR).face.charToGlyph
    kept = []
    for sign in unicodedata.normalize("NFC", text):
        category = unicodedata.category(sign)
        if sign.isspace() or category in ("Cc", "Zl", "Zp"):
            kept.append(" ")
        elif category != "Cf":
            kept.append(sign if ord(sign) in glyphs else UNSHOWN)
    text = " ".join("".join(kept).split())
    return text if len(text) <= MOST_CHARACTERS else text[: MOST_CHARACTERS - 1] + CUT


def width(text: str, size: float, bold: bool) -> float:
    """How wide a line is."""
    return size * sum(_advances(text, bold))


def fit_line(text: str, room: float, most: float, least: float, bold: bool) -> tuple[str, float]:
    """The text on one line with its size: as large as fits, cut with an ellipsis where even `least` is too large."""
    text = shown(text)
    widest = width(text, 1, bold)
    size = most if widest * most <= room else max(least, math.floor(room / widest / STEP) * STEP)
    return _cut(text, room, size, bold), size


def fit_block(paragraphs: list[Paragraph], room: float, height: float, most: float, least: float) -> list[Line]:
    """Paragraphs under each other, wrapped, at the largest size at which all fit into room by height.

    Where even `least` is too large, the last line that fits ends with an ellipsis.
    """
    paragraphs = [part._replace(text=shown(part.text)) for part in paragraphs]
    size = most
    lines = _lines(paragraphs, room, size)
    while size > least and not _fits(lines, height):
        size = max(least, size - STEP)
        lines = _lines(paragraphs, room, size)
    if _fits(lines, height):
        return lines
    while lines and not _fits(lines, height):
        lines.pop()
    if lines:
        last = lines.pop()
        lines.append(last._replace(text=_cut(last.text.removesuffix(CUT) + CUT, room, last.size, last.bold)))
    return lines


def _advances(text: str, bold: bool) -> list[float]:
    """How far each sign moves the pen, in parts of the size."""
    face = pdfmetrics.getFont(BOLD if bold else REGULAR).face
    return [face.charWidths.get(ord(sign), face.defaultWidth) / 1000 for sign in text]


def _fits(lines: list[Line], height: float) -> bool:
    return not lines or lines[-1].baseline + DESCENT * lines[-1].size <= height


def _lines(paragraphs: list[Paragraph], room: float, size: float) -> list[Line]:
    lines: list[Line] = []
    top = 0.0
    for paragraph in paragraphs:
        own = size * paragraph.scale
        for text in _wrap(paragraph.text, room, own, paragraph.bold):
            lines.append(Line(text, paragraph.bold, own, top + ASCENT * own))
            top += LEADING * own
    return lines


def _wrap(text: str, room: float, size: float, bold: bool) -> list[str]:
    """Broken between words, and inside a word only where one alone is too long."""
    lines, line = [], ""
    for word in text.split():
        longer = f"{line} {word}" if line else word
        if width(longer, size, bold) <= room:
            line = longer
            continue
        if line:
            lines.append(line)
        *full, line = _pieces(word, room, size, bold)
        lines += full
    return [*lines, line] if line else lines


def _pieces(word: str, room: float, size: float, bold: bool) -> list[str]:
    """A word in as many pieces as it needs; each has one sign at least."""
    pieces, start, used = [], 0, 0.0
    for place, advance in enumerate(_advances(word, bold)):
        if used + advance * size > room and place > start:
            pieces.append(word[start:place])
            start, used = place, 0.0
        used += advance * size
    return [*pieces, word[start:]]


def _cut(text: str, room: float, size: float, bold: bool) -> str:
    if width(text, size, bold) <= room:
        return text
    text = text.removesuffix(CUT)
    while text and width(text.rstrip() + CUT, size, bold) > room:
        text = text[:-1]
    return text.rstrip() + CUT
