"""Prints labels of many consignments at once: one PDF, a page of 148 x 105 mm each, in the order given.

Labels that networks drew are files of strangers, so all are opened and joined in a child process with limits of memory
and time (print_child.py). What cannot be printed, and what the child dies of, is left out and named on a page in its
place; then the job is begun anew with that page.
"""

import io
import time
from collections.abc import Sequence
from typing import NamedTuple

from reportlab.lib.units import mm  # type: ignore[import-untyped]
from reportlab.pdfgen.canvas import Canvas  # type: ignore[import-untyped]

from palletflow.documents import print_answer
from palletflow.documents.child_process import Child, ReaderBroken
from palletflow.documents.label_layout import HEIGHT, MARGIN, WIDTH
from palletflow.documents.label_text import BOLD, REGULAR, Paragraph, fit_block
from palletflow.documents.print_answer import Answer
from palletflow.documents.storage import DocumentLost, Storage
from palletflow.store.documents import StoredDocument

MODULE = "palletflow.documents.print_child"
# Of one job: what some tens of orders have, with what is begun anew. A label takes some milliseconds.
SECONDS = 60.0
MOST_BYTES = 100_000_000
# The objects of two thousand labels take 400 MB.
MOST_MEMORY = 512 * 1024 * 1024
# As much as print_child lets each grow, and what joins them.
MOST_GROWTH, MOST_ADDED = 2, 70_000
DIED = "the process that opens it breaks, or takes more time or memory than a label needs"
NOTHING = Answer(began=False, ended=False, at=0, faults={}, pdf=b"")


class Printed(NamedTuple):
    """The PDF, and a sentence for each document that could not be printed; a page in its place says the same."""

    pdf: bytes
    broken: list[str]


class NotPrinted(Exception):
    """A whole job came to nothing. `broken`: a sentence for each document that is known to be one reason."""

    def __init__(self, message: str, broken: Sequence[str] = ()) -> None:
        super().__init__(message)
        self.broken = list(broken)


def print_batch(storage: Storage, documents: Sequence[StoredDocument]) -> Printed:
    """Joins documents: PDFs page by page as they are, a network's JPEG over a whole page.

    A document that is lost or broken takes the page that says so, and the others are printed. Raises
    StorageUnavailable, NotPrinted for a job that is too large or has too much in it that harms, ReaderBroken, OSError,
    and ValueError when there is nothing to print.
    """
    if not documents:
        raise ValueError("there is nothing to print")
    size = sum(document.size for document in documents)
    if size > MOST_BYTES:
        raise NotPrinted(f"These labels have {size:,} bytes, one job has at most {MOST_BYTES:,}: print fewer at once")
    until = time.monotonic() + SECONDS
    files: list[bytes] = []
    broken: dict[int, str] = {}

    def leave_out(place: int, why: str) -> None:
        document = documents[place]
        broken[place] = f"Document {document.id} ({document.name}) cannot be printed: {why}"
        files[place : place + 1] = [_notice(broken[place])]

    for place, document in enumerate(documents):
        try:
            files.append(storage.read(document.sha256))
        except DocumentLost as error:
            leave_out(place, str(error))
    while True:
        answer = _asked(files, until - time.monotonic())
        if not answer.faults.keys() - broken.keys():
            break
        for place, why in answer.faults.items():
            if place not in broken:
                leave_out(place, why)
    sentences = [broken[place] for place in sorted(broken)]
    if not answer.pdf:
        raise NotPrinted("These labels cannot be printed together: print them in smaller parts", sentences)
    return Printed(answer.pdf, sentences)


def _asked(files: Sequence[bytes], seconds: float) -> Answer:
    """What a child makes of the files; the one that it did not come to the end of has a fault as well.

    Without new faults and a PDF it came to no end in the time that is left. Raises ReaderBroken, OSError.
    """
    if seconds <= 0:
        return NOTHING
    sizes = ",".join(str(len(file)) for file in files)
    child = Child(MODULE, (sizes,), b"".join(files), seconds, memory=MOST_MEMORY)
    try:
        stopped = child.listen(MOST_GROWTH * sum(map(len, files)) + MOST_ADDED * len(files))
    finally:
        code = child.end()
    answer = print_answer.read(child.answer, len(files))
    if not (answer.began or stopped):
        raise ReaderBroken(f"the process that joins labels ended with {code} before it began; start it by hand")
    if not answer.ended and answer.at < len(files):
        return answer._replace(faults={**answer.faults, answer.at: DIED})
    return answer


def _notice(sentence: str) -> bytes:
    held = io.BytesIO()
    canvas = Canvas(held, pagesize=(WIDTH * mm, HEIGHT * mm), invariant=1)
    parts = [Paragraph("THIS LABEL IS MISSING", True, 1.4), Paragraph(sentence)]
    for line in fit_block(parts, WIDTH - 2 * MARGIN, HEIGHT - 2 * MARGIN, 9, 3):
        canvas.setFont(BOLD if line.bold else REGULAR, line.size * mm)
        canvas.drawString(MARGIN * mm, (HEIGHT - MARGIN - line.baseline) * mm, line.text)
    canvas.showPage()
    canvas.save()
    return held.getvalue()
