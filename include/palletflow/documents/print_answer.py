"""The frames in which the child process that joins labels answers.

Whoever reads the answer does not trust it: a hostile file may have taken the child over.
"""

import struct
from typing import NamedTuple

from palletflow.documents import child_frames, media

BEGUN, NEXT, FAULT, PART, END = b"B", b"N", b"F", b"P", b"E"
PLACE = struct.Struct(">I")
MOST_REASON_BYTES = 300


class Answer(NamedTuple):
    """What the child told of its files, which are known by their places.

    `began` and `ended`: whether it did. `at`: the file it opened last, the number of files while it joins them.
    `faults`: why files cannot be printed. `pdf`: all of them joined, b"" where that did not come about.
    """

    began: bool
    ended: bool
    at: int
    faults: dict[int, str]
    pdf: bytes


def read(told: bytes | bytearray, count: int) -> Answer:
    """The answer about `count` files; what follows a frame that is none is not listened to."""
    began = ended = False
    at, faults, parts = 0, dict[int, str](), list[bytes]()
    for kind, body in child_frames.read(told):
        place = int.from_bytes(body[: PLACE.size])
        if kind == BEGUN:
            began = True
        elif kind == NEXT and place <= count:
            at = place
        elif kind == FAULT and place < count:
            faults[place] = child_frames.plain(bytes(body[PLACE.size :]), MOST_REASON_BYTES)
        elif kind == PART:
            parts.append(bytes(body))
        else:
            ended = kind == END
            break
    pdf = b"".join(parts)
    whole = ended and at == count and media.sniff(pdf) == media.PDF
    return Answer(began, ended, at, faults, pdf if whole else b"")
