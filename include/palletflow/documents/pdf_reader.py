"""Reads a PDF of a stranger and tells what is a photo in it. Runs in the child process of photo_child.py only.

Rules: docs/contracts/palletways.md, section 5, "Splitting" and "Never stored as a photo".
"""

import re
from typing import BinaryIO

from pikepdf import Page, Pdf

from palletflow.documents import pdf_pages
from palletflow.documents.photo_answer import ERROR_PAGE, LABEL_LIKE, MALFORMED, NOT_A_PHOTO, Wanted
from palletflow.documents.photo_reader import Reader
from palletflow.documents.pictures import TooLarge, reason

MOST_PHOTOS_A_PAGE = 8
LABEL_WORDS = 3
# A label has one of so many last words; the others stand on many papers.
TELLING_WORDS = 3
ERROR_TEXTS = ("error", "not found", "not authorised")


class PdfReader(Reader):
    """Reads one PDF, telling the writer of each photo, page of words and fault as soon as it is known."""

    def _read(self, file: BinaryIO) -> None:
        try:
            opened = pdf_pages.opened(file)
        except pdf_pages.Unreadable as error:
            self._writer.fault(error.fault)
            return
        with opened as pdf:
            if any(pdf_pages.DAMAGED in warning for warning in pdf_pages.warnings(pdf)):
                self._fault(MALFORMED, "the PDF is damaged or cut off; what can be read of it is")
            count = 0
            with self._reporting("the list of pages"):
                count = len(pdf.pages)
                self._writer.pages(count)
            if not count:
                self._fault(MALFORMED, "no page of the PDF can be found")
            if count > self._limits.max_pages:
                raise TooLarge(f"the PDF has {count:,} pages, more than {self._limits.max_pages}")
            for index in range(count):
                with self._reporting(f"page {index + 1}"):
                    self._page(pdf, pdf.pages[index], index + 1)

    def _page(self, pdf: Pdf, page: Page, number: int) -> None:
        if self._wanted == Wanted.TEXTS:
            self._writer.text(pdf_pages.text(pdf, page))
            return
        found = self._contents(pdf, page, number)
        words = pdf_pages.text(pdf, page) if found.text and self._wanted == Wanted.PHOTOS else ""
        if words and label_like(words, self._limits.label_words):
            self._fault(LABEL_LIKE, f"page {number} reads like a pallet label")
            return
        sides = [self._smaller_side(image, number) for image in found.images]
        images = [image for image, side in zip(found.images, sides, strict=True) if side >= self._limits.min_photo_px]
        if len(images) > MOST_PHOTOS_A_PAGE:
            parts = (pdf_pages.decoded(image, self._saver) for image in images)
            self._writer.picture(self._saver.pile(pdf_pages.alone(pdf, page), number, parts))
            return
        angle = pdf_pages.turn(page)
        for image in images:
            with self._reporting(f"a picture of page {number}"):
                self._writer.picture(pdf_pages.picture(image, self._saver, number, angle))
        if not images:
            self._without_photo(found, words, any(sides), number)

    def _contents(self, pdf: Pdf, page: Page, number: int) -> pdf_pages.Contents:
        """What is drawn on a page; where that cannot be read, the pictures it has."""
        try:
            found = pdf_pages.contents(page)
        except Exception as error:
            pdf_pages.warnings(pdf)  # of which one may say that it was for want of memory
            self._fault(MALFORMED, f"page {number}: what it draws cannot be read ({reason(error)})")
            return pdf_pages.Contents(pdf_pages.held_images(page), text=False, drawn=False)
        for warning in pdf_pages.warnings(pdf)[:1]:
            self._fault(MALFORMED, f"page {number}: {warning}")
        return found

    def _smaller_side(self, drawn: pdf_pages.Drawn, number: int) -> int:
        """Of a picture, in pixels; 0 where that cannot be read, which is told of."""
        side = 0
        with self._reporting(f"a picture of page {number}"):
            side = min(pdf_pages.size(drawn))
        return side  # noqa: RET504 - 0 where that failed

    def _without_photo(self, found: pdf_pages.Contents, words: str, small: bool, number: int) -> None:
        """Tells what stands on a page instead of a photo; `small`: among it pictures of too few pixels."""
        if error_text(words):
            self._fault(ERROR_PAGE, f"page {number} is an error message: {words[:200]}")
        elif found.text or found.drawn:
            self._fault(NOT_A_PHOTO, f"page {number} has text or drawings, and no photo")
        elif small:
            smallest = self._limits.min_photo_px
            self._fault(NOT_A_PHOTO, f"page {number} has no picture of at least {smallest} x {smallest} pixels")


def label_like(words: str, label_words: tuple[str, ...]) -> bool:
    """Whether so many of the words stand in a text that it is a pallet label's, one of them among the telling last."""
    found = [bool(_pattern(word).search(words)) for word in label_words]
    return sum(found) >= LABEL_WORDS and any(found[-TELLING_WORDS:])


def error_text(words: str) -> bool:
    """Whether a text says that something went wrong."""
    return any(_pattern(text).search(words) for text in ERROR_TEXTS)


def _pattern(word: str) -> re.Pattern[str]:
    """Finds a word or several in any case, however they are set apart; a part of nothing but "n" is a number."""
    parts = [r"\d+" if set(part) == {"n"} else re.escape(part) for part in re.split(r"[\s-]+", word)]
    return re.compile(r"(?<!\w)" + r"[\s-]*".join(parts) + r"(?!\w)", re.IGNORECASE)
