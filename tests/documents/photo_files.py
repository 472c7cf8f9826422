"""Photos, scanned notes and PDFs of them that tests read, all drawn here and the same each time; and hostile ones."""

import io
import random
import zlib
from collections.abc import Iterator, Sequence
from typing import Any

import pikepdf
from pikepdf import Array, Dictionary, Name, Pdf, Stream
from PIL import Image, ImageDraw

SIZE = (1200, 896)


def photo(seed: int, size: tuple[int, int] = SIZE) -> Image.Image:
    """A detailed picture in colour, another for each seed: large shapes under fine grain."""
    dice = random.Random(seed)
    width, height = size
    image = Image.new("RGB", size, tuple(dice.randrange(60, 200) for _ in range(3)))
    draw = ImageDraw.Draw(image)
    for number in range(400):
        x, y, reach = dice.randrange(width), dice.randrange(height), dice.randrange(10, max(width // 6, 11))
        shape = draw.ellipse if number % 2 else draw.rectangle
        shape((x - reach, y - reach // 2, x + reach, y + reach // 2), fill=tuple(dice.randbytes(3)))
    grain = Image.frombytes("L", size, dice.randbytes(width * height))
    return Image.blend(image, Image.merge("RGB", (grain, grain, grain)), 0.08)


def note(signature: int) -> Image.Image:
    """A scanned delivery note: always the same printed form on white, another signature for each number."""
    image = Image.new("RGB", (1240, 1754), (250, 250, 248))
    draw = ImageDraw.Draw(image)
    for row in range(100, 1300, 60):
        draw.line((100, row, 1140, row), fill=(40, 40, 40), width=2)
        draw.rectangle((110, row + 15, 110 + row % 700, row + 35), fill=(60, 60, 60))
    dice = random.Random(signature)
    places = [(300 + 40 * step + dice.randrange(30), 1450 + dice.randrange(-80, 80)) for step in range(12)]
    draw.line(places, fill=(20, 20, 120), width=5)
    return image


def jpeg(image: Image.Image, quality: int = 85, **options: Any) -> bytes:
    """The picture as JPEG."""
    return saved(image, "JPEG", quality=quality, **options)


def png(image: Image.Image, **options: Any) -> bytes:
    """The picture as PNG."""
    return saved(image, "PNG", **options)


def tiff(*images: Image.Image, **options: Any) -> bytes:
    """The pictures as frames of a TIFF."""
    return saved(images[0], "TIFF", save_all=True, append_images=images[1:], **options)


def opened(data: bytes) -> Image.Image:
    """A picture again."""
    image = Image.open(io.BytesIO(data))
    image.load()
    return image


def saved(image: Image.Image, form: str, **options: Any) -> bytes:
    """The picture as a file of that form."""
    held = io.BytesIO()
    image.save(held, form, **options)
    return held.getvalue()


def jpeg_stream(pdf: Pdf, data: bytes, **entries: Any) -> Stream:
    """A JPEG as a PDF holds it."""
    image = opened(data)
    space = {"L": Name.DeviceGray, "RGB": Name.DeviceRGB, "CMYK": Name.DeviceCMYK}[image.mode]
    return _image(pdf, data, image.size, ColorSpace=space, Filter=Name.DCTDecode, **entries)


def raw_stream(pdf: Pdf, image: Image.Image, **entries: Any) -> Stream:
    """A picture as a PDF holds its plain pixels, packed."""
    space = {"1": Name.DeviceGray, "L": Name.DeviceGray, "RGB": Name.DeviceRGB, "CMYK": Name.DeviceCMYK}[image.mode]
    entries = {"BitsPerComponent": 1 if image.mode == "1" else 8, **entries}
    data = zlib.compress(image.tobytes())
    return _image(pdf, data, image.size, ColorSpace=space, Filter=Name.FlateDecode, **entries)


def _image(pdf: Pdf, data: bytes, size: tuple[int, int], **entries: Any) -> Stream:
    known = {"Type": Name.XObject, "Subtype": Name.Image, "Width": size[0], "Height": size[1], "BitsPerComponent": 8}
    return Stream(pdf, data, **{**known, **entries})


def add_page(pdf: Pdf, images: Sequence[Stream] = (), words: str = "", more: bytes = b"", **entries: Any) -> None:
    """A page that draws pictures in their order, then words, then whatever else its contents hold."""
    named = {f"/Im{number}": image for number, image in enumerate(images)}
    lines = [f"q 400 0 0 300 50 {400 - number} cm {name} Do Q" for number, name in enumerate(named)]
    lines += [f"BT /F1 12 Tf 50 {780 - 20 * row} Td ({line}) Tj ET" for row, line in enumerate(words.splitlines())]
    font = Dictionary(Type=Name.Font, Subtype=Name.Type1, BaseFont=Name.Helvetica)
    page = Dictionary(
        Type=Name.Page,
        MediaBox=Array([0, 0, 595, 842]),
        Resources=Dictionary(XObject=Dictionary(named), Font=Dictionary(F1=font)),
        Contents=Stream(pdf, "\n".join(lines).encode() + b"\n" + more),
        **entries,
    )
    pdf.pages.append(pikepdf.Page(page))


def written(pdf: Pdf, **options: Any) -> bytes:
    """The PDF's bytes."""
    held = io.BytesIO()
    pdf.save(held, deterministic_id="encryption" not in options, **options)
    return held.getvalue()


def photo_pdf(*photos: bytes, **entries: Any) -> bytes:
    """A PDF with a JPEG on each page."""
    pdf = Pdf.new()
    for data in photos:
        add_page(pdf, [jpeg_stream(pdf, data)], **entries)
    return written(pdf)


def text_pdf(words: str, *, image: bytes | None = None) -> bytes:
    """A PDF of one page of words, with a picture or without."""
    pdf = Pdf.new()
    add_page(pdf, [jpeg_stream(pdf, image)] if image else [], words)
    return written(pdf)


def zeros(megabytes: int) -> bytes:
    """So many megabytes of nothing, packed; the checksum at the end is wrong, and nobody shall come to it."""
    packer = zlib.compressobj(9)
    first, other = (packer.compress(bytes(1 << 20)) + packer.flush(zlib.Z_FULL_FLUSH) for _ in range(2))
    return first + other * (megabytes - 1) + packer.flush()


def bomb(size: tuple[int, int], megabytes: int = 2_000) -> bytes:
    """A PDF of 2 MB whose picture unpacks to 2 GB, and says it has so many pixels."""
    pdf = Pdf.new()
    image = _image(pdf, zeros(megabytes), size, ColorSpace=Name.DeviceRGB, Filter=Name.FlateDecode)
    add_page(pdf, [image])
    return written(pdf)


def contents_bomb() -> bytes:
    """A PDF whose page draws 2 GB of nothing."""
    pdf = Pdf.new()
    add_page(pdf)
    pdf.pages[0].Contents = Stream(pdf, zeros(2_000), Filter=Name.FlateDecode)
    return written(pdf)


def damaged(count: int, seed: int) -> Iterator[tuple[str, bytes]]:
    """So many damaged PDFs of three photos: cut off, with flipped bits, or with a broken table of where things are."""
    dice = random.Random(seed)
    pictures = [jpeg(photo(number, (400, 304))) for number in range(3)]
    for number in range(count):
        # Files of this kind hold all but their pictures packed, and are lost with less.
        modern = number % 5 == 0
        pdf = Pdf.new()
        for picture in pictures:
            add_page(pdf, [jpeg_stream(pdf, picture)])
        generate, disable = pikepdf.ObjectStreamMode.generate, pikepdf.ObjectStreamMode.disable
        data = bytearray(written(pdf, object_stream_mode=generate if modern else disable))
        how = ("cut", "flipped", "xref")[number % 3]
        if how == "cut":
            del data[dice.randrange(20, len(data)) :]
        elif how == "flipped":
            for _ in range(dice.randrange(1, 40)):
                data[dice.randrange(10, len(data))] ^= 1 << dice.randrange(8)
        else:
            start = data.rindex(b"startxref")
            table = start - dice.randrange(40, 200)
            data[table:start] = dice.randbytes(start - table)
            data[start + 10 : start + 13] = b"999"
        yield f"{number} {how}", bytes(data)
