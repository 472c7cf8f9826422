"""Takes the photos out of a file of anyone: a PDF, a JPEG, a PNG or a TIFF, read in a child process with limits."""

from typing import NamedTuple

from palletflow.documents.fingerprints import Fingerprint


class Limits(NamedTuple):
    """How much of a file is read, and what counts as a photo.

    `label_words`: a page with three of them, one of those among the last three, is a label; n stands for digits.
    """

    max_mib: float = 25
    max_pages: int = 60
    max_image_mpx: float = 50
    max_decode_s: float = 60
    min_photo_px: int = 200
    label_words: tuple[str, ...] = ("FROM", "REF", "TRACKING", "BOOK IN", "TAIL-LIFT", "n OF nnn")


class Photo(NamedTuple):
    """One photo as it is to be stored; `page` counts pages, or frames of a TIFF, from 1."""

    data: bytes
    media_type: str
    fingerprint: Fingerprint
    page: int


class Fault(NamedTuple):
    """Why something was not taken for a photo.

    `reason`: error_page, label_like, malformed, encrypted, too_large, unsupported or not_a_photo.
    """

    reason: str
    detail: str


class Split(NamedTuple):
    """The photos of a file in order, what stood in the way, and how many pages or frames it has."""

    photos: list[Photo]
    faults: list[Fault]
    pages: int


def split(data: bytes, limits: Limits) -> Split:
    """The photos of a file. Never raises for what is in it; photos read before a limit was met stand."""
    raise NotImplementedError


def prints(data: bytes, limits: Limits) -> list[Fingerprint]:
    """The fingerprints of every page image and frame of a file, for what is uploaded."""
    raise NotImplementedError
