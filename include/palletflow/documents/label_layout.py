"""Where everything stands on a label of 148 x 105 mm: the one layout that every way of drawing it follows.

Lengths are millimetres from the top left corner. A worker reads the delivery depot, the service and the pallet across
a bay, the postcode, the surcharges and the notes at arm's length, and the rest when something is wrong.
"""

import math
from datetime import date
from typing import NamedTuple

from reportlab.graphics.barcode.code128 import Code128  # type: ignore[import-untyped]

from palletflow.documents import label_text
from palletflow.documents.label import BARCODE, MOST_BARCODE_CHARACTERS, Label, Service
from palletflow.documents.label_text import Paragraph
from palletflow.orders.consignment import Address

WIDTH, HEIGHT = 148.0, 105.0
MARGIN, PADDING = 4.0, 1.2
RULE = 0.375  # three dots of a printer of 203 dpi
LEFT, RIGHT, TOP, BOTTOM = MARGIN, WIDTH - MARGIN, MARGIN, HEIGHT - MARGIN
# The rows' and columns' borders.
ADDRESS_TOP, NOTES_TOP, STRIP_TOP, BARCODE_TOP = 30.0, 59.0, 72.5, 80.0
SERVICE_LEFT, PALLET_LEFT, SIDE_LEFT = 66.0, 97.0, 96.0
CAPTION, SMALLEST = 2.2, 1.7
# The smallest part of a bar is a whole number of dots of a printer of 203 dpi, an eighth of a millimetre each.
DOT, MOST_DOTS, LEAST_DOTS = 0.125, 5, 2
QUIET_MODULES = 10
BARCODE_TEXT, DESCENT_OF_FOOT = 4.2, 0.6


class Text(NamedTuple):
    """One line of text; `x` is its left end."""

    x: float
    baseline: float
    size: float
    text: str
    bold: bool
    white: bool = False


class Box(NamedTuple):
    """A filled black rectangle; thin ones are the rules between the cells."""

    x: float
    y: float
    width: float
    height: float


class Bars(NamedTuple):
    """A Code 128 barcode without its quiet zones.

    `symbols`: start, data, check and stop by value. `modules`: widths of bar, space, bar and so on in modules.
    """

    x: float
    y: float
    height: float
    module: float
    symbols: list[int]
    modules: list[int]

    @property
    def width(self) -> float:
        """From the first bar to the last."""
        return self.module * sum(self.modules)


Element = Text | Box | Bars


class _Sheet:
    """Collects the elements of one label."""

    def __init__(self) -> None:
        self.elements: list[Element] = []

    def box(self, x: float, y: float, width: float, height: float) -> None:
        self.elements.append(Box(x, y, width, height))

    def line(
        self, text: str, x: float, baseline: float, room: float, most: float, *, bold: bool = True, white: bool = False,
        centred: bool = False,
    ) -> None:  # fmt: skip
        """One line as large as fits between x and x + room."""
        text, size = label_text.fit_line(text, room, most, SMALLEST, bold)
        if centred:
            x += (room - label_text.width(text, size, bold)) / 2
        if text:
            self.elements.append(Text(x, baseline, size, text, bold, white))

    def block(self, parts: list[Paragraph], x: float, y: float, room: float, height: float, most: float) -> None:
        """Paragraphs as large as fit into the rectangle."""
        for line in label_text.fit_block(parts, room, height, most, SMALLEST):
            self.elements.append(Text(x, y + line.baseline, line.size, line.text, line.bold))


def lay_out(label: Label) -> list[Element]:
    """The elements of a label, black boxes before the white text on them.

    Raises ValueError when the barcode has other characters than capital letters and digits, or is too long.
    """
    sheet = _Sheet()
    for y in (ADDRESS_TOP, NOTES_TOP, STRIP_TOP, BARCODE_TOP):
        sheet.box(LEFT, y, RIGHT - LEFT, RULE)
    sheet.box(SIDE_LEFT, ADDRESS_TOP, RULE, STRIP_TOP - ADDRESS_TOP)
    _depot(sheet, label)
    _service(sheet, label.service)
    _pallet(sheet, label)
    _receiver(sheet, label)
    _delivery(sheet, label)
    _notes(sheet, label)
    _sender(sheet, label)
    _strip(sheet, label)
    _barcode(sheet, label)
    return sheet.elements


