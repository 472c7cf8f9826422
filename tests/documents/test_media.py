"""What bytes are, and what a file may be called."""

import io
import unicodedata

import pytest
from PIL import Image
from reportlab.pdfgen.canvas import Canvas

from palletflow.documents import media


def picture(form: str) -> bytes:
    held = io.BytesIO()
    Image.new("RGB", (8, 8)).save(held, form)
    return held.getvalue()


def pdf() -> bytes:
    held = io.BytesIO()
    canvas = Canvas(held)
    canvas.showPage()
    canvas.save()
    return held.getvalue()


@pytest.mark.parametrize(
    ("data", "media_type"),
    [
        (pdf(), "application/pdf"),
        (picture("JPEG"), "image/jpeg"),
        (picture("PNG"), "image/png"),
        (picture("TIFF"), "image/tiff"),
        (b"MM\x00*" + bytes(8), "image/tiff"),
        (picture("GIF"), "image/gif"),
        (b"^XA^FO50,50^FDhello^FS^XZ", "application/zpl"),
        (b"", None),
        (b"<html>%PDF-</html>", None),
        (b"MZ\x90\x00", None),
        (picture("BMP"), None),
        (b"\xff\xd8", None),
    ],
)
def test_the_bytes_say_what_they_are(data, media_type):
    assert media.sniff(data) == media_type


@pytest.mark.parametrize(
    ("name", "safe"),
    [
        ("Proof of delivery.pdf", "Proof of delivery.pdf"),
        ("Tŷ Gwyn Cyf – POD.PDF", "Tŷ Gwyn Cyf – POD.PDF"),
        ("../../etc/passwd", "passwd.pdf"),
        ("C:\\Users\\x\\pod.pdf", "pod.pdf"),
        ("pod.pdf.exe", "pod.pdf.exe.pdf"),
        ("invoice\u202efdp.exe", "invoicefdp.exe.pdf"),
        ("a\x00b\r\nc.pdf", "abc.pdf"),
        ("pod\ud83d.pdf", "pod.pdf"),
        ('<x> "y"|?*.pdf', "_x_ _y____.pdf"),
        ("", "document.pdf"),
        ("...", "document.pdf"),
        (".pdf", "pdf.pdf"),
        ("-rf.pdf", "rf.pdf"),
        ("CON.pdf", "document CON.pdf"),
        ("com1.txt", "document com1.txt.pdf"),
        ("  spaced   out  .pdf", "spaced out.pdf"),
    ],
)
def test_a_name_is_safe_and_ends_as_its_type(name, safe):
    assert media.safe_name(name, media.PDF) == safe


def test_a_long_name_is_cut_before_its_ending():
    assert media.safe_name("ŵ" * 300 + ".jpeg", media.JPEG) == "ŵ" * 95 + ".jpeg"


def test_every_type_has_an_ending():
    for _, media_type in media.SIGNATURES:
        name = media.safe_name("x", media_type)
        assert name == f"x{media.ENDINGS[media_type][0]}"
        assert unicodedata.is_normalized("NFC", name)
