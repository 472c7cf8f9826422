"""Printing many labels as one PDF: in order, each page whole, and what is broken named on its own page."""

import hashlib
import io
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from subprocess import Popen

import pypdfium2
import pytest
import zxingcpp
from pikepdf import Pdf
from PIL import Image
from pypdf import PdfReader, PdfWriter
from tests.documents.examples import ORDINARY, PROVISIONAL
from tests.documents.photo_files import contents_bomb, damaged, written
from upath import UPath

from palletflow.documents import child_process, label_pdf, media, printing
from palletflow.documents.child_process import ReaderBroken
from palletflow.documents.print_child import MOST_PIXELS
from palletflow.documents.printing import NotPrinted, print_batch
from palletflow.documents.storage import Storage, StorageUnavailable
from palletflow.store.documents import StoredDocument

MM = 72 / 25.4


def label(pallet: int) -> bytes:
    return label_pdf.draw(ORDINARY._replace(pallet=pallet, barcode=f"506901A9000010000123{pallet:02d}"))


def jpeg(pallet: int) -> bytes:
    """A label as networks send it: a picture of 203 dpi."""
    (page,) = pypdfium2.PdfDocument(label(pallet))
    held = io.BytesIO()
    page.render(scale=203 / 72).to_pil().save(held, "JPEG", quality=90)
    return held.getvalue()


@pytest.fixture
def storage(tmp_path):
    return Storage(UPath(tmp_path / "documents"))


@pytest.fixture
def stored(storage):
    """Stores bytes as a document with a running id."""
    ids = iter(range(1, 1000))

    def store(data: bytes, name: str = "label.pdf") -> StoredDocument:
        kept = storage.put(data)
        return StoredDocument(
            next(ids), 1, 1, 1, "LABEL", name, media.sniff(data) or "", kept.size, kept.sha256, "", False, "labels",
            "tester", False, None, datetime(2026, 7, 13, tzinfo=UTC),
        )  # fmt: skip

    return store


def barcodes(pdf: bytes) -> list[str]:
    """The barcode on each page, read from its picture."""
    return [
        "".join(code.text for code in zxingcpp.read_barcodes(page.render(scale=300 / 72).to_pil()))
        for page in pypdfium2.PdfDocument(pdf)
    ]


def test_labels_come_in_the_order_given_each_on_its_page(storage, stored):
    documents = [
        stored(label(3)),
        stored(jpeg(1)),
        stored(label(2)),
        stored(label_pdf.draw(PROVISIONAL)),
        stored(jpeg(7)),
    ]
    printed = print_batch(storage, documents)
    assert printed.broken == []
    assert barcodes(printed.pdf) == [
        "506901A900001000012303", "506901A900001000012301", "506901A900001000012302", "9000010000123",
        "506901A900001000012307",
    ]  # fmt: skip
    for page in pypdfium2.PdfDocument(printed.pdf):
        assert page.get_size() == pytest.approx((148 * MM, 105 * MM), abs=0.01)


def test_a_network_picture_fills_the_page_with_its_own_bytes(storage, stored):
    picture = jpeg(1)
    (page,) = pypdfium2.PdfDocument(print_batch(storage, [stored(picture)]).pdf)
    (placed,) = page.get_objects()
    assert placed.get_bounds() == pytest.approx((0, 0, 148 * MM, 105 * MM), abs=0.01)
    held = io.BytesIO()
    placed.extract(held)
    assert held.getvalue() == picture


def test_a_batch_of_many_labels_stays_small(storage, stored):
    printed = print_batch(storage, [stored(label(pallet)) for pallet in range(1, 100)])
    assert len(printed.pdf) < 99 * 40_000
    pages = PdfReader(io.BytesIO(printed.pdf)).pages
    assert [f"{pallet} of 3" in page.extract_text() for pallet, page in enumerate(pages, 1)] == [True] * 99