def _depot(sheet: _Sheet, label: Label) -> None:
    room = SERVICE_LEFT - LEFT - PADDING
    sheet.line(f"{label.network} delivery depot".upper(), LEFT, TOP + CAPTION, room, CAPTION)
    if not label.provisional:
        sheet.line(label.delivery_depot, LEFT, ADDRESS_TOP - 1.8, room, 28)
        return
    sheet.box(LEFT, TOP + 3.6, room, 12)
    sheet.line("PROVISIONAL", LEFT + PADDING, TOP + 12.2, room - 2 * PADDING, 9, white=True)
    warning = [Paragraph("The route is not known yet.", True), Paragraph("Print again before collection.", True)]
    sheet.block(warning, LEFT, TOP + 16.6, room, ADDRESS_TOP - TOP - 17.6, 4.2)


def _service(sheet: _Sheet, service: Service) -> None:
    across = PALLET_LEFT - SERVICE_LEFT - PADDING
    sheet.box(SERVICE_LEFT, TOP, across, ADDRESS_TOP - TOP - PADDING)
    left, room = SERVICE_LEFT + PADDING, across - 2 * PADDING
    sheet.line(service.code, left, ADDRESS_TOP - 8.2, room, 22, white=True, centred=True)
    sheet.line(service.name, left, ADDRESS_TOP - 3.2, room, 4.6, white=True, centred=True)


def _pallet(sheet: _Sheet, label: Label) -> None:
    left, room = PALLET_LEFT, RIGHT - PALLET_LEFT
    sheet.line("PALLET", left, TOP + CAPTION, room, CAPTION)
    sheet.line(f"{label.pallet} of {label.pallets}", left, TOP + 15.4, room, 15)
    sheet.line(label.pallet_type.upper(), left, ADDRESS_TOP - 3, room * 0.5 - PADDING, 5)
    if label.weight_kg is not None:
        weight = f"{label.weight_kg.normalize():f} kg" + (" in all" if label.pallets > 1 else "")
        sheet.line(weight, left + room * 0.5, ADDRESS_TOP - 3, room * 0.5, 5)


def _receiver(sheet: _Sheet, label: Label) -> None:
    to = label.receiver
    left, room = LEFT, SIDE_LEFT - LEFT - PADDING
    foot = NOTES_TOP - 1.4
    sheet.line("DELIVER TO", left, ADDRESS_TOP + 3, room, CAPTION)
    place = [Paragraph(to.name, True, 1.2), *map(Paragraph, (to.street, to.locality, _town(to), _country(to)))]
    sheet.block(place, left, ADDRESS_TOP + 3.6, room, NOTES_TOP - ADDRESS_TOP - 13, 5)
    sheet.line(to.postcode.upper(), left, foot, room * 0.52, 9.5)
    contact = [Paragraph(to.contact), Paragraph(to.phone, True)]
    sheet.block(contact, left + room * 0.54, NOTES_TOP - 9, room * 0.46, 8.4, 3.4)


