"""What a person typed into the search box, read as everything it may be. Pure."""

import re
from typing import NamedTuple

MOST = 100
OUTWARD = re.compile("[A-Z]{1,2}[0-9][A-Z0-9]?")
# Less of a name is found in too many.
NAME_LEAST = 3


class Typed(NamedTuple):
    """`text` as it is shown again. `words`: the numbers it may be, as typed and as people and systems write them, since
    an index knows a word by its very letters; [] when nothing was typed. `postcode`: without spaces, in capitals;
    `outward`: the same if it can be the first half of one, else "". `name`: the part of a customer's name it may be, in
    small letters, else ""."""

    text: str
    words: list[str]
    postcode: str
    outward: str
    name: str


def read(text: str) -> Typed:
    """What may be meant: spaces at the ends and double ones and control characters make no difference, nor do capitals
    where words are written in capitals, in small letters, or with a capital first."""
    kept = "".join(sign if sign.isprintable() else " " for sign in text).encode(errors="replace").decode()
    shown = " ".join(kept.split())[:MOST].rstrip()
    capitals = shown.upper()
    compact = capitals.replace(" ", "")
    spellings = (shown, capitals, compact, shown.lower(), compact.lower(), shown.title(), shown.capitalize())
    words = list(dict.fromkeys(word for word in spellings if word))
    outward = compact if OUTWARD.fullmatch(compact) else ""
    is_name = len(shown) >= NAME_LEAST and any(sign.isalpha() for sign in shown)
    return Typed(shown, words, compact, outward, shown.lower() if is_name else "")
