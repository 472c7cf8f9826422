"""Our own label as PDF: an independent decoder reads its barcode, and nothing overlaps or leaves the page."""

import subprocess
import sys
from decimal import Decimal
from itertools import combinations
from pathlib import Path

import pypdfium2
import pytest
import zxingcpp
from tests.documents.examples import EMPTY, ENDLESS, HOSTILE, LABELS, LONGEST, ORDINARY, PROVISIONAL

from palletflow.documents import label_layout, label_pdf, label_text
from palletflow.documents.label_layout import Bars, Box, Text

PROJECT = Path(__file__).parents[2]
MM = 72 / 25.4


@pytest.fixture
def ordinary():
    return ORDINARY


@pytest.fixture(params=list(LABELS))
def any_label(request):
    return LABELS[request.param]


def rendered(pdf: bytes, dpi: float = 300):
    (page,) = pypdfium2.PdfDocument(pdf)
    return page.render(scale=dpi / 72).to_pil().convert("L")


def text_of(pdf: bytes) -> str:
    (page,) = pypdfium2.PdfDocument(pdf)
    return page.get_textpage().get_text_bounded().replace("\r\n", "\n")


@pytest.mark.rule("PF-6-5")
@pytest.mark.parametrize("dpi", [203, 300, 600])
def test_an_independent_decoder_reads_the_barcode(any_label, dpi):
    found = zxingcpp.read_barcodes(rendered(label_pdf.draw(any_label), dpi))
    assert [(code.text, code.format) for code in found] == (
        [(any_label.barcode, zxingcpp.BarcodeFormat.Code128)] if any_label.barcode else []
    )


@pytest.mark.rule("PF-6-5")
def test_every_pallet_of_99_has_its_own_readable_barcode(ordinary):
    for pallet in range(1, 100):
        barcode = f"506901A9000010000123{pallet:02d}"
        pdf = label_pdf.draw(ordinary._replace(pallet=pallet, pallets=99, barcode=barcode))
        assert [code.text for code in zxingcpp.read_barcodes(rendered(pdf, 203))] == [barcode]


@pytest.mark.rule("PF-6-5")
def test_the_page_is_148_by_105_mm(any_label):
    (page,) = pypdfium2.PdfDocument(label_pdf.draw(any_label))
    assert page.get_size() == pytest.approx((148 * MM, 105 * MM), abs=0.01)


def test_the_bars_have_their_quiet_zones(any_label):
    """White on the picture itself, ten modules to both sides over the whole height of the bars."""
    elements = label_layout.lay_out(any_label)
    scale = 600 / 25.4
    picture = rendered(label_pdf.draw(any_label), 600)
    for bars in (element for element in elements if isinstance(element, Bars)):
        quiet = bars.module * 10
        top, bottom = bars.y, bars.y + bars.height
        for left, right in ((bars.x - quiet, bars.x), (bars.x + bars.width, bars.x + bars.width + quiet)):
            box = tuple(round(edge * scale) for edge in (left, top, right, bottom))
            assert picture.crop((box[0] + 1, box[1], box[2] - 1, box[3])).getextrema() == (255, 255)
        assert bars.module >= 0.25
        # A whole number of dots of the usual label printer.
        assert bars.module % 0.125 == 0


def ink(element):
    """The rectangle that an element covers: left, top, right, bottom. Capitals have accents in the longest names."""
    if isinstance(element, Box):
        return element.x, element.y, element.x + element.width, element.y + element.height
    if isinstance(element, Bars):
        quiet = 10 * element.module
        return element.x - quiet, element.y, element.x + element.width + quiet, element.y + element.height
    width = label_text.width(element.text, element.size, element.bold)
    rises = 0.76 if element.text.isascii() else 0.93
    return (
        element.x,
        element.baseline - rises * element.size,
        element.x + width,
        element.baseline + 0.236 * element.size,
    )


def falls_below(text):
    return any(sign in "gjpqy,;()[]{}_|@Q/\\" or not sign.isascii() for sign in text if sign != "…")


def overlap(one, other):
    """How far two rectangles lie over each other, in mm, in the direction in which it is less."""
    return min(min(one[2], other[2]) - max(one[0], other[0]), min(one[3], other[3]) - max(one[1], other[1]))


def test_nothing_leaves_the_page_or_lies_over_something_else(any_label):
    elements = label_layout.lay_out(any_label)
    boxes = []
    for element in elements:
        left, top, right, bottom = ink(element)
        if isinstance(element, Text) and not falls_below(element.text):
            bottom = element.baseline
        boxes.append((element, (left, top, right, bottom)))
        assert left >= 3.9, element
        assert top >= 3.5, element
        assert right <= 144.1, element
        assert bottom <= 101.9, element
    for (one, first), (other, second) in combinations(boxes, 2):
        on_black = isinstance(one, Box) and isinstance(other, Text) and other.white
        if on_black and overlap(first, second) > 0:
            assert first[0] <= second[0], (one, other)
            assert second[2] <= first[2], (one, other)
            assert second[3] <= first[3], (one, other)
        elif not (isinstance(one, Box) and isinstance(other, Box)):
            assert overlap(first, second) <= 0.15, (one, other)


def test_the_drawn_page_has_no_ink_in_its_margin(any_label):
    """On the picture: what printers cannot print stays white."""
    picture = rendered(label_pdf.draw(any_label), 300)
    edge = round(3.4 * 300 / 25.4)
    width, height = picture.size
    for box in ((0, 0, width, edge), (0, height - edge, width, height), (0, 0, edge, height),
                (width - edge, 0, width, height)):  # fmt: skip
        assert picture.crop(box).getextrema() == (255, 255)


