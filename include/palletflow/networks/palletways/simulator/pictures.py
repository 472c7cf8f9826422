"""Sample pictures: photos of a delivery, full of detail as a real one is, and scans of a signed delivery note."""

import io
import random
from functools import lru_cache

from PIL import Image, ImageDraw

# Photos are drawn small and enlarged, which is quick and leaves edges everywhere.
_SMALL, _TIMES = (300, 225), 4
_SCAN_SIZE = (1240, 1754)


@lru_cache(maxsize=512)
def photo(label: str) -> bytes:
    """A JPEG of 1,200 by 900 px; equal labels give equal bytes, other labels another picture."""
    rng = random.Random(f"photo|{label}")
    # Large soft areas, then a grain over all of it, so that the picture keeps its look when it is re-encoded or resized
    # and no two look alike when they are shrunk.
    image = _noise(rng, (16, 12)).resize(_SMALL, Image.Resampling.BICUBIC)
    draw = ImageDraw.Draw(image)
    for _ in range(rng.randint(5, 9)):
        left, top = rng.randint(0, 250), rng.randint(38, 175)
        wide, high = rng.randint(30, 80), rng.randint(25, 65)
        draw.rectangle((left, top, left + wide, top + high), _colour(rng, 60, 200), "black")
        for plank in range(top + 3, top + high, 6):
            draw.line((left, plank, left + wide, plank), _colour(rng, 30, 160))
    image = Image.blend(image, _noise(rng, _SMALL), 0.12)
    image = image.resize((_SMALL[0] * _TIMES, _SMALL[1] * _TIMES), Image.Resampling.NEAREST)
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


def _noise(rng: random.Random, size: tuple[int, int]) -> Image.Image:
    image = Image.frombytes("RGB", size, rng.randbytes(size[0] * size[1] * 3))
    return image.point(lambda value: 30 + value * 3 // 4)


def _colour(rng: random.Random, darkest: int, brightest: int) -> tuple[int, int, int]:
    return rng.randint(darkest, brightest), rng.randint(darkest, brightest), rng.randint(darkest, brightest)


def _jpeg(image: Image.Image, quality: int) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=quality)
    return buffer.getvalue()