def test_the_same_labels_give_the_same_pdf(storage, stored):
    documents = [stored(label(1)), stored(jpeg(2))]
    assert print_batch(storage, documents) == print_batch(storage, documents)


def no_pages() -> bytes:
    held = io.BytesIO()
    PdfWriter().write(held)
    return held.getvalue()


def locked() -> bytes:
    writer = PdfWriter()
    writer.append(io.BytesIO(label(1)))
    writer.encrypt("secret", algorithm="RC4-128")
    held = io.BytesIO()
    writer.write(held)
    return held.getvalue()


def missing_contents() -> bytes:
    with Pdf.open(io.BytesIO(label(1))) as pdf:
        pdf.pages[0].obj.Contents = pdf.make_indirect(7)
        return written(pdf)


def vast() -> bytes:
    held = io.BytesIO()
    Image.new("1", (8000, MOST_PIXELS // 8000 + 1)).convert("L").save(held, "JPEG")
    return held.getvalue()


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (label(1)[:2000], "its PDF is damaged"),
        (label(1)[:-600], "its PDF is damaged: the end of it is missing"),
        (missing_contents(), "its PDF is damaged: what a page draws is missing"),
        (contents_bomb(), "more memory than is given to it"),
        (b"%PDF-1.7 nothing of the kind", "its PDF is damaged"),
        (no_pages(), "it has no page"),
        (locked(), "its PDF asks for a password"),
        (jpeg(1)[:5000], "its JPEG is damaged"),
        (b"\xff\xd8\xff no picture", "its JPEG is damaged"),
        (vast(), "more than a label has"),
        (b"\x89PNG\r\n\x1a\n" + bytes(20), "it is image/png, and only PDF and JPEG are printed"),
        (b"<html>login page</html>", "it is no file known here"),
    ],
    ids=[
        "half a PDF",
        "cut off",
        "nothing drawn",
        "bomb",
        "no PDF",
        "no pages",
        "locked",
        "half a JPEG",
        "no JPEG",
        "vast",
        "PNG",
        "HTML",
    ],
)
def test_a_broken_document_names_itself_and_the_others_are_printed(storage, stored, data, said):
    printed = print_batch(storage, [stored(label(1)), stored(data, "9000010000123 pallet 2"), stored(label(3))])
    (broken,) = printed.broken
    assert broken.startswith("Document 2 (9000010000123 pallet 2) cannot be printed: ")
    assert said in broken
    assert barcodes(printed.pdf) == ["506901A900001000012301", "", "506901A900001000012303"]
    page = pypdfium2.PdfDocument(printed.pdf)[1]
    on_page = page.get_textpage().get_text_bounded()
    assert "THIS LABEL IS MISSING" in " ".join(on_page.split())
    assert "Document 2 (9000010000123 pallet 2)" in " ".join(on_page.split())


def test_a_lost_document_names_itself(storage, stored):
    lost = stored(label(1))._replace(sha256=hashlib.sha256(b"never put").digest())
    printed = print_batch(storage, [lost, stored(label(2))])
    assert len(printed.broken) == 1
    assert "is not there. Restore it" in printed.broken[0]
    assert barcodes(printed.pdf) == ["", "506901A900001000012302"]


def test_damaged_files_of_every_kind_harm_no_label_beside_them(storage, stored):
    strange = [stored(data, name) for name, data in damaged(9, seed=5)]
    printed = print_batch(storage, [stored(label(1)), *strange, stored(label(3))])
    found = barcodes(printed.pdf)
    assert (found[0], found[-1]) == ("506901A900001000012301", "506901A900001000012303")
    assert printed.broken


# Marks a document that the child in place of ours treats as it will.
MARKED = label(9) + b"% MARKED\n"
CHILD = """
import os, signal, struct, sys, time
from palletflow.documents import child_frames, print_child
clean = print_child.clean

def frame(kind, body=b""):
    sys.stdout.flush()
    os.write(int(out), struct.pack(">cI", kind, len(body)) + body)

def treated(data):
    if b"MARKED" in data:
        {code}
    return clean(data)

print_child.clean = treated
out = os.dup(1)
print_child.main(sys.argv[1:])
"""


