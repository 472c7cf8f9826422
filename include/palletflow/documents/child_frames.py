"""The frames in which a child process that opens files of strangers answers: a letter, a length, that many bytes.

Whoever reads them does not trust them: a hostile file may have taken the child over.
"""

import struct
from collections.abc import Iterator
from typing import BinaryIO

FRAME = struct.Struct(">cI")


class NotUnderstood(ValueError):
    """The child's answer is not one."""


def write(out: BinaryIO, kind: bytes, *parts: bytes) -> None:
    """Writes one frame at once. `kind`: its letter."""
    out.write(FRAME.pack(kind, sum(map(len, parts))))
    for part in parts:
        out.write(part)
    out.flush()


def read(answer: bytes | bytearray) -> Iterator[tuple[bytes, memoryview]]:
    """The letter and the bytes of each frame that is whole; an answer may stop anywhere."""
    view = memoryview(answer)
    while len(view) >= FRAME.size:
        kind, length = FRAME.unpack_from(view)
        body = view[FRAME.size : FRAME.size + length]
        if len(body) < length:
            return
        yield kind, body
        view = view[FRAME.size + length :]


def plain(detail: bytes, most_bytes: int) -> str:
    """A sentence of a child's on one line, without what a terminal carries out."""
    text = detail[:most_bytes].decode("utf-8", "replace")
    return " ".join("".join(sign if sign.isprintable() else " " for sign in text).split())
