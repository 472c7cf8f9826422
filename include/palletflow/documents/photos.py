"""Takes the photos out of a file of anyone, a PDF, a JPEG, a PNG or a TIFF, and the words out of a PDF.

Rules: docs/contracts/palletways.md, section 5, "Splitting", "Same photo or new" and "Never stored as a photo". Files
are opened in a child process with limits of memory and time (photo_child.py), which may die of them as it will.
"""

import itertools
import json
from collections.abc import Collection, Sequence
from typing import NamedTuple

from palletflow.documents import media, photo_answer
from palletflow.documents.child_frames import NotUnderstood
from palletflow.documents.child_process import Child, ReaderBroken
from palletflow.documents.fingerprints import Fingerprint
from palletflow.documents.photo_answer import (
    MALFORMED,
    TOO_LARGE,
    UNSUPPORTED,
    Answer,
    Fault,
    Limits,
    Picture,
    Wanted,
    kind,
)

__all__ = ["Fault", "Limits", "Picture", "ReaderBroken", "Split", "Texts", "prints", "split", "texts"]

MODULE = "palletflow.documents.photo_child"
# Whatever `max_decode_s` says, a worker waits no longer for one file.
MOST_SECONDS = 28.0
# Photos that are not stored byte for byte grow when they become PNG; nothing sound grows by more.
MOST_GROWTH = 4
# So many digests of pictures that are held already are told to a child; no consignment has as many photos.
MOST_KNOWN = 4096


class Split(NamedTuple):
    """The photos of a file in order, what stood in the way, and how many pages or frames it has (0: not known).

    `known`: SHA-256 of those that were said to be held already, in order; they are not among `photos`.
    """

    photos: list[Picture]
    faults: list[Fault]
    pages: int
    known: list[bytes]


class Texts(NamedTuple):
    """The words of each page of a PDF, "" where they cannot be read, and what stood in the way."""

    pages: list[str]
    faults: list[Fault]


def split(data: bytes, limits: Limits, known: Collection[bytes] = ()) -> Split:
    """The photos of a file: JPEG streams byte for byte, others as PNG, a page of many strips as a PDF of its own.

    `known`: SHA-256 of bytes that are held already. A JPEG or PNG that would be stored with such bytes is not decoded,
    so nobody notices that it is damaged or large; of more than MOST_KNOWN the others are decoded like new ones.
    Never raises for what is in the file; what was read before a limit was met stands. Two pictures in one file are
    two photos, however alike. Raises ReaderBroken, OSError.
    """
    answer = _read(data, limits, Wanted.PHOTOS, list(itertools.islice(known, MOST_KNOWN)))
    return Split(answer.pictures, answer.faults, answer.pages, answer.known)


def prints(data: bytes, limits: Limits) -> list[Fingerprint]:
    """The fingerprints of every page image and frame of a file, labels and the like included.

    Of a file that cannot be read, or not to its end, what there is. Raises ReaderBroken, OSError.
    """
    answer = _read(data, limits, Wanted.PRINTS)
    return [picture.fingerprint for picture in answer.pictures]


def texts(data: bytes, limits: Limits) -> Texts:
    """The words of a PDF's pages, in the order in which they are drawn.

    Never raises for what is in the file; pages that were read before a limit was met stand. Raises ReaderBroken,
    OSError.
    """
    if kind(data) != media.PDF:
        return Texts([], [Fault(UNSUPPORTED, "the file is no PDF")])
    answer = _read(data, limits, Wanted.TEXTS)
    return Texts(answer.texts, answer.faults)


def _read(data: bytes, limits: Limits, wanted: Wanted, known: Sequence[bytes] = ()) -> Answer:
    """What a child finds in the bytes, or why none was asked or it did not come to an end."""
    if len(data) > limits.max_mib * 1024 * 1024:
        return _only(Fault(TOO_LARGE, f"the file has {len(data):,} bytes, more than {limits.max_mib:g} MiB"))
    if kind(data) is None:
        return _only(Fault(UNSUPPORTED, "the file is no PDF, JPEG, PNG or TIFF"))
    asked = (wanted.value, json.dumps(limits._asdict()))
    child = Child(MODULE, asked, data, min(limits.max_decode_s, MOST_SECONDS), b"".join(known))
    try:
        stopped = child.listen(int(MOST_GROWTH * limits.max_mib * 1024 * 1024))
    finally:
        code = child.end()
    try:
        answer = photo_answer.read(child.answer, known)
    except NotUnderstood as error:
        return _only(Fault(MALFORMED, f"the answer of the process that reads photos is none: {error}"))
    if answer.ended:
        return answer
    if not (answer.began or stopped):
        raise ReaderBroken(f"the process that reads photos ended with {code} before it began; start it by hand")
    if stopped:
        why = Fault(TOO_LARGE, stopped)
    else:
        why = Fault(MALFORMED, f"the process that reads photos ended with {code} in the middle of the file")
    return answer._replace(faults=[*answer.faults, why])


def _only(fault: Fault) -> Answer:
    return Answer([], [], [], [fault], 0, began=True, ended=True)