@pytest.fixture
def treating(monkeypatch, tmp_path) -> Callable[[str], None]:
    """Starts a program in place of the child that does this with a marked document, and is ours otherwise."""

    def treat(code: str, program: str = CHILD) -> None:
        script = tmp_path / "child.py"
        script.write_text(program.replace("{code}", code))
        monkeypatch.setattr(
            child_process.subprocess,
            "Popen",
            lambda command, **how: Popen([sys.executable, str(script), *command[4:]], **how),
        )

    return treat


@pytest.mark.parametrize(
    "code",
    [
        "os.kill(os.getpid(), signal.SIGSEGV)",
        "os._exit(0)",
        "while True: pass",
        'frame(b"Q", b"nonsense")',
        'frame(b"N", struct.pack(">I", 4_000_000_000))',
        'os.write(int(out), b"P\\xff\\xff\\xff\\xff"), os._exit(0)',
    ],
    ids=["dies", "leaves", "does not end", "no frame", "no place", "no whole frame"],
)
def test_a_document_that_breaks_the_child_is_named_and_the_others_are_printed(storage, stored, treating, code):
    treating(code)
    documents = [stored(label(1)), stored(MARKED, "9000010000123 pallet 2"), stored(label(3))]
    printed = print_batch(storage, documents)
    assert printed.broken == [f"Document 2 (9000010000123 pallet 2) cannot be printed: {printing.DIED}"]
    assert barcodes(printed.pdf) == ["506901A900001000012301", "", "506901A900001000012303"]


@pytest.mark.parametrize(
    "code",
    [
        'frame(b"P", b"<script>alert(1)</script>"), frame(b"N", struct.pack(">I", 3)), frame(b"E"), os._exit(0)',
        'frame(b"N", struct.pack(">I", 3)), frame(b"P", bytes(50_000_000)), os._exit(0)',
    ],
    ids=["no PDF", "too much"],
)
def test_what_a_child_answers_that_was_taken_over_is_not_handed_on(storage, stored, treating, code):
    treating(code)
    with pytest.raises(NotPrinted, match="print them in smaller parts"):
        print_batch(storage, [stored(label(1)), stored(MARKED), stored(label(3))])


def test_documents_that_break_it_one_after_the_other_do_not_take_for_ever(storage, stored, treating, monkeypatch):
    monkeypatch.setattr(printing, "SECONDS", 2.0)
    treating("time.sleep(600)")
    with pytest.raises(NotPrinted) as raised:
        print_batch(storage, [stored(label(1)), stored(MARKED, "first"), stored(MARKED, "second")])
    assert raised.value.broken == [f"Document 2 (first) cannot be printed: {printing.DIED}"]


def test_a_child_that_does_not_start_is_no_fault_of_a_document(storage, stored, treating):
    treating("", "raise SystemExit(3)")
    with pytest.raises(ReaderBroken, match="3"):
        print_batch(storage, [stored(label(1))])


def test_a_job_has_its_bounds(storage, stored, monkeypatch):
    documents = [stored(label(1)), stored(label(2))]
    monkeypatch.setattr(printing, "MOST_BYTES", sum(document.size for document in documents) - 1)
    with pytest.raises(NotPrinted, match="print fewer at once"):
        print_batch(storage, documents)


def test_an_unreachable_storage_is_no_broken_document(tmp_path, stored):
    (tmp_path / "file").write_text("no folder")
    with pytest.raises(StorageUnavailable):
        print_batch(Storage(UPath(tmp_path / "file")), [stored(label(1))])


def test_nothing_to_print_is_said(storage):
    with pytest.raises(ValueError, match="nothing to print"):
        print_batch(storage, [])