def _delivery(sheet: _Sheet, label: Label) -> None:
    """The delivery date, and the surcharges: codes in black with what they mean beside them."""
    left, room = SIDE_LEFT + 2 * PADDING, RIGHT - SIDE_LEFT - 2 * PADDING
    sheet.line("DELIVER BY", left, ADDRESS_TOP + 3, room, CAPTION)
    sheet.line(_day(label.delivery_date), left, ADDRESS_TOP + 8, room, 5.6)
    if not label.surcharges:
        return
    top = ADDRESS_TOP + 9.6
    columns = 1 if len(label.surcharges) <= 3 else 2
    rows = math.ceil(len(label.surcharges) / columns)
    across, down = room / columns, min((NOTES_TOP - PADDING / 2 - top) / rows, 6.3)
    for place, surcharge in enumerate(label.surcharges):
        x, y = left + across * (place // rows), top + down * (place % rows)
        flag = down * 1.45
        sheet.box(x, y, flag, down - 0.5)
        sheet.line(surcharge.code, x + 0.4, y + down * 0.76, flag - 0.8, down * 0.92, white=True, centred=True)
        meaning = [Paragraph(surcharge.name)]
        sheet.block(meaning, x + flag + 0.8, y, across - flag - 1.6, down - 0.5, min(3.6, down * 0.7))


def _notes(sheet: _Sheet, label: Label) -> None:
    notes = [Paragraph(note, True) for note in label.notes]
    sheet.block(notes, LEFT, NOTES_TOP + 0.8, SIDE_LEFT - LEFT - PADDING, STRIP_TOP - NOTES_TOP - 1, 4.4)


def _sender(sheet: _Sheet, label: Label) -> None:
    by = label.sender
    left, room = SIDE_LEFT + 2 * PADDING, RIGHT - SIDE_LEFT - 2 * PADDING
    sheet.line("FROM", left, NOTES_TOP + 3, room, CAPTION)
    place = " ".join(filter(None, (_town(by), by.postcode.upper())))
    for row, (text, bold) in enumerate(((by.name, True), (by.street, False), (place, False))):
        sheet.line(text, left, NOTES_TOP + 6.2 + 2.9 * row, room, 2.9, bold=bold)


def _strip(sheet: _Sheet, label: Label) -> None:
    """What a clerk needs who looks the consignment up."""
    depots = "/".join(filter(None, (label.requesting_depot, label.collecting_depot)))
    cells = (
        ("TRACKING NUMBER", label.tracking_number, 34.0),
        ("CONSIGNMENT", label.consignment_number, 21.0),
        ("COLLECTION", _day(label.collection_date), 27.0),
        ("DEPOTS", depots, 18.0),
    )
    x = LEFT
    for caption, text, across in cells:
        room = across - PADDING
        if text:
            sheet.line(caption, x, STRIP_TOP + 2.5, room, CAPTION * 0.85, bold=False)
            sheet.line(text, x, STRIP_TOP + 6.2, room, 3.8)
        x += across
    if not label.reference:
        return
    # The one of them that may be long; it takes a second line before it is cut.
    sheet.line("REFERENCE", x, STRIP_TOP + 2.5, RIGHT - x, CAPTION * 0.85, bold=False)
    sheet.block([Paragraph(label.reference, True)], x, STRIP_TOP + 2.7, RIGHT - x, BARCODE_TOP - STRIP_TOP - 2.8, 3.8)


def _barcode(sheet: _Sheet, label: Label) -> None:
    foot = BOTTOM - DESCENT_OF_FOOT
    if not label.barcode:
        sheet.line("NO BARCODE YET", LEFT, foot - 5, RIGHT - LEFT, 9, centred=True)
        return
    symbols, modules = code_128(label.barcode)
    dots = int((RIGHT - LEFT) / DOT / (sum(modules) + 2 * QUIET_MODULES))
    if dots < LEAST_DOTS:
        raise ValueError(f"the barcode '{label.barcode}' is too long for a label")
    module = min(dots, MOST_DOTS) * DOT
    bars_width, quiet = module * sum(modules), module * QUIET_MODULES
    # A provisional one is shorter and leaves room to say what it is.
    x = LEFT + quiet if label.provisional else LEFT + (RIGHT - LEFT - bars_width) / 2
    y = BARCODE_TOP + RULE + 1
    sheet.elements.append(Bars(x, y, foot - BARCODE_TEXT - 0.4 - y, module, symbols, modules))
    sheet.line(label.barcode, x, foot, bars_width, BARCODE_TEXT, centred=True)
    if label.provisional:
        left = x + bars_width + quiet
        said = [Paragraph("Tracking number only:", True), Paragraph("all pallets of the consignment have this code.")]
        sheet.block(said, left, y, RIGHT - left, foot - y, 4.2)


def code_128(text: str) -> tuple[list[int], list[int]]:
    """A text as Code 128: symbol values with start, check and stop, and the widths of its bars and spaces.

    Raises ValueError when the text has other characters than capital letters and digits, or is too long.
    """
    if not BARCODE.fullmatch(text):
        raise ValueError(f"'{text}' is no barcode of capital letters and digits, at most {MOST_BARCODE_CHARACTERS}")
    code = Code128(text)
    code.validate()
    symbols: list[int] = code.encode()
    # Letters stand for widths: A and a are one module, D and d four.
    return symbols, [ord(letter.lower()) - ord("a") + 1 for letter in code.decompose()]


def _town(address: Address) -> str:
    return ", ".join(filter(None, (address.town, address.county)))


def _country(address: Address) -> str:
    return "" if address.country in ("", "GB") else address.country


def _day(day: date | None) -> str:
    return day.strftime("%a %d %b %Y") if day else ""
