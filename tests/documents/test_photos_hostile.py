"""Hostile, damaged and huge files: each ends with a reason, within limits of memory and time, and harms nobody.

They are read by a process of its own, whose children's memory is measured; that it lives to tell shows the rest.
"""

import hashlib
import io
import json
import signal
import struct
import subprocess
import sys
import threading
import time
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest
from pikepdf import Array, Dictionary, Name, Pdf, Stream
from PIL import Image
from tests.documents.photo_files import (
    add_page,
    bomb,
    contents_bomb,
    damaged,
    jpeg,
    jpeg_stream,
    photo,
    photo_pdf,
    png,
    raw_stream,
    tiff,
    written,
    zeros,
)

from palletflow.documents import child_process, photo_answer, photos
from palletflow.documents.photos import Limits, prints, split

MEMORY = 300_000_000
SECONDS = 30
# Long enough for a process to start on a busy machine.
PATIENCE_S = 4
ONE, TWO = jpeg(photo(1)), jpeg(photo(2))
# Each says so and is harmless; a reader that obeyed would leave this file behind.
MARK = "obeyed"


def run(folder: Path, files: dict[str, bytes]) -> dict[str, dict[str, Any]]:
    """What became of the files; that they stayed within the limits is checked here."""
    for name, data in files.items():
        (folder / name).write_bytes(data)
    script = Path(__file__).with_name("split_all.py")
    done = subprocess.run([sys.executable, script, folder], check=True, capture_output=True, text=True)
    told = json.loads(done.stdout)
    assert told["memory"] < MEMORY
    assert all(file["seconds"] < SECONDS for file in told["files"].values())
    assert set(told["files"]) == set(files)
    return dict(told["files"])


def digests(*data: bytes) -> list[str]:
    return [hashlib.sha256(one).hexdigest() for one in data]


def many_pages(count: int) -> bytes:
    pdf = Pdf.new()
    image = jpeg_stream(pdf, ONE)
    add_page(pdf, [image])
    for _ in range(count - 1):
        pdf.pages.append(pdf.pages[0])
    return written(pdf)


