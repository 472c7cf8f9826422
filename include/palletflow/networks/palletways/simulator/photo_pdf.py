"""The PDFs that podimages answers with: one image a page, as the switches of section 8 want them."""

import io
import zlib
from collections.abc import Sequence

import pikepdf
from pikepdf import Dictionary, Name, Pdf, Stream
from PIL import Image
from reportlab.lib.pagesizes import A4  # type: ignore[import-untyped]
from reportlab.pdfgen.canvas import Canvas  # type: ignore[import-untyped]

from . import pictures
from .label import example_label

_PAGE = (595, 842)
_HUGE_MIB = 26
_MANY_PAGES = 61
_BOMB_PX = 20_000
_JPEG = b"\xff\xd8"
_PDF = b"%PDF-"
_COLOUR_SPACES = {"L": Name.DeviceGray, "RGB": Name.DeviceRGB, "CMYK": Name.DeviceCMYK}


def compose(pages: Sequence[bytes], reencode: str = "off") -> bytes:
    """A PDF of these pages in order, each a JPEG, a PNG or a one-page PDF; the same pages give the same bytes.

    JPEGs go in byte for byte; ``reencode`` off, lossless, jpeg60 or half as the switch says.
    """
    pdf = Pdf.new()
    for data in pages:
        if data.startswith(_PDF):
            with Pdf.open(io.BytesIO(data)) as other:
                pdf.pages.extend(other.pages)
        else:
            _add_image(pdf, _image(pdf, data, reencode))
    return _saved(pdf)


def split(data: bytes) -> list[bytes]:
    """The pages an uploaded file makes: a page of a PDF each, a frame of a TIFF each (as PNG), or the image itself.

    Raises ValueError for what is none of them.
    """
    if data.startswith(_PDF):
        return _pages_of_pdf(data)
    try:
        with Image.open(io.BytesIO(data)) as opened:
            if opened.format in ("JPEG", "PNG"):
                opened.load()
                return [data]
            return [_frame(opened, number) for number in range(getattr(opened, "n_frames", 1))]
    except (OSError, Image.DecompressionBombError) as problem:
        raise ValueError(str(problem)) from problem


def faulty(fault: str, pages: Sequence[bytes]) -> bytes:
    """The PDF of a ``pdf_fault``. ``pages``: at least one."""
    match fault:
        case "error_page":
            return _text_page("ERROR", "POD not found for this ID.")
        case "label_page":
            return example_label()
        case "malformed":
            return _damaged(compose(pages))
        case "encrypted":
            return _encrypted(compose(pages))
        case "huge":
            return _padded(pages, _HUGE_MIB)
        case "many_pages":
            return _repeated(pages[0], _MANY_PAGES)
        case "bomb":
            return _bomb()
    blank = Pdf.new()
    blank.add_blank_page(page_size=_PAGE)
    return _saved(blank)


def _image(pdf: Pdf, data: bytes, reencode: str) -> Stream:
    if reencode == "jpeg60":
        data = pictures.reencoded(data, 60)
    elif reencode == "half":
        data = pictures.reencoded(data, 85, half=True)
    with Image.open(io.BytesIO(data)) as opened:
        facts = {"Type": Name.XObject, "Subtype": Name.Image, "BitsPerComponent": 8}
        width, height, mode = opened.width, opened.height, opened.mode
        if data.startswith(_JPEG) and reencode != "lossless":
            return Stream(
                pdf, data, **facts, Width=width, Height=height, ColorSpace=_COLOUR_SPACES[mode], Filter=Name.DCTDecode
            )
        raw = zlib.compress(opened.convert("RGB").tobytes(), 1)
        return Stream(pdf, raw, **facts, Width=width, Height=height, ColorSpace=Name.DeviceRGB, Filter=Name.FlateDecode)


def _add_image(pdf: Pdf, image: Stream) -> None:
    width = _PAGE[0] - 80
    height = min(_PAGE[1] - 80, width * int(image.Height) // int(image.Width))
    page = pdf.add_blank_page(page_size=_PAGE)
    page.Resources = Dictionary(XObject=Dictionary(Im0=image))
    page.Contents = Stream(pdf, b"q %d 0 0 %d 40 %d cm /Im0 Do Q" % (width, height, _PAGE[1] - 40 - height))


def _saved(pdf: Pdf, **options: object) -> bytes:
    buffer = io.BytesIO()
    pdf.save(buffer, **{"static_id": True, **options})  # type: ignore[arg-type]
    return buffer.getvalue()


def _pages_of_pdf(data: bytes) -> list[bytes]:
    try:
        with Pdf.open(io.BytesIO(data)) as opened:
            found = []
            for page in opened.pages:
                single = Pdf.new()
                single.pages.append(page)
                found.append(_saved(single))
            return found
    except pikepdf.PdfError as problem:
        raise ValueError(str(problem)) from problem


def _frame(opened: Image.Image, number: int) -> bytes:
    opened.seek(number)
    buffer = io.BytesIO()
    opened.convert("RGB").save(buffer, "PNG")
    return buffer.getvalue()


def _text_page(*lines: str) -> bytes:
    buffer = io.BytesIO()
    canvas = Canvas(buffer, pagesize=A4, invariant=1)
    for place, line in enumerate(lines):
        canvas.drawString(60, 760 - 30 * place, line)
    canvas.save()
    return buffer.getvalue()


def _damaged(whole: bytes) -> bytes:
    """The second half of the last image is gone, with all that the positions written at the end point at."""
    start = whole.rindex(b"stream\n", 0, whole.rindex(b"endstream")) + len(b"stream\n")
    end = whole.rindex(b"endstream")
    return whole[: (start + end) // 2] + b"\n" + whole[end:]


def _encrypted(whole: bytes) -> bytes:
    with Pdf.open(io.BytesIO(whole)) as opened:
        # The old cipher takes no random numbers, so that the same pages give the same bytes.
        return _saved(opened, encryption=pikepdf.Encryption(owner="sim", user="sim", R=3, aes=False, metadata=False))


def _padded(pages: Sequence[bytes], mib: int) -> bytes:
    with Pdf.open(io.BytesIO(compose(pages))) as opened:
        opened.pages[0].contents_add(b"%" * (mib << 20))
        return _saved(opened, compress_streams=False)


def _repeated(page: bytes, times: int) -> bytes:
    pdf = Pdf.new()
    image = pdf.make_indirect(_image(pdf, page, "off"))
    for _ in range(times):
        _add_image(pdf, image)
    return _saved(pdf)


def _bomb() -> bytes:
    """One image of 400 megapixels that decodes to 1.2 GB of zeros."""
    pdf = Pdf.new()
    facts = {"Type": Name.XObject, "Subtype": Name.Image, "BitsPerComponent": 8, "ColorSpace": Name.DeviceRGB}
    zeros = _compressed_zeros(_BOMB_PX * _BOMB_PX * 3)
    image = Stream(pdf, zeros, **facts, Width=_BOMB_PX, Height=_BOMB_PX, Filter=Name.FlateDecode)
    _add_image(pdf, image)
    return _saved(pdf)


def _compressed_zeros(length: int) -> bytes:
    """What zlib makes of ``length`` zeros, a multiple of 400,000, without compressing them all."""
    piece = 400_000
    packer = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    block = packer.compress(bytes(piece)) + packer.flush(zlib.Z_FULL_FLUSH)
    checksum = (length % 65521) << 16 | 1
    return b"\x78\xda" + block * (length // piece) + b"\x03\x00" + checksum.to_bytes(4)
