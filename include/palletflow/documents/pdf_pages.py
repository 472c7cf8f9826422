"""The pages of a PDF: what stands on them, and their pictures. Runs in child processes only.

Rules: docs/contracts/palletways.md, section 5, "Splitting" and "Never stored as a photo". pikepdf reads the file, and
pypdf the text of a page that has some (docs/adr/0010). Scripts, actions and embedded files are never looked at.
"""

import io
from collections.abc import Sequence
from typing import BinaryIO, NamedTuple, cast

import pikepdf
from pikepdf import Dictionary, Name, Object, Page, Pdf, PdfImage, PdfInlineImage, Stream
from PIL import Image

from palletflow.documents.photo_answer import ENCRYPTED, MALFORMED, Fault, Known, Picture
from palletflow.documents.pictures import OUT_OF_MEMORY, Saver, TooLarge, Unsupported, plain_text, reason

TEXT = frozenset(("Tj", "TJ", "'", '"'))
VECTORS = frozenset(("S", "s", "f", "F", "f*", "B", "B*", "b", "b*", "sh"))
# What is read of a page's contents; all other operators are passed over unread.
OPERATORS = " ".join(("Do", "BI", "ID", "EI", *sorted(TEXT | VECTORS)))
JPEG_FILTER = Name.DCTDecode
# What a page that is kept as a PDF takes with it, and what the pictures and forms it draws leave behind.
PAGE_KEYS = ("/MediaBox", "/CropBox", "/Rotate", "/Contents", "/UserUnit")
RESOURCE_KEYS = ("/ColorSpace", "/ExtGState", "/Font", "/Pattern", "/Shading", "/XObject")
UNWANTED_KEYS = ("/AF", "/Alternates", "/Metadata", "/OPI", "/PieceInfo", "/Properties", "/Ref")
# Kinds of picture that nobody here decodes, as against damaged ones.
FOREIGN = (
    NotImplementedError,
    pikepdf.DependencyError,
    pikepdf.UnsupportedImageTypeError,
    pikepdf.models.image.HifiPrintImageNotTranscodableError,
)
# How qpdf says that it had to guess where things are.
DAMAGED = "file is damaged"


# A picture as a page draws it: by name, or written into its contents. Nothing of it is decoded yet.
Drawn = Stream | PdfInlineImage


class Unreadable(Exception):
    """The file cannot be opened at all; `fault` says why."""

    def __init__(self, fault: Fault) -> None:
        super().__init__(fault.detail)
        self.fault = fault


class Contents(NamedTuple):
    """What is drawn on a page: its pictures in order, each once, and whether there is text or any other drawing."""

    images: list[Drawn]
    text: bool
    drawn: bool


def opened(file: BinaryIO) -> Pdf:
    """A file as a PDF; an empty password is tried. Raises Unreadable, TooLarge."""
    try:
        return pikepdf.open(file, access_mode=pikepdf.AccessMode.stream)
    except pikepdf.PasswordError:
        raise Unreadable(Fault(ENCRYPTED, "the PDF is encrypted and asks for a password")) from None
    except Exception as error:
        raise Unreadable(Fault(MALFORMED, f"the PDF cannot be opened: {reason(error)}")) from error


def warnings(pdf: Pdf) -> list[str]:
    """What qpdf found odd since this was asked last. Raises TooLarge when memory ran out."""
    found = [plain_text(str(warning)) for warning in pdf.get_warnings()]
    if any(OUT_OF_MEMORY in warning for warning in found):
        raise TooLarge("reading a page takes more memory than is given to it")
    return found


def contents(page: Page) -> Contents:
    """What is drawn on a page, also within forms. Raises whatever damaged contents do."""
    found = Contents([], False, False)
    return _drawn(page.obj, page.obj.get("/Resources", Dictionary()), found, set())


def held_images(page: Page) -> list[Drawn]:
    """The pictures that a page may draw, in no order that says anything."""
    held = page.obj.get("/Resources", Dictionary()).get("/XObject", Dictionary())
    return [one for one in held.values() if isinstance(one, Stream) and one.get("/Subtype") == Name.Image]


def turn(page: Page) -> int:
    """By how many degrees clockwise the page is shown turned: 0, 90, 180 or 270."""
    angle = page.obj.get("/Rotate", 0)
    return int(angle) % 360 if isinstance(angle, int) and angle % 90 == 0 else 0


