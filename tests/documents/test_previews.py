"""Previews of documents: pages as small PNGs, and hostile files that end with a reason and harm nobody."""

import io
import os
import signal
import struct
import sys
import zlib
from collections.abc import Callable
from subprocess import Popen

import pytest
from pikepdf import Pdf
from PIL import Image
from tests.documents.photo_files import (
    bomb,
    contents_bomb,
    damaged,
    jpeg,
    photo,
    photo_pdf,
    png,
    saved,
    tiff,
    written,
    zeros,
)

from palletflow.documents import child_process, media
from palletflow.documents.child_process import ReaderBroken
from palletflow.documents.previews import Drawn, draw

SMALL = photo(1, (400, 300))
ONE = jpeg(SMALL)
HEAD = b"\x89PNG\r\n\x1a\n" + struct.pack(">I4sII", 13, b"IHDR", 10, 10)


def opened(drawn: Drawn) -> Image.Image:
    assert drawn.fault == ""
    image = Image.open(io.BytesIO(drawn.png))
    image.load()
    return image


def test_every_kind_of_picture_is_drawn():
    files = {
        "jpeg": (ONE, media.JPEG),
        "print": (jpeg(SMALL.convert("CMYK")), media.JPEG),
        "png": (png(SMALL.convert("P")), media.PNG),
        "deep": (png(SMALL.convert("I;16")), media.PNG),
        "gif": (saved(SMALL, "GIF"), media.GIF),
        "bilevel": (tiff(SMALL.convert("1")), media.TIFF),
        "pdf": (photo_pdf(ONE), media.PDF),
    }
    sizes = {name: opened(draw(data, media_type, 200)).size for name, (data, media_type) in files.items()}
    assert sizes.pop("pdf") in {(141, 199), (141, 200), (142, 200)}
    assert set(sizes.values()) == {(200, 150)}


def test_a_picture_stands_upright_on_white_and_tells_nothing_of_its_camera():
    sideways = SMALL.copy()
    exif = sideways.getexif()
    exif[0x0112], exif[0x010F] = 6, "CAMERA OF SOMEBODY"
    drawn = draw(jpeg(sideways, exif=exif), media.JPEG, 200)
    assert opened(drawn).size == (150, 200)
    assert b"CAMERA" not in drawn.png
    clear = draw(png(Image.new("RGBA", (50, 50), (0, 0, 0, 0))), media.PNG, 200)
    assert opened(clear).getpixel((25, 25)) == (255, 255, 255)


def test_pages_and_frames_are_counted_and_asked_for_one_by_one():
    pdf, frames = photo_pdf(ONE, ONE, ONE), tiff(SMALL, Image.new("RGB", (300, 400), "red"))
    assert draw(pdf, media.PDF, 100, 3).pages == 3
    second = draw(frames, media.TIFF, 100, 2)
    assert (opened(second).size, second.pages) == ((75, 100), 2)
    assert draw(pdf, media.PDF, 100, 4).fault == draw(frames, media.TIFF, 100, 3).fault == "no_such_page"
    # A page of another shape fits all the same.
    wide = Pdf.new()
    wide.add_blank_page(page_size=(14_000, 3))
    assert opened(draw(written(wide), media.PDF, 100)).size[0] <= 100


def png_bomb() -> bytes:
    """A PNG of 90,000 x 30,000 pixels in a hundred kilobytes or so."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = struct.pack(">IIBBBBB", 90_000, 30_000, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zeros(100)) + chunk(b"IEND", b"")


def test_hostile_files_end_with_a_reason_or_a_page():
    assert draw(png_bomb(), media.PNG, 320).fault == "too_large"
    assert draw(contents_bomb(), media.PDF, 320).fault == "too_large"
    # What of it would be too large is left white.
    assert opened(draw(bomb((30_000, 30_000), 200), media.PDF, 320)).size[1] in (319, 320)
    assert draw(ONE, media.ZPL, 320).fault == "unsupported"
    for _, data in damaged(9, seed=5):
        drawn = draw(data, media.PDF, 320)
        assert bool(drawn.png) != bool(drawn.fault)
    for lie in (media.PNG, media.PDF):
        # The bytes decide, whatever the type says.
        assert opened(draw(ONE, lie, 320)).size == (320, 240)


@pytest.fixture
def taken_over(monkeypatch, tmp_path) -> Callable[[str], None]:
    """Starts a program of the test in place of the child."""

    def take(code: str) -> None:
        script = tmp_path / "child.py"
        script.write_text(f"import os, struct, sys, time\nHEAD = {HEAD!r}\n{FRAMES}{code}")
        monkeypatch.setattr(
            child_process.subprocess,
            "Popen",
            lambda command, **how: Popen([sys.executable, str(script), *command[4:]], **how),
        )

    return take


FRAMES = """
def frame(kind, body=b""):
    os.write(1, struct.pack(">cI", kind, len(body)) + body)
"""
BEGIN, END = 'frame(b"B")\n', '\nframe(b"E")'


@pytest.mark.parametrize(
    ("code", "fault"),
    [
        ('frame(b"D", struct.pack(">I", 1) + b"<script>alert(1)</script>")', "damaged"),
        (
            'frame(b"D", struct.pack(">I", 1) + HEAD.replace(struct.pack(">I", 10), struct.pack(">I", 99999)))',
            "damaged",
        ),
        ('frame(b"D", struct.pack(">I", 0) + HEAD)', "damaged"),
        ('frame(b"D")', "damaged"),
        ('frame(b"F", b"\\xff")', "damaged"),
        ('frame(b"Q")', "damaged"),
        ("os.kill(os.getpid(), 11)", "too_large"),
        ('frame(b"D", struct.pack(">I", 1) + HEAD + bytes(10_000_000))', "too_large"),
    ],
)
def test_a_child_that_was_taken_over_is_not_believed(taken_over, code, fault):
    taken_over(BEGIN + code + END)
    assert draw(ONE, media.JPEG, 320) == Drawn(b"", 0, fault)


def test_a_child_that_does_not_end_is_ended(taken_over, monkeypatch, tmp_path):
    monkeypatch.setattr("palletflow.documents.previews.SECONDS", 1.0)
    taken_over(BEGIN + f"open({str(tmp_path / 'pid')!r}, 'w').write(str(os.getpid()))\ntime.sleep(600)")
    assert draw(ONE, media.JPEG, 320).fault == "too_large"
    with pytest.raises(ProcessLookupError):
        os.kill(int((tmp_path / "pid").read_text()), signal.SIGCONT)


def test_a_child_that_does_not_start_is_no_fault_of_the_file(taken_over):
    taken_over("sys.exit(3)")
    with pytest.raises(ReaderBroken, match="3"):
        draw(ONE, media.JPEG, 320)


def test_nothing_around_us_is_told_to_the_child(taken_over, monkeypatch, tmp_path):
    monkeypatch.setenv("PALLETFLOW_CANARY", "a password")
    taken_over(f"open({str(tmp_path / 'told')!r}, 'w').write(repr(dict(os.environ)))\n{BEGIN}{END}")
    draw(ONE, media.JPEG, 320)
    assert "CANARY" not in (tmp_path / "told").read_text()
