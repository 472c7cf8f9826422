"""Our own label as ZPL II.

There is no ZPL printer here and no decoder of ZPL that is not ours, so these tests do not read a picture: they take
the commands apart, strictly by their grammar, and check every field and the Code 128 data by its published rules.
"""

import re
from typing import NamedTuple

import pytest
from tests.documents.examples import ENDLESS, HOSTILE, LABELS, LONGEST, ORDINARY, PROVISIONAL

from palletflow.documents import label_layout, label_zpl
from palletflow.documents.label_layout import Bars, Box, Text

COMMAND = re.compile(r"(?:\^(?:A(?P<font>[0-9A-Z])|(?P<name>[A-Z]{2}))|~(?P<tilde>[A-Z]{2}))(?P<rest>[^\^~]*)")
ALLOWED = {"XA", "CI", "PW", "LL", "LH", "FO", "FT", "A", "FR", "FH", "FD", "FS", "GB", "BY", "BC", "XZ"}


class Command(NamedTuple):
    name: str
    rest: str


def commands(zpl: bytes) -> list[Command]:
    """Every command with its parameters; fails when anything stands between them that is none."""
    text = zpl.decode("ascii").replace("\n", "")
    found, end = [], 0
    for match in COMMAND.finditer(text):
        assert match.start() == end, text[end : match.start()]
        assert not match["tilde"], match[0]
        found.append(Command(match["name"] or "A", (match["font"] or "") + match["rest"]))
        end = match.end()
    assert end == len(text)
    return found


def fields(zpl: bytes) -> list[dict[str, str]]:
    """Commands between ^FO or ^FT and ^FS, by name. Data is unescaped when the field has ^FH."""
    listed: list[dict[str, str]] = []
    open_field: dict[str, str] | None = None
    for name, rest in commands(zpl):
        if name in ("FO", "FT"):
            assert open_field is None
            open_field = {}
        elif open_field is None:
            assert name in ("XA", "CI", "PW", "LL", "LH", "XZ")
            continue
        if name == "FS":
            listed.append(open_field)
            open_field = None
        else:
            assert name not in open_field
            open_field[name] = rest
    assert open_field is None
    for field in listed:
        if "FH" in field:
            assert field["FH"] == ""
            raw = re.sub(rb"_([0-9A-F]{2})", lambda code: bytes.fromhex(code[1].decode()), field["FD"].encode("ascii"))
            field["FD"] = raw.decode()
    return listed


def texts(zpl: bytes) -> list[str]:
    return [field["FD"] for field in fields(zpl) if "A" in field]


def code_128(data: str) -> str:
    """What a printer encodes from the data of ^BC in mode N: >: and >; start sets B and C, >5 and >6 change to them."""
    read, pairs = "", {">:": False, ">;": True}[data[:2]]
    rest = data[2:]
    while rest:
        if rest[0] == ">":
            assert rest[:2] == (">6" if pairs else ">5")
            pairs, rest = not pairs, rest[2:]
        elif pairs:
            assert re.match("[0-9]{2}", rest)
            read, rest = read + rest[:2], rest[2:]
        else:
            read, rest = read + rest[0], rest[1:]
    return read


@pytest.fixture(params=list(LABELS))
def any_label(request):
    return LABELS[request.param]


def test_it_is_one_label_of_known_commands(any_label):
    found = commands(label_zpl.draw(any_label))
    assert [command for command in found if command.name in ("XA", "XZ")] == [("XA", ""), ("XZ", "")]
    assert found[0].name == "XA"
    assert found[-1].name == "XZ"
    assert {command.name for command in found} <= ALLOWED
    assert found[1:5] == [("CI", "28"), ("PW", "832"), ("LL", "1184"), ("LH", "0,0")]


def test_it_says_what_the_pdf_says(any_label):
    """Field by field the same layout, at the same place, turned by 90 degrees."""
    found = fields(label_zpl.draw(any_label))
    elements = label_layout.lay_out(any_label)
    assert len(found) == len(elements)
    for element, field in zip(elements, found, strict=True):
        if isinstance(element, Text):
            assert field["FD"] == label_zpl.printable(element.text)
            assert field["A"] == f"0R,{round(element.size * 8)}"
            assert field["FT"] == f"{836 - round(element.baseline * 8)},{round(element.x * 8)}"
            assert ("FR" in field) is element.white
        elif isinstance(element, Box):
            across, down, thick = map(int, field["GB"].split(","))
            assert (across, down) == (round(element.height * 8), round(element.width * 8))
            assert thick == min(across, down)
        else:
            assert isinstance(element, Bars)
            assert code_128(field["FD"]) == any_label.barcode


def test_everything_is_on_the_paper_and_under_the_head(any_label):
    for field in fields(label_zpl.draw(any_label)):
        x, y = map(int, field.get("FO", field.get("FT", "")).split(","))
        across = down = 0
        if "GB" in field:
            across, down, _ = map(int, field["GB"].split(","))
        elif "BC" in field:
            across = int(field["BC"].split(",")[1])
            down = int(field["BY"]) * 11 * 17
        assert x >= 24
        assert x + across <= 832 - 24
        assert y >= 31
        assert y + down <= 1184 - 31


def test_the_barcode_is_a_turned_code_128_without_a_text_of_its_own():
    (field,) = (field for field in fields(label_zpl.draw(ORDINARY)) if "BC" in field)
    assert field["BY"] == "5"
    assert re.fullmatch(r"R,[0-9]+,N,N,N,N", field["BC"])
    # Pairs of digits, so that the bars are as wide as on the PDF.
    assert field["FD"] == ">;506901>6A9>500001000012301"
    assert "506901A900001000012301" in texts(label_zpl.draw(ORDINARY))


@pytest.mark.parametrize(
    "barcode", ["9000010000123", "ABC", "A1", "1", "12", "A12345B6789012C", "506012R012001000000199"]
)
def test_any_mixture_of_letters_and_digits_is_encoded(barcode):
    (field,) = (field for field in fields(label_zpl.draw(ORDINARY._replace(barcode=barcode))) if "BC" in field)
    assert code_128(field["FD"]) == barcode


def test_no_content_ends_its_field():
    said = texts(label_zpl.draw(HOSTILE))
    for text in (
        "^FS^XZ ~JR _5E_ ???? ????",
        "(\\) %PDF- endstream )Tj",
        "'; DROP TABLE",
        "^XZ^XA~JA",
        "^FD^FS",
        "_",
        "~",
    ):
        assert text in said


def test_letters_that_a_printer_may_lack_are_replaced_by_plain_ones():
    said = texts(label_zpl.draw(ORDINARY._replace(notes=("Ŵ ŷ Ł – “Café” № Иван",), reference="Straße £5 ½")))
    assert 'W y ? - "Café" No ????' in said
    assert "Straße £5 ½" in said
    assert "Ty Gwyn Timber Cyf" in said


@pytest.mark.rule("PF-6-10")
def test_a_provisional_label_says_so():
    zpl = label_zpl.draw(PROVISIONAL)
    assert "PROVISIONAL" in texts(zpl)
    (field,) = (field for field in fields(zpl) if "BC" in field)
    assert code_128(field["FD"]) == PROVISIONAL.tracking_number


def test_the_same_label_has_the_same_bytes():
    assert label_zpl.draw(LONGEST) == label_zpl.draw(LONGEST)
    assert label_zpl.draw(LONGEST) != label_zpl.draw(ENDLESS)


def test_what_cannot_be_a_barcode_is_refused():
    with pytest.raises(ValueError, match="no barcode"):
        label_zpl.draw(ORDINARY._replace(barcode="1^XZ"))
