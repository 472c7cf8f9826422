"""What kind of file some bytes are, and a name for them that is safe on every disk. Both never trust the sender."""

import re
import unicodedata

MOST_NAME_CHARACTERS = 100
PDF, JPEG, PNG, TIFF, GIF, ZPL = (
    "application/pdf", "image/jpeg", "image/png", "image/tiff", "image/gif", "application/zpl",
)  # fmt: skip
SIGNATURES: tuple[tuple[bytes, str], ...] = (
    (b"%PDF-", PDF),
    (b"\xff\xd8\xff", JPEG),
    (b"\x89PNG\r\n\x1a\n", PNG),
    (b"II*\x00", TIFF),
    (b"MM\x00*", TIFF),
    (b"GIF87a", GIF),
    (b"GIF89a", GIF),
    (b"^XA", ZPL),
)
# The endings a type may have, the one it gets first.
ENDINGS = {
    PDF: (".pdf",),
    JPEG: (".jpg", ".jpeg"),
    PNG: (".png",),
    TIFF: (".tif", ".tiff"),
    GIF: (".gif",),
    ZPL: (".zpl",),
}
# Windows opens a device by such a name, whatever its ending.
DEVICES = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\.|$)", re.IGNORECASE)
UNSAFE = re.compile(r'[<>:"|?*]')


def sniff(data: bytes) -> str | None:
    """The media type the bytes begin as; None when they are none of ours."""
    return next((media_type for signature, media_type in SIGNATURES if data.startswith(signature)), None)


def safe_name(name: str, media_type: str) -> str:
    """A file name without folders, control characters and signs that a disk or a shell takes for something else.

    Its ending is one of the sniffed type's, so that a double click opens what the bytes are. At most 100 characters.
    """
    base = re.split(r"[/\\]", unicodedata.normalize("NFC", name))[-1]
    # Category C: controls, halves of surrogate pairs, and marks that turn the reading direction around.
    base = "".join(sign for sign in base if unicodedata.category(sign)[0] != "C")
    base = " ".join(UNSAFE.sub("_", base).split()).lstrip("-").strip(". ")
    endings = ENDINGS[media_type]
    stem, dot, ending = base.rpartition(".")
    if not dot or f".{ending}".lower() not in endings:
        stem, ending = base, endings[0][1:]
    if not stem or DEVICES.match(stem):
        stem = f"document {stem}".strip()
    return f"{stem[: MOST_NAME_CHARACTERS - len(ending) - 1].rstrip('. ')}.{ending}"
