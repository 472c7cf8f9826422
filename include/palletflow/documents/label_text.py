"""Text on a label: what can be shown of it, how wide it is, and how it is made to fit. Lengths are millimetres.

Widths are those of the embedded font. The resident font of label printers is narrower, so what fits here fits there.
"""

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
    """The text as it can be printed: one line, no controls or reading-direction marks, boxes for unknown signs."""
    glyphs = pdfmetrics.getFont(REGULAR).face.charToGlyph
    kept = []
    for sign in unicodedata.normalize("NFC", text):
        category = unicodedata.category(sign)
        if sign.isspace() or category in ("Cc", "Zl", "Zp"):
            kept.append(" ")
        elif category != "Cf":
            kept.append(sign if ord(sign) in glyphs else UNSHOWN)
    return " ".join("".join(kept).split())


def width(text: str, size: float, bold: bool) -> float:
    """How wide a line is."""
    return float(pdfmetrics.stringWidth(text, BOLD if bold else REGULAR, size))


def fit_line(text: str, room: float, most: float, least: float, bold: bool) -> tuple[str, float]:
    """The text on one line with its size: as large as fits, cut with an ellipsis where even `least` is too large."""
    text = shown(text)
    size = most
    while size > least and width(text, size, bold) > room:
        size = max(least, size - STEP)
    return _cut(text, room, size, bold), size


def fit_block(paragraphs: list[Paragraph], room: float, height: float, most: float, least: float) -> list[Line]:
    """Paragraphs under each other, wrapped, at the largest size at which all fit into room by height.

    Where even `least` is too large, the last line that fits ends with an ellipsis.
    """
    paragraphs = [part._replace(text=shown(part.text)) for part in paragraphs]
    paragraphs = [part for part in paragraphs if part.text]
    size = most
    lines = _lines(paragraphs, room, size)
    while size > least and not _fits(lines, height):
        size = max(least, size - STEP)
        lines = _lines(paragraphs, room, size)
    if not _fits(lines, height):
        while lines and not _fits(lines, height):
            lines.pop()
        if lines:
            last = lines[-1]
            lines[-1] = last._replace(text=_cut(last.text + CUT, room, last.size, last.bold))
    return lines


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
        longer = f"{line} {word}".strip()
        if width(longer, size, bold) <= room:
            line = longer
            continue
        if line:
            lines.append(line)
        line = word
        while width(line, size, bold) > room and len(line) > 1:
            fitting = next(n for n in range(len(line) - 1, 0, -1) if n == 1 or width(line[:n], size, bold) <= room)
            lines.append(line[:fitting])
            line = line[fitting:]
    return [*lines, line] if line else lines


def _cut(text: str, room: float, size: float, bold: bool) -> str:
    if width(text, size, bold) <= room:
        return text
    text = text.removesuffix(CUT)
    while text and width(text.rstrip() + CUT, size, bold) > room:
        text = text[:-1]
    return text.rstrip() + CUT