def sizes(label):
    """Size of the letters by text, mm."""
    return {element.text: element.size for element in label_layout.lay_out(label) if isinstance(element, Text)}


def test_what_is_read_from_afar_is_large(ordinary):
    found = sizes(ordinary)
    assert found["901"] == max(found.values())
    assert found["901"] * 0.73 > 18
    assert found["A"] > 20
    assert found["1 of 3"] > 12
    for arms_length in ("LS1 1AA", "TL", "AM", "CALL 30 MINS BEFORE", "Tue 14 Jul 2026", "FULL"):
        assert found[arms_length] >= 4


def test_everything_a_clerk_looks_for_is_on_it(ordinary):
    said = text_of(label_pdf.draw(ordinary))
    for text in (
        "PALLETFORCE DELIVERY DEPOT", "901", "24 hours", "1 of 3", "FULL", "850 kg in all", "Tŷ Gwyn Timber Cyf",
        "Unit 12", "Canal Trading Estate", "Leeds, West Yorkshire", "LS1 1AA", "Goods In", "0113 496 0123",
        "Tue 14 Jul 2026", "TL", "tail-lift", "AM", "before 12:00", "CALL 30 MINS BEFORE", "FORKLIFT ON SITE",
        "Sender Ltd", "1 Mill Road", "Leicester LE1 1AA", "9000010000123", "0000123", "SO-123", "Mon 13 Jul 2026",
        "900/900", "506901A900001000012301",
    ):  # fmt: skip
        assert text in said


def test_the_longest_fields_are_on_it_whole():
    said = " ".join(text_of(label_pdf.draw(LONGEST)).split())
    # What is wrapped has a break in it.
    joined = said.replace(" ", "")
    for text in (
        LONGEST.receiver.name, LONGEST.receiver.street, LONGEST.receiver.town, LONGEST.receiver.contact,
        LONGEST.receiver.phone, "IE", "SW1A 1AA", "99 of 99", "OVERSIZE", "9999.99 kg in all", LONGEST.reference,
        *LONGEST.notes, *(surcharge.name for surcharge in LONGEST.surcharges),
        *(surcharge.code for surcharge in LONGEST.surcharges), LONGEST.barcode,
    ):  # fmt: skip
        assert text.replace(" ", "") in joined, text
    assert min(sizes(LONGEST).values()) >= label_layout.SMALLEST


def test_what_cannot_be_shown_is_seen_to_be_missing():
    said = text_of(label_pdf.draw(HOSTILE))
    assert "^FS^XZ ~JR _5E_ □□□□ □□□□" in said
    assert "Παπαδόπουλος Иванова" in said
    # Controls, marks that turn the reading direction and halves of characters are no text.
    assert "evil line" in said


def test_a_text_that_is_too_long_ends_with_an_ellipsis():
    said = text_of(label_pdf.draw(ENDLESS))
    assert said.count("…") >= 20


@pytest.mark.rule("PF-6-10")
def test_a_provisional_label_says_so_and_carries_the_tracking_number_alone():
    said = text_of(label_pdf.draw(PROVISIONAL))
    assert "PROVISIONAL" in said
    assert "Print again before collection." in said
    assert "Tracking number only:" in said
    assert "PROVISIONAL" not in text_of(label_pdf.draw(ORDINARY))
    (code,) = zxingcpp.read_barcodes(rendered(label_pdf.draw(PROVISIONAL), 203))
    assert code.text == PROVISIONAL.tracking_number


def test_no_barcode_is_said():
    assert "NO BARCODE YET" in text_of(label_pdf.draw(EMPTY))


def test_a_single_pallet_needs_no_sum(ordinary):
    said = text_of(label_pdf.draw(ordinary._replace(pallets=1, weight_kg=Decimal("1200"))))
    assert "1200 kg" in said
    assert "in all" not in said


@pytest.mark.parametrize("barcode", ["506901a900001000012301", "9000 0123", "é", "1" * 31, "^XZ"])
def test_what_cannot_be_a_barcode_is_refused(ordinary, barcode):
    with pytest.raises(ValueError, match="no barcode of capital letters and digits, at most 30"):
        label_pdf.draw(ordinary._replace(barcode=barcode))


def test_a_barcode_too_wide_for_the_label_is_refused_by_name(ordinary):
    """Thirty letters still fit; bars are never narrower than a decoder can tell apart."""
    pdf = label_pdf.draw(ordinary._replace(barcode="ABCDEFGHIJKLMNOPQRSTUVWXYZABCD"))
    assert [code.text for code in zxingcpp.read_barcodes(rendered(pdf, 203))] == ["ABCDEFGHIJKLMNOPQRSTUVWXYZABCD"]


def test_the_same_label_has_the_same_bytes_in_every_process(ordinary):
    """Whatever was drawn before it: equal bytes are stored once."""
    script = (
        "import sys, hashlib\nfrom tests.documents.examples import LABELS\n"
        "from palletflow.documents.label_pdf import draw\n"
        "draw(LABELS[sys.argv[1]])\nprint(hashlib.sha256(draw(LABELS['ordinary'])).hexdigest())"
    )
    digests = {
        subprocess.run(
            [sys.executable, "-c", script, first], cwd=PROJECT, capture_output=True, text=True, check=True, timeout=60
        ).stdout
        for first in ("ordinary", "hostile", "longest")
    }
    assert len(digests) == 1
    assert label_pdf.draw(ordinary) != label_pdf.draw(ordinary._replace(pallet=2))
