"""Whether a PDF that came as a label is one: an error may arrive as a PDF too (contract 2.9). Pure."""

import io
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
    folded = text.casefold()
    found = next((word for word in error_words if word.casefold() in folded), None)
    if found:
        return f"it says '{found}'"
    if not any(number and number in text for number in numbers):
        return f"it names neither {' nor '.join(number for number in numbers if number)}"
    return ""
