"""Previews of documents: one page as a small PNG, whatever the file of a stranger does.

Files are opened in a child process with limits of memory and time (preview_child.py), which may die of them as it will.
What it answers is checked: a PNG, no larger than asked for.
"""

import struct
from typing import NamedTuple

from palletflow.documents import child_frames, media, preview_child
from palletflow.documents.child_frames import NotUnderstood
from palletflow.documents.child_process import Child, ReaderBroken
from palletflow.documents.preview_child import COUNT, DAMAGED, FAULTS, TOO_LARGE, UNSUPPORTED

MODULE = preview_child.__name__
SECONDS = 8.0
# A picture that does not get smaller as a PNG has 3 bytes a pixel, and a little around them.
MOST_BYTES_A_PIXEL = 4
PREVIEWED = (media.PDF, media.JPEG, media.PNG, media.TIFF, media.GIF)
PNG_HEAD = struct.Struct(">8sI4sII")


class Drawn(NamedTuple):
    """A page as a PNG and how many pages the file has; or b"", 0 and the `fault`, one of preview_child.FAULTS."""

    png: bytes
    pages: int
    fault: str


def draw(data: bytes, media_type: str, side: int, page: int = 1) -> Drawn:
    """One page of a file, or one frame of a picture, as a PNG that fits into `side` x `side` pixels.

    Never raises for what is in the file. Raises ReaderBroken, OSError.
    """
    if media_type not in PREVIEWED:
        return Drawn(b"", 0, UNSUPPORTED)
    most = MOST_BYTES_A_PIXEL * side * side + 4096
    child = Child(MODULE, (str(side), str(page)), data, SECONDS)
    try:
        stopped = child.listen(most)
    finally:
        code = child.end()
    try:
        began, drawn = _understood(child.answer, side)
    except NotUnderstood:
        return Drawn(b"", 0, DAMAGED)
    if stopped:
        return Drawn(b"", 0, TOO_LARGE)
    if not began:
        raise ReaderBroken(f"the process that draws previews ended with {code} before it began; start it by hand")
    # It died of the file: of a broken library, or of the memory or the time that it may use.
    return drawn or Drawn(b"", 0, TOO_LARGE)


def _understood(answer: bytearray, side: int) -> tuple[bool, Drawn | None]:
    """Whether the child began, and what it drew. Raises NotUnderstood."""
    began, drawn = False, None
    for kind, body in child_frames.read(answer):
        match kind:
            case b"B":
                began = True
            case b"D":
                drawn = _page(bytes(body), side)
            case b"F" if len(body) == 1 and body[0] < len(FAULTS):
                drawn = Drawn(b"", 0, FAULTS[body[0]])
            case b"E":
                break
            case _:
                raise NotUnderstood(f"a frame of kind {kind!r}")
    return began, drawn


def _page(body: bytes, side: int) -> Drawn:
    png = body[COUNT.size :]
    try:
        [pages] = COUNT.unpack_from(body)
        _, _, head, width, height = PNG_HEAD.unpack_from(png)
    except struct.error as error:
        raise NotUnderstood("a page without a picture") from error
    if media.sniff(png) != media.PNG or head != b"IHDR" or not (1 <= width <= side and 1 <= height <= side and pages):
        raise NotUnderstood("a page that is no PNG of the size asked for")
    return Drawn(png, pages, "")
