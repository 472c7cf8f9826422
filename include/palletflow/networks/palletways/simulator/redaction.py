"""Keeps API keys out of records and logs (section 1.1)."""

import re
from urllib.parse import quote, quote_plus

from .members import KEYS

_APIKEY = re.compile(r"(apikey=)[^&#]*", re.IGNORECASE)


def redacted(text: str, given: str = "") -> str:
    """``text`` without any key that is known or was ``given``, in raw and encoded form."""
    text = _APIKEY.sub(r"\1***", text)
    for key in (*KEYS, given):
        for form in {key, quote(key, safe=""), quote_plus(key), quote(key)}:
            if len(form) > 2:
                text = text.replace(form, "***")
    return text