def text(pdf: Pdf, page: Page) -> str:
    """The words on a page; "" where they cannot be read."""
    # Most files have no text, and need not pay for this.
    from pypdf import PdfReader

    try:
        return PdfReader(io.BytesIO(alone(pdf, page))).pages[0].extract_text()
    except Exception as error:
        reason(error)
        return ""


def alone(pdf: Pdf, page: Page) -> bytes:
    """The page as a PDF of its own: what is drawn on it, and no annotation, action, script or embedded file."""
    resources = page.obj.get("/Resources", Dictionary())
    kept = _only(page.obj, PAGE_KEYS) | {"/Type": Name.Page, "/Resources": Dictionary(_only(resources, RESOURCE_KEYS))}
    with Pdf.new() as single:
        single.pages.append(Page(single.copy_foreign(pdf.make_indirect(Dictionary(kept)))))
        for held in single.objects:
            if isinstance(held, Stream):
                for owner in (held, held.get("/Resources", Dictionary())):
                    for key in UNWANTED_KEYS:
                        if key in owner:
                            del owner[key]
        out = io.BytesIO()
        # Asked for again, the same page is the same file.
        single.save(out, deterministic_id=True)
        return out.getvalue()


def size(drawn: Drawn) -> tuple[int, int]:
    """Width and height of a picture in pixels, as the PDF gives them. Raises whatever a damaged one does."""
    if isinstance(drawn, PdfInlineImage):
        return drawn.width, drawn.height
    return int(drawn.Width), int(drawn.Height)


def picture(drawn: Drawn, saver: Saver, page: int, angle: int) -> Picture | Known:
    """One picture of a page that is turned by `angle`. Raises TooLarge, Unsupported, whatever a damaged one does."""
    image = _loaded(drawn, saver)
    if isinstance(image, bytes):
        # Pillow reads four colours the way Adobe's programs write them, and a PDF says so where they are.
        return saver.jpeg(image, page, turn=angle, negative=not _inverted(drawn))
    return saver.png(_decoded(image), page, turn=angle)


def decoded(drawn: Drawn, saver: Saver) -> Image.Image:
    """One picture of a page, not saved. Raises as `picture` does."""
    image = _loaded(drawn, saver)
    return saver.open(io.BytesIO(image), "JPEG") if isinstance(image, bytes) else _decoded(image)


def _only(held: Object, keys: Sequence[str]) -> dict[str, Object]:
    return {key: held[key] for key in keys if key in held}


def _drawn(holder: Object, resources: Object, found: Contents, seen: set[tuple[int, int]]) -> Contents:
    """Adds to `found` what a page or a form draws; `seen`: the forms and pictures that were met already."""
    for step in pikepdf.parse_content_stream(holder, OPERATORS):
        operator = str(step.operator)
        if isinstance(step, pikepdf.ContentStreamInlineImage):
            found.images.append(step.iimage)
        elif operator in TEXT:
            found = found._replace(text=True)
        elif operator in VECTORS:
            found = found._replace(drawn=True)
        elif operator == "Do":
            named = resources.XObject[str(step.operands[0])]
            if named.objgen in seen:
                continue
            seen.add(named.objgen)
            if named.Subtype == Name.Image:
                found.images.append(cast(Stream, named))
            elif named.Subtype == Name.Form:
                found = _drawn(named, named.get("/Resources", resources), found, seen)
    return found


def _loaded(drawn: Drawn, saver: Saver) -> PdfImage | PdfInlineImage | bytes:
    """A picture; the bytes of one that is a JPEG stream, whose size nobody has checked yet."""
    if isinstance(drawn, Stream) and drawn.get("/Filter") in (JPEG_FILTER, [JPEG_FILTER]):
        return drawn.read_raw_bytes()
    # Before a picture is touched: one of JPEG 2000 is decoded by looking at it.
    saver.check(*size(drawn))
    try:
        image = PdfImage(drawn) if isinstance(drawn, Stream) else drawn
    except FOREIGN as error:
        raise Unsupported(reason(error)) from error
    if image.filters[-1:] != [str(JPEG_FILTER)]:
        return image
    held = io.BytesIO()
    return held.getvalue() if image.extract_to(stream=held) == ".jpg" else image


def _decoded(image: PdfImage | PdfInlineImage) -> Image.Image:
    try:
        return image.as_pil_image(apply_mask=False)
    except FOREIGN as error:
        raise Unsupported(reason(error)) from error


def _inverted(drawn: Drawn) -> bool:
    return isinstance(drawn, Stream) and [int(level) for level in drawn.get("/Decode", ())][:2] == [1, 0]
