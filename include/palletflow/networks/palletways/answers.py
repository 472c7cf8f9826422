"""What an answer is, told by its content and not by its Content-Type (contract 1.3). Pure functions."""

import html
import re
from enum import Enum
from typing import NamedTuple

from palletflow.networks.palletways import parsing
from palletflow.networks.palletways.tree import Tree, nodes, text

# A PDF begins somewhere within these.
PDF_WITHIN = 1024
PDF = b"%PDF-"
IMAGES = (b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"II*\x00", b"MM\x00*")
ZIP = (b"PK\x03\x04", b"PK\x05\x06")
# No text has these: a file of another kind.
NO_TEXT = re.compile(rb"[\x00-\x08\x0e-\x1a\x1c-\x1f]")
SEARCHED = 65_536
TAG = re.compile(r"<[^<>]*>")
OK, NO_RESULTS, NOT_VALID = "OK", "NO_RESULTS_FOUND", "ERROR_VALIDATION"
ROOT, STATUS, OLD_STATUS = "Response", "Status", "status"


class Sentence(Enum):
    """A sentence in place of an answer, and what it means."""

    NOT_AVAILABLE = "the requested api is not available"
    NO_KEY = "api key not specified"
    NOT_AUTHORISED = "the api key provided is not authorised to use the requested api"
    NO_POD = "error: pod not found for this id"


class File(NamedTuple):
    """A PDF, an image, or a file that is neither; as it came."""

    data: bytes
    is_pdf: bool


class Envelope(NamedTuple):
    """An answer with a Status. `code` is upper case; `repaired`: its bytes were no UTF-8 and read as cp1252."""

    code: str
    description: str
    tree: Tree
    repaired: bool = False

    @property
    def is_empty(self) -> bool:
        """Whether it says that there is nothing, which is no error for a read call [PW-1.3-9]."""
        return self.code == NO_RESULTS


class Unreadable(Exception):
    """None of these. `said`: its text, which may hold anything; to be masked before it is shown."""

    def __init__(self, said: str) -> None:
        super().__init__(said)
        self.said = said


def read(body: bytes) -> File | Envelope | Sentence:
    """The answer that a body is, by the tests of contract 1.3 in their order. Raises Unreadable."""
    if body.find(PDF, 0, PDF_WITHIN) >= 0:
        return File(body, is_pdf=True)
    if body.startswith((*IMAGES, *ZIP)) or NO_TEXT.search(body, 0, PDF_WITHIN):
        return File(body, is_pdf=False)
    content, repaired = parsing.decoded(body)
    fault = "" if content.strip() else "nothing"
    try:
        tree = _tree(content.lstrip())
    except parsing.Unreadable as error:
        tree, fault = None, str(error)
    if tree is not None:
        envelope = _envelope(tree, repaired)
        if envelope:
            return envelope
    said = _plain_text(content)
    for sentence in Sentence:
        if sentence.value in said.casefold():
            return sentence
    raise Unreadable(": ".join(filter(None, (fault, said))))


def is_text(body: bytes) -> bool:
    """Whether the beginning of a body that was too large to read is that of no file."""
    return not (body.find(PDF, 0, PDF_WITHIN) >= 0 or body.startswith((*IMAGES, *ZIP)))


def plain(body: bytes) -> str:
    """The text of a body without its tags, on one line; it may hold anything."""
    return _plain_text(parsing.decoded(body[: 4 * SEARCHED])[0])


def _tree(content: str) -> Tree | None:
    """What stands in the Response, or without one in the answer itself [PW-1.2-11]; None for what is no answer."""
    if content.startswith("<"):
        name, node = parsing.from_xml(content)
        if name != ROOT and not (isinstance(node, dict) and STATUS in node):
            return None
        return node if isinstance(node, dict) else {}
    if not content.startswith(("{", "[")):
        return None
    found = nodes(parsing.from_json(content))
    wrapped = nodes(found, ROOT) if found and STATUS not in found[0] else []
    [tree] = (wrapped or found)[:1] or [None]
    return tree if isinstance(tree, dict) else None


def _envelope(tree: Tree, repaired: bool) -> Envelope | None:
    code = (text(tree, STATUS, "Code") or text(tree, STATUS)).upper()
    if code:
        return Envelope(code, text(tree, STATUS, "Description"), tree, repaired)
    if text(tree, OLD_STATUS):
        # The form of 2017, which has no envelope: what it says is the data [PW-2.4-3].
        return Envelope(OK, "", {"Detail": {"Data": tree}}, repaired)
    return None


def _plain_text(content: str) -> str:
    """A text without its tags, on one line."""
    return " ".join(html.unescape(TAG.sub(" ", content[:SEARCHED])).split())
