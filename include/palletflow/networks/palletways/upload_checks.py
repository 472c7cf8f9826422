"""Which files are uploaded, and in what form; others are refused before anything is begun [PW-6-6, PW-6-7]."""

import io
from typing import NamedTuple

from PIL import Image

from palletflow.documents import media, photo_answer, photos
from palletflow.documents.fingerprints import Fingerprint
from palletflow.documents.photos import Limits
from palletflow.networks.palletways.upload_names import ENDINGS
from palletflow.networks.palletways.upload_settings import JPEG, UploadSettings

UNSUPPORTED_FORMAT, UNREADABLE_FILE, ENCRYPTED_PDF, TOO_LARGE = (
    "UNSUPPORTED_FORMAT", "UNREADABLE_FILE", "ENCRYPTED_PDF", "TOO_LARGE",
)  # fmt: skip
ACCEPTED = "accepted are PDF, JPEG, PNG and TIFF"
QUALITY = 90
# Where a file's first bytes are those of something else: offset, bytes, what it is.
OTHERS: tuple[tuple[int, bytes, str], ...] = (
    (4, b"ftypheic", "HEIC"),
    (4, b"ftypheix", "HEIC"),
    (4, b"ftypmif1", "HEIC"),
    (4, b"ftypavif", "AVIF"),
    (8, b"WEBP", "WebP"),
    (0, b"GIF8", "GIF"),
    (0, b"BM", "BMP"),
    (0, b"PK\x03\x04", "ZIP"),
    (0, b"^XA", "ZPL"),
)
MIB = 1024 * 1024


class Refusal(NamedTuple):
    """Why a file is not uploaded: a code of the contract and a sentence."""

    code: str
    reason: str


class Sendable(NamedTuple):
    """The bytes to send, their type, and what is kept of their pictures to know them again."""

    data: bytes
    media_type: str
    prints: list[Fingerprint]


def checked(data: bytes, settings: UploadSettings) -> Sendable | Refusal:
    """Reads a file and says what to send of it, or why nothing. Raises ReaderBroken, OSError."""
    media_type = media.sniff(data)
    if media_type not in ENDINGS:
        return Refusal(UNSUPPORTED_FORMAT, f"it is {_detected(data)}; {ACCEPTED}")
    if len(data) > settings.upload_max_mib * MIB:
        return Refusal(TOO_LARGE, f"it has {len(data) / MIB:.1f} MiB, at most {settings.upload_max_mib:g} are taken")
    limits = Limits(max_mib=settings.upload_max_mib, min_photo_px=1, label_words=())
    found = photos.split(data, limits)
    faults = {fault.reason: fault.detail for fault in found.faults}
    if photo_answer.ENCRYPTED in faults:
        return Refusal(ENCRYPTED_PDF, f"the PDF is encrypted ({faults[photo_answer.ENCRYPTED]}); add it without")
    if photo_answer.TOO_LARGE in faults:
        return Refusal(TOO_LARGE, faults[photo_answer.TOO_LARGE])
    # Of a PDF without a picture all pages may be good; of a picture nothing is left.
    if not found.photos and (media_type != media.PDF or not found.pages):
        said = faults.get(photo_answer.MALFORMED) or "there is nothing in it"
        return Refusal(UNREADABLE_FILE, f"the {_called(media_type)} cannot be read: {said}")
    only = found.photos[0].data if found.pages == len(found.photos) == 1 and not faults else None
    if settings.upload_as == JPEG and only and media_type != media.JPEG:
        try:
            data, media_type = _as_jpeg(only), media.JPEG
        except (OSError, ValueError, Image.DecompressionBombError) as error:
            return Refusal(UNREADABLE_FILE, f"the {_called(media_type)} cannot be made a JPEG: {error}")
    # Of a PDF the reader may have left out what is no photo to it.
    prints = photos.prints(data, limits) if media_type == media.PDF else [one.fingerprint for one in found.photos]
    return Sendable(data, media_type, prints)


def _as_jpeg(data: bytes) -> bytes:
    """A picture that the reader has read already, as JPEG. Several pages or frames stay as they are."""
    if media.sniff(data) == media.JPEG:
        return data
    with Image.open(io.BytesIO(data), formats=["PNG"]) as picture:
        out = io.BytesIO()
        picture.convert("RGB").save(out, "JPEG", quality=QUALITY)
    return out.getvalue()


def _detected(data: bytes) -> str:
    if not data:
        return "empty"
    return next((f"a {name}" for at, sign, name in OTHERS if data[at : at + len(sign)] == sign), "of no known type")


def _called(media_type: str) -> str:
    return ENDINGS[media_type].upper()
