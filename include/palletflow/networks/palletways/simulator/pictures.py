"""Sample pictures: photos of a delivery, full of detail as a real one is, and scans of a signed delivery note."""

import io
import random
from functools import lru_cache

from PIL import Image, ImageDraw

_SIZE = (1200, 900)
_SCAN_SIZE = (1240, 1754)


@lru_cache(maxsize=256)
def photo(label: str) -> bytes:
    """A JPEG of 1,200 by 900 px; equal labels give equal bytes, other labels another picture."""
    rng = random.Random(f"photo|{label}")
    # Large soft areas, then a grain over all of it, so that the picture keeps its look when it is re-encoded or resized
    # and no two look alike when they are shrunk.
    image = _noise(rng, (16, 12), _SIZE, Image.Resampling.BICUBIC)
    draw = ImageDraw.Draw(image)
    for _ in range(rng.randint(5, 9)):
        left, top = rng.randint(0, 1000), rng.randint(150, 700)
        wide, high = rng.randint(120, 320), rng.randint(100, 260)
        draw.rectangle((left, top, left + wide, top + high), _colour(rng, 60, 200), "black", 3)
        for plank in range(top + 12, top + high, 24):
            draw.line((left, plank, left + wide, plank), _colour(rng, 30, 160), 4)
    image = Image.blend(image, _noise(rng, (300, 225), _SIZE, Image.Resampling.NEAREST), 0.12)
    ImageDraw.Draw(image).text((20, 20), f"SAMPLE {label}", "white", font_size=28)
    return _jpeg(image, 85)


@lru_cache(maxsize=64)
def scan(label: str) -> bytes:
    """A JPEG of the one form that all scans are on, filled in and signed for ``label``: mostly white."""
    rng = random.Random(f"scan|{label}")
    image = Image.new("RGB", _SCAN_SIZE, "white")
    draw = ImageDraw.Draw(image)
    draw.text((80, 60), "DELIVERY NOTE", "black", font_size=48)
    for top in range(180, 1500, 60):
        draw.line((80, top, 1160, top), "grey", 2)
    draw.text((90, 1540), f"Received by: {label}", "black", font_size=28)
    draw.line([(400 + 25 * i, 1600 + rng.randint(-50, 50)) for i in range(18)], "navy", 4)
    return _jpeg(image, 85)


def reencoded(image: bytes, quality: int, *, half: bool = False) -> bytes:
    """The picture as a JPEG of another quality, at full or half size."""
    with Image.open(io.BytesIO(image)) as opened:
        rgb = opened.convert("RGB")
    if half:
        rgb = rgb.resize((rgb.width // 2, rgb.height // 2), Image.Resampling.LANCZOS)
    return _jpeg(rgb, quality)


def _noise(rng: random.Random, cells: tuple[int, int], size: tuple[int, int], how: Image.Resampling) -> Image.Image:
    small = Image.frombytes("RGB", cells, rng.randbytes(cells[0] * cells[1] * 3))
    return small.point(lambda value: 30 + value * 3 // 4).resize(size, how)


def _colour(rng: random.Random, darkest: int, brightest: int) -> tuple[int, int, int]:
    return rng.randint(darkest, brightest), rng.randint(darkest, brightest), rng.randint(darkest, brightest)


def _jpeg(image: Image.Image, quality: int) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=quality)
    return buffer.getvalue()
