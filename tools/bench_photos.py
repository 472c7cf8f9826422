"""The speed at which photos are taken out of PDFs, beside what pypdf's `page.images` takes for the same pages.

python tools/bench_photos.py
"""

import hashlib
import io
import random

import pikepdf
from PIL import Image, ImageDraw
from pypdf import PdfReader

from figures import Figure, expect, timed
from palletflow.documents import photos
from palletflow.documents.photos import Limits

PAGES = 200
# So many photos in turn, and one more on the last page.
DRAWN = 20
ROUNDS = 3
# Pictures of a phone, as apps send them on: about 60 to 400 kB each.
SIZES = ((1200, 900), (1600, 1200), (2048, 1536), (2592, 1944))
QUALITIES = (60, 65, 70, 75)
LIMITS = Limits(max_mib=200, max_pages=PAGES)


def photo(seed: int, size: tuple[int, int], quality: int) -> bytes:
    """A JPEG with as much in it as a photo: soft light, shapes, and a little grain."""
    dice = random.Random(seed)
    width, height = size
    light = Image.frombytes("RGB", (16, 12), dice.randbytes(16 * 12 * 3)).resize(size, Image.Resampling.BICUBIC)
    draw = ImageDraw.Draw(light)
    for _ in range(300):
        x, y, reach = dice.randrange(width), dice.randrange(height), dice.randrange(5, width // 20)
        draw.ellipse((x - reach, y - reach, x + reach, y + reach), fill=tuple(dice.randbytes(3)))
    grain = Image.effect_noise(size, 20)
    held = io.BytesIO()
    Image.blend(light, Image.merge("RGB", (grain, grain, grain)), 0.1).save(held, "JPEG", quality=quality)
    return held.getvalue()


def photo_pdf(pictures: list[bytes]) -> bytes:
    """A PDF with a picture on each page."""
    pdf = pikepdf.Pdf.new()
    for data in pictures:
        with Image.open(io.BytesIO(data)) as image:
            width, height = image.size
        held = pikepdf.Stream(
            pdf,
            data,
            Type=pikepdf.Name.XObject,
            Subtype=pikepdf.Name.Image,
            Width=width,
            Height=height,
            ColorSpace=pikepdf.Name.DeviceRGB,
            BitsPerComponent=8,
            Filter=pikepdf.Name.DCTDecode,
        )
        pdf.add_blank_page(page_size=(595, 842))
        pdf.pages[-1].Resources = pikepdf.Dictionary(XObject=pikepdf.Dictionary(Photo=held))
        pdf.pages[-1].Contents = pikepdf.Stream(pdf, b"q 500 0 0 375 48 240 cm /Photo Do Q")
    out = io.BytesIO()
    pdf.save(out)
    return out.getvalue()


def photo_figures() -> list[Figure]:
    """200 pages looked at again, all but one known, and for the first time; each with the child that reads them."""
    print(f"photos: drawing {PAGES} pages ...", flush=True)
    # One that is known is known wherever it stands, so the last page has a photo of its own.
    drawn = [photo(seed, SIZES[seed % len(SIZES)], QUALITIES[seed % len(QUALITIES)]) for seed in range(DRAWN)]
    new = photo(DRAWN, SIZES[-1], QUALITIES[-1])
    expected = [*(drawn[number % DRAWN] for number in range(PAGES - 1)), new]
    data = photo_pdf(expected)
    digests = [hashlib.sha256(one).digest() for one in expected[:-1]]
    known = set(digests)

    def again() -> None:
        found = photos.split(data, LIMITS, known)
        expect([photo.data for photo in found.photos] == [new] and found.known == digests)

    def by_pypdf() -> int:
        return sum(len(image.data) > 0 for page in PdfReader(io.BytesIO(data)).pages for image in page.images)

    rounds = []
    for round_number in range(ROUNDS):
        print(f"photos: round {round_number + 1} of {ROUNDS} ...", flush=True)
        rounds.append(
            (
                timed(again),
                timed(lambda: expect([photo.data for photo in photos.split(data, LIMITS).photos] == expected)),
                timed(lambda: expect(by_pypdf() == PAGES)),
            )
        )
    known_again, first, yardstick = (min(column) for column in zip(*rounds, strict=True))
    small, large = min(map(len, drawn)) // 1000, max(map(len, drawn)) // 1000
    return [
        Figure(
            f"photos of {PAGES} PDF pages, {small} to {large} kB, all but one known",
            known_again,
            "pypdf page.images",
            yardstick,
            1 / 15,
        ),
        Figure("the same for the first time, with fingerprints", first, "pypdf page.images", yardstick, 1.25),
    ]


def main() -> None:
    """Prints the figures."""
    for figure in photo_figures():
        print(
            f"{figure.name}: {figure.measured:.2f} s = {PAGES / figure.measured:,.0f} pages/s, "
            f"{figure.yardstick} {figure.yardstick_measured:.2f} s, ratio {figure.ratio:.3f} "
            f"(1/{1 / figure.ratio:.1f}), target {figure.target:.3f}"
        )


if __name__ == "__main__":
    main()
