"""The words of a PDF of a stranger, read in a process of its own: whatever it holds, whoever asks goes on."""

import psutil
import pytest
from pikepdf import Encryption, Name, Pdf, Stream
from tests.documents.photo_files import (
    add_page,
    contents_bomb,
    damaged,
    jpeg,
    photo,
    photo_pdf,
    text_pdf,
    written,
    zeros,
)

from palletflow.documents.photos import Limits, texts

LIMITS = Limits()
SMALL = 100_000_000


def pages(*words: str) -> bytes:
    pdf = Pdf.new()
    for one in words:
        add_page(pdf, words=one)
    return written(pdf)


def reasons(data: bytes, limits: Limits = LIMITS) -> list[str]:
    return [fault.reason for fault in texts(data, limits).faults]


def test_the_words_of_every_page_in_their_order():
    found = texts(pages("TRACKING 60000000017\nCON 0000001-123", "", "2 OF 002"), LIMITS)
    assert [page.split("\n") for page in map(str.strip, found.pages)] == [
        ["TRACKING 60000000017", "CON 0000001-123"], [""], ["2 OF 002"],
    ]  # fmt: skip
    assert found.faults == []


def test_pictures_are_passed_over():
    picture = jpeg(photo(1))
    found = texts(text_pdf("REF 17", image=picture), LIMITS)
    assert ([page.strip() for page in found.pages], found.faults) == (["REF 17"], [])
    assert texts(photo_pdf(picture, picture), LIMITS).pages == ["", ""]


def test_a_file_that_is_locked_with_an_empty_password_is_read():
    pdf = Pdf.new()
    add_page(pdf, words="REF 17")
    assert texts(written(pdf, encryption=Encryption(owner="boss", user="")), LIMITS).pages[0].strip() == "REF 17"
    assert reasons(written(pdf, encryption=Encryption(owner="boss", user="secret"))) == ["encrypted"]


@pytest.mark.parametrize("data", [b"", b"words", jpeg(photo(1)), b"PK\x03\x04"], ids=["empty", "text", "JPEG", "ZIP"])
def test_what_is_no_pdf_has_no_words(data):
    assert (texts(data, LIMITS).pages, reasons(data)) == ([], ["unsupported"])


def test_limits_are_kept():
    assert reasons(pages(*["x"] * 4), LIMITS._replace(max_pages=3)) == ["too_large"]
    assert reasons(pages("x"), LIMITS._replace(max_mib=0.0001)) == ["too_large"]
    assert len(texts(pages("0123456789" * 20_000), LIMITS).pages[0]) <= 100_000


@pytest.mark.rule("PW-2.9-5")
def test_a_page_of_gigabytes_ends_alone():
    before = psutil.Process().memory_info().rss
    found = texts(contents_bomb(), LIMITS)
    assert found.pages in ([], [""])
    assert psutil.Process().memory_info().rss - before < SMALL
    assert texts(pages("REF 17"), LIMITS).pages[0].strip() == "REF 17"


@pytest.mark.rule("PW-2.9-5")
def test_a_font_of_gigabytes_ends_alone():
    pdf = Pdf.new()
    add_page(pdf, words="REF 17")
    pdf.pages[0].Resources.Font["/F1"].ToUnicode = Stream(pdf, zeros(2_000), Filter=Name.FlateDecode)
    before = psutil.Process().memory_info().rss
    texts(written(pdf), LIMITS)
    assert psutil.Process().memory_info().rss - before < SMALL


def test_what_takes_too_long_is_stopped():
    assert reasons(contents_bomb(), LIMITS._replace(max_decode_s=0.2)) == ["too_large"]


@pytest.mark.parametrize(("name", "data"), damaged(3, seed=7))
def test_a_damaged_file_never_raises(name, data):
    assert all(isinstance(page, str) for page in texts(data, LIMITS).pages), name
