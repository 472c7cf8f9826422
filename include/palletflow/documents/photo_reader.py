"""Reads a picture of a stranger, alone in its file, and tells of it. Runs in the child process of photo_child.py only.

Rules: docs/contracts/palletways.md, section 5, "Splitting". pdf_reader.py does the same for a PDF.
"""

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from typing import BinaryIO

from palletflow.documents import media, pictures
from palletflow.documents.photo_answer import MALFORMED, TOO_LARGE, UNSUPPORTED, Fault, Limits, Wanted, Writer, kind
from palletflow.documents.pictures import TooLarge, Unsupported, reason

FORMATS = {media.JPEG: "JPEG", media.PNG: "PNG", media.TIFF: "TIFF"}


class Reader:
    """Reads one file, telling the writer of each photo and fault as soon as it is known.

    `known`: SHA-256 of the bytes of pictures that need not be decoded.
    """

    def __init__(self, writer: Writer, wanted: Wanted, limits: Limits, known: Collection[bytes]) -> None:
        self._writer = writer
        self._wanted = wanted
        self._limits = limits
        self._saver = pictures.Saver(limits.max_image_mpx, known)

    def read(self, file: BinaryIO) -> None:
        """The whole file, or what of it comes before a limit is met."""
        self._writer.begin()
        try:
            self._read(file)
        except TooLarge as error:
            self._fault(TOO_LARGE, str(error))
        self._writer.end()

    def _read(self, file: BinaryIO) -> None:
        media_type = kind(file.read(1024))
        file.seek(0)
        if media_type not in FORMATS:
            self._fault(UNSUPPORTED, "the file is no PDF, JPEG, PNG or TIFF")
            return
        form = FORMATS[media_type]
        with self._reporting(f"the {form}"):
            if media_type == media.JPEG:
                self._writer.pages(1)
                self._writer.picture(self._saver.jpeg(file.read(), 1))
            else:
                self._frames(file, form)

    def _frames(self, file: BinaryIO, form: str) -> None:
        opened = self._saver.open(file, form)
        still = form == "PNG" and not getattr(opened, "is_animated", False)
        for number, image in enumerate(pictures.frames(opened, self._limits.max_pages + 1), 1):
            if number > self._limits.max_pages:
                raise TooLarge(f"the {form} has more than {self._limits.max_pages} frames")
            self._writer.pages(number)
            self._saver.check(*image.size)
            if still:
                file.seek(0)
                self._writer.picture(self._saver.png_file(file.read(), number))
            else:
                self._writer.picture(self._saver.png(image, number))

    @contextmanager
    def _reporting(self, what: str) -> Iterator[None]:
        """Makes a fault of what goes wrong with one part, so that the others are read. Raises TooLarge."""
        try:
            yield
        except (TooLarge, BrokenPipeError):
            raise
        except Unsupported as error:
            self._fault(UNSUPPORTED, f"{what}: {error}")
        except Exception as error:
            self._fault(MALFORMED, f"{what}: {reason(error)}")

    def _fault(self, reason: str, detail: str) -> None:
        self._writer.fault(Fault(reason, detail))
