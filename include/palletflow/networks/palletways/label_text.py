"""Whether a PDF that came as a label is one: an error may arrive as a PDF too (contract 2.9)."""

import re
from collections.abc import Collection

from palletflow.documents import photos
from palletflow.documents.photos import Limits

# As many pages as a consignment may have pallets, and some more.
LIMITS = Limits(max_pages=120)
# An error says so at the head of a page; further down such words may be of the goods or of their receiver.
HEAD_LINES = 3


def why_no_label(pdf: bytes, numbers: Collection[str], error_words: Collection[str]) -> str:
    """Why it is no label of a consignment, "" when it is one [PW-2.9-5].

    `numbers`: its tracking ID and consignment number, empty ones among them; one of them must stand in the text. The
    PDF is opened in a process of its own. Raises ReaderBroken, OSError.
    """
    read = photos.texts(pdf, LIMITS)
    for page in read.pages:
        head = " ".join(_lines(page)[:HEAD_LINES]).casefold()
        found = next((word for word in error_words if _stands_in(word.casefold(), head)), None)
        if found:
            return f"it says '{found}'"
    if any(number and _stands_in(number, page) for number in numbers for page in read.pages):
        return ""
    if read.faults:
        return f"it cannot be read ({read.faults[0].detail})"
    return f"it names neither {' nor '.join(number for number in numbers if number)}"


def _lines(page: str) -> list[str]:
    return [line for line in page.splitlines() if line.strip()]


def _stands_in(words: str, text: str) -> bool:
    """Whether they stand there by themselves, and not within a longer word or number."""
    return re.search(rf"(?<![^\W_]){re.escape(words)}(?![^\W_])", text) is not None