def png_bomb() -> bytes:
    """A PNG of 90,000 x 30,000 pixels in a megabyte or so."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = struct.pack(">IIBBBBB", 90_000, 30_000, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zeros(100)) + chunk(b"IEND", b"")


def endless_tiff() -> bytes:
    """A TIFF whose second frame is followed by its second frame."""
    data = bytearray(tiff(photo(1, (300, 300)), photo(2, (300, 300))))
    place = 4
    for _ in range(2):
        [start] = struct.unpack_from("<I", data, place)
        place = start + 2 + 12 * struct.unpack_from("<H", data, start)[0]
    struct.pack_into("<I", data, place, start)
    return bytes(data)


def deep_forms(depth: int) -> bytes:
    """Forms in forms, each drawing the next ten times."""
    pdf = Pdf.new()
    inner = jpeg_stream(pdf, ONE)
    for _ in range(depth):
        held = Dictionary(XObject=Dictionary(In=inner))
        inner = Stream(
            pdf, b"/In Do " * 10, Type=Name.XObject, Subtype=Name.Form, BBox=Array([0, 0, 1, 1]), Resources=held
        )
    add_page(pdf, [inner])
    return written(pdf)


@pytest.mark.rule("PW-5-31")
def test_what_is_too_large_is_contained(tmp_path):
    large = Image.new("RGB", (8_000, 7_000), (90, 120, 60))
    pages = Pdf.new()
    add_page(pages, [jpeg_stream(pages, ONE)])
    add_page(pages, [jpeg_stream(pages, jpeg(large))])
    add_page(pages, [jpeg_stream(pages, TWO)])
    found = run(
        tmp_path,
        {
            "image bomb": bomb((25_000, 27_000)),
            "image bomb that lies about its size": bomb((1_000, 1_000)),
            "contents bomb": contents_bomb(),
            "PNG bomb": png_bomb(),
            "5,000 pages": many_pages(5_000),
            "61 pages": many_pages(61),
            "61 frames": tiff(*[photo(1, (20, 20))] * 61),
            "56 megapixels": jpeg(large),
            "21 megapixels in many scans": jpeg(large.resize((7_000, 3_000)), progressive=True),
            "56 megapixels on the second page": written(pages),
        },
    )
    assert {name: file["reasons"] for name, file in found.items()} == {name: ["too_large"] for name in found}
    # What was read before the limit was met stands.
    assert found["56 megapixels on the second page"]["photos"] == digests(ONE)
    assert found["5,000 pages"]["photos"] == []
    assert len(found["61 frames"]["photos"]) == 60


@pytest.mark.rule("PW-5-31")
def test_what_is_just_within_the_limits_is_read(tmp_path):
    large = Image.new("RGB", (8_000, 6_250), (90, 120, 60))
    large.paste(photo(1), (100, 100))
    data = jpeg(large)
    pdf = Pdf.new()
    add_page(pdf, [raw_stream(pdf, Image.new("L", (8_000, 6_250), 90))])
    found = run(
        tmp_path,
        {
            "JPEG": data,
            "page": photo_pdf(data),
            "60 pages": many_pages(60),
            "grey": written(pdf),
            "20 megapixels in many scans": jpeg(photo(1).resize((5_000, 4_000)), 95, progressive=True, subsampling=0),
        },
    )
    assert {name: file["reasons"] for name, file in found.items()} == {name: [] for name in found}
    assert found["JPEG"]["photos"] == found["page"]["photos"] == digests(data)
    assert found["60 pages"]["photos"] == digests(ONE) * 60


@pytest.mark.rule("PW-5-31")
def test_what_takes_more_memory_than_is_given_is_too_large(tmp_path):
    pdf = Pdf.new()
    add_page(pdf, [jpeg_stream(pdf, ONE)])
    add_page(pdf, [raw_stream(pdf, Image.new("RGB", (8_000, 6_000), (1, 2, 3)))])
    [file] = run(tmp_path, {"48 megapixels unpacked": written(pdf)}).values()
    assert file["reasons"] == ["too_large"]
    assert "memory" in file["details"][0]
    assert file["photos"] == digests(ONE)


@pytest.mark.rule("PW-5-29")
def test_sixty_damaged_files_are_contained(tmp_path):
    files = dict(damaged(60, seed=20261))
    found = run(tmp_path, files)
    whole = set(digests(*(jpeg(photo(number, (400, 304))) for number in range(3))))
    for name, file in found.items():
        # A flipped bit may lie within pixels, where nobody can find it.
        assert file["reasons"] or len(file["photos"]) == 3, name
        assert set(file["reasons"]) <= {"malformed", "unsupported", "not_a_photo", "encrypted", "too_large"}, name
    cut = [file for name, file in found.items() if name.endswith("cut")]
    assert all(file["reasons"] for file in cut)
    # Whatever is given of a file that was only cut off is a whole photo.
    assert all(set(file["photos"]) <= whole for file in cut)
    assert sum(len(file["photos"]) for file in found.values()) > 60


@pytest.mark.rule("PW-5-29")
def test_readable_pages_of_a_cut_file_are_given(tmp_path):
    data = photo_pdf(ONE, TWO)
    end = data.index(TWO)
    found = run(
        tmp_path,
        {"no end": data[:-60], "in the second photo": data[: end + len(TWO) // 2], "no picture": data[: end + 10]},
    )
    assert found["no end"]["photos"] == digests(ONE, TWO)
    assert found["in the second photo"]["photos"] == digests(ONE)
    assert all("malformed" in file["reasons"] for file in found.values())


@pytest.mark.rule("PW-5-29")
def test_a_damaged_page_or_picture_takes_nothing_from_the_others(tmp_path):
    pdf = Pdf.new()
    for number in range(5):
        add_page(pdf, [jpeg_stream(pdf, jpeg(photo(number, (400, 304))))])
    pdf.pages[0].Resources.XObject.Im0.write(ONE[:5_000], filter=Name.DCTDecode)
    pdf.pages[1].Contents = Stream(pdf, b"not deflated", Filter=Name.FlateDecode)
    pdf.pages[2].Contents = Stream(pdf, b"/Unknown Do")
    pdf.pages[3].Resources.XObject.Im0.Width = Name.Wide
    found = run(tmp_path, {"pdf": written(pdf)})["pdf"]
    assert found["reasons"] == ["malformed"] * 4
    # What the second and the third page draw is not known, but not what they have to draw.
    assert found["photos"] == digests(*(jpeg(photo(number, (400, 304))) for number in (1, 2, 4)))


@pytest.mark.rule("PW-5-29")
@pytest.mark.parametrize("data", [ONE[: len(ONE) // 2], png(photo(1))[:50_000], tiff(photo(1))[:5_000], b"%PDF-1.7\n"])
def test_half_a_file_is_malformed(data):
    found = split(data, Limits())
    assert (found.photos, [fault.reason for fault in found.faults]) == ([], ["malformed"])
    assert prints(data, Limits()) == []


def test_structures_without_an_end_are_contained(tmp_path):
    pdf = Pdf.new()
    add_page(pdf, [jpeg_stream(pdf, ONE)])
    pdf.Root.Pages.Kids.append(pdf.Root.Pages)
    nested = photo_pdf(ONE).replace(b"/Type /Page\n", b"/Type /Page /Deep " + b"[" * 100_000 + b"\n")
    found = run(
        tmp_path,
        {
            "pages in themselves": written(pdf),
            "endless TIFF": endless_tiff(),
            "forms in forms": deep_forms(40),
            "thousands of forms in forms": deep_forms(3_000),
            "nested arrays": nested,
            "steps": steps(3_000_000),
        },
    )
    assert found["forms in forms"]["photos"] == digests(ONE)
    assert len(found["endless TIFF"]["photos"]) <= 60


def steps(count: int) -> bytes:
    """A page that draws very often."""
    pdf = Pdf.new()
    add_page(pdf, [jpeg_stream(pdf, ONE)])
    pdf.pages[0].Contents = Stream(pdf, zlib.compress(b"/Im0 Do " * count, 9), Filter=Name.FlateDecode)
    return written(pdf)


def scripted(folder: Path) -> bytes:
    """A photo in a PDF that wants scripts run, a program started and a file kept."""
    mark = folder / MARK
    pdf = Pdf.new()
    launch = Dictionary(S=Name.Launch, F=f"/bin/touch {mark}", Win=Dictionary(F="cmd.exe"))
    script = Dictionary(S=Name.JavaScript, JS="app.launchURL('http://example.com')")
    kept = Dictionary(Type=Name.Filespec, F="virus.exe", EF=Dictionary(F=Stream(pdf, b"MZ embedded")))
    note = Dictionary(Type=Name.Annot, Subtype=Name.FileAttachment, Rect=Array([0, 0, 9, 9]), FS=kept, A=launch)
    parts = [jpeg_stream(pdf, jpeg(photo(20 + number, (400, 200))), AF=Array([kept])) for number in range(9)]
    add_page(pdf, [jpeg_stream(pdf, ONE)], AA=Dictionary(O=launch), Annots=Array([note]))
    held = Dictionary(Properties=Dictionary(P=Dictionary(AF=Array([kept]))))
    parts.append(
        Stream(pdf, b"", Type=Name.XObject, Subtype=Name.Form, BBox=Array([0, 0, 1, 1]), Resources=held, PieceInfo=held)
    )
    add_page(pdf, parts, AA=Dictionary(O=script), Annots=Array([note]), Metadata=Stream(pdf, b"<secret/>"))
    pdf.Root.OpenAction = script
    pdf.Root.Names = Dictionary(
        JavaScript=Dictionary(Names=Array(["go", script])), EmbeddedFiles=Dictionary(Names=Array(["virus.exe", kept]))
    )
    return written(pdf)


def test_scripts_programs_and_embedded_files_are_neither_run_nor_kept(tmp_path):
    found = split(scripted(tmp_path), Limits())
    assert not (tmp_path / MARK).exists()
    one, page = found.photos
    assert one.data == ONE
    with Pdf.open(io.BytesIO(page.data)) as kept:
        everything = b"".join(
            held.unparse(resolved=True) if isinstance(held, Dictionary) else held.stream_dict.unparse(resolved=True)
            for held in kept.objects
            if isinstance(held, Dictionary | Stream)
        )
    assert b"/DCTDecode" in everything
    for word in (
        b"/JavaScript",
        b"/JS",
        b"/Launch",
        b"virus",
        b"/AA",
        b"/AF",
        b"/EF",
        b"/Annots",
        b"/Metadata",
        b"/Properties",
    ):
        assert word not in everything
    assert b"MZ embedded" not in page.data
    assert found.faults == []


@pytest.mark.rule("PW-5-31")
def test_a_file_over_the_size_is_not_opened_at_all(monkeypatch):
    monkeypatch.setattr(photos, "Child", None)
    found = split(ONE, Limits(max_mib=0.1))
    assert (found.photos, [fault.reason for fault in found.faults]) == ([], ["too_large"])


@pytest.fixture
def taken_over(monkeypatch, tmp_path) -> Callable[[str], None]:
    """Starts a program of the test in place of the child."""
    real = subprocess.Popen

    def take(code: str) -> None:
        script = tmp_path / "child.py"
        script.write_text("import os, sys, time, signal\n" + code)
        monkeypatch.setattr(
            child_process.subprocess,
            "Popen",
            lambda command, **how: real([sys.executable, str(script), *command[4:]], **how),
        )

    return take


def reasons_of(data: bytes, limits: Limits) -> list[str]:
    return [fault.reason for fault in split(data, limits).faults]


BEGIN = "out = sys.stdout.buffer\nout.write(b'B' + bytes(4)); out.flush()\n"
# What comes before the bytes of a JPEG on page 1.
PLAIN_JPEG = b"\x00\x00\x00\x01\x00" + bytes(photo_answer.FINGERPRINT.size)


def told(kind: bytes, body: bytes) -> bytes:
    """A frame of an answer."""
    return kind + struct.pack(">I", len(body)) + body


@pytest.mark.rule("PW-5-31")
def test_a_child_that_does_not_end_is_killed_with_all_it_started(taken_over, tmp_path):
    pids = tmp_path / "pids"
    taken_over(
        BEGIN + f"child = os.fork()\nopen({str(pids)!r}, 'a').write(f'{{os.getpid()}} ')\nwhile True: time.sleep(9)"
    )
    assert reasons_of(ONE, Limits(max_decode_s=PATIENCE_S)) == ["too_large"]
    # The fork may not have come to write its own number, but then it is not there either.
    left = [int(pid) for pid in pids.read_text().split() if alive(int(pid))]
    assert left == []


def alive(pid: int) -> bool:
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        if not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE:
            return False
        time.sleep(0.02)
    return True


def test_a_child_that_is_silent_and_goes_on_is_killed(taken_over):
    taken_over(BEGIN + "out.close()\nos.close(1)\nwhile True: time.sleep(9)")
    assert reasons_of(ONE, Limits(max_decode_s=PATIENCE_S)) == ["malformed"]


@pytest.mark.rule("PW-5-31")
def test_an_answer_without_an_end_does_not_exhaust_the_parent(taken_over):
    taken_over(BEGIN + "while True: out.write(b'P' + bytes([255] * 4) + bytes(1 << 20))")
    assert reasons_of(ONE, Limits(max_mib=1)) == ["too_large"]


@pytest.mark.parametrize(
    "answer",
    [
        b"X" + bytes(4),
        b"P" + bytes(4),
        told(b"P", PLAIN_JPEG + b"MZ\x90"),
        told(b"P", PLAIN_JPEG),
        told(b"P", b"\x00\x00\x00\x01\x09" + PLAIN_JPEG[5:] + ONE),
        told(b"K", hashlib.sha256(ONE).digest()),
        told(b"K", b""),
        b"F\x00\x00\x00\x02" + b"\xffx",
        b"N\x00\x00\x00\x01" + b"x",
    ],
    ids=[
        "unknown kind",
        "short",
        "not what it says",
        "empty",
        "unknown type",
        "known by itself",
        "no digest",
        "unknown reason",
        "no number",
    ],
)
def test_an_answer_that_is_none_is_a_fault_of_the_file(taken_over, answer):
    taken_over(BEGIN + f"out.write({answer!r} + b'E' + bytes(4)); out.flush()")
    found = split(ONE, Limits(), [hashlib.sha256(TWO).digest()])
    assert (found.photos, found.known, [fault.reason for fault in found.faults]) == ([], [], ["malformed"])


def test_an_answer_with_what_was_said_to_be_known_is_one(taken_over):
    """Beside those that are none, which differ from it in one thing each."""
    digest = hashlib.sha256(TWO).digest()
    answer = told(b"K", digest) + told(b"P", PLAIN_JPEG + ONE)
    taken_over(BEGIN + f"out.write({answer!r} + b'E' + bytes(4)); out.flush()")
    found = split(ONE, Limits(), [digest])
    assert ([photo.data for photo in found.photos], found.known, found.faults) == ([ONE], [digest], [])


def test_a_child_that_dies_leaves_what_it_had_told(taken_over):
    frame = told(b"P", PLAIN_JPEG + ONE)
    taken_over(BEGIN + f"out.write({frame!r}); out.flush()\nos.kill(os.getpid(), signal.SIGSEGV)")
    found = split(ONE, Limits())
    assert [photo.data for photo in found.photos] == [ONE]
    assert [fault.reason for fault in found.faults] == ["malformed"]
    assert str(-signal.SIGSEGV) in found.faults[0].detail


def test_what_a_child_says_is_kept_short_and_plain(taken_over):
    body = bytes([photo_answer.REASONS.index("malformed")]) + b"\x1b[2J line\r\nline" + b"x" * 100_000
    frame = told(b"F", body)
    taken_over(BEGIN + f"out.write({frame!r} + b'E' + bytes(4)); out.flush()")
    [fault] = split(ONE, Limits()).faults
    assert fault.detail.isprintable()
    assert len(fault.detail) <= photo_answer.MOST_DETAIL_BYTES


def test_the_child_knows_no_secrets_of_its_parent(taken_over, tmp_path, monkeypatch):
    monkeypatch.setenv("PALLETFLOW_SECRET", "hidden")
    seen = tmp_path / "seen"
    taken_over(BEGIN + f"open({str(seen)!r}, 'w').write(repr(dict(os.environ)))\nout.write(b'E' + bytes(4))")
    assert split(ONE, Limits()).faults == []
    assert "hidden" not in seen.read_text()


def test_threads_split_side_by_side():
    found: list[photos.Split] = []
    workers = [
        threading.Thread(target=lambda data=data: found.append(split(data, Limits()))) for data in (ONE, TWO, ONE)
    ]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert sorted(digests(*(one.photos[0].data for one in found))) == sorted(digests(ONE, TWO, ONE))
