"""Whether a PDF that came as a label is one: an error may arrive as a PDF too (contract 2.9). Pure."""

import io
import re
from collections.abc import Collection

from pypdf import PdfReader
from pypdf.errors import PyPdfError


def why_no_label(pdf: bytes, numbers: Collection[str], error_words: Collection[str]) -> str:
    """Why it is no label of a consignment, "" when it is one [PW-2.9-5].

    `numbers`: its tracking ID and consignment number, empty ones among them; one of them must stand in the text.
    """
    try:
        text = "\n".join(page.extract_text() for page in PdfReader(io.BytesIO(pdf)).pages)
    except (PyPdfError, ValueError, KeyError, RecursionError) as error:
        return f"it cannot be read ({error})"
    found = next((word for word in error_words if _stands_in(word.casefold(), text.casefold())), None)
    if found:
        return f"it says '{found}'"
    if not any(number and _stands_in(number, text) for number in numbers):
        return f"it names neither {' nor '.join(number for number in numbers if number)}"
    return ""


def _stands_in(words: str, text: str) -> bool:
    """Whether they stand there by themselves, and not within a longer word or number."""
    return re.search(rf"(?<![^\W_]){re.escape(words)}(?![^\W_])", text) is not None
