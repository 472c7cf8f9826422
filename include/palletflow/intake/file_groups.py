"""Brings together the rows of a file that belong together, wherever they stand in it, in bounded memory."""

import pickle
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from typing import IO, Any

from palletflow.intake.files import FileRow

# Of a part's rows all are in memory at once.
PART_BYTES = 4 << 20
MOST_PARTS = 200


def grouped(
    chunks: Iterable[list[FileRow]], key: Callable[[FileRow], str], most: int, size: int
) -> Iterator[tuple[list[FileRow], bool]]:
    """Groups of rows with the same key, each group's rows in the file's order; a row whose key is "" stands alone.

    No group has more than `most` rows: what is more follows row by row, with True for surplus. `size` is the file's, in
    bytes: a large one is sorted into temporary files first.
    """
    count = min(max(1, size // PART_BYTES), MOST_PARTS)
    with ExitStack() as opened:
        parts: list[IO[bytes]] = []
        for _ in range(count):
            parts.append(opened.enter_context(tempfile.TemporaryFile()))
        for chunk in chunks:
            sorted_out: list[list[tuple[str, FileRow]]] = [[] for _ in parts]
            for row in chunk:
                name = key(row)
                if name:
                    sorted_out[hash(name) % count].append((name, row))
                else:
                    yield [row], False
            for part, rows in zip(parts, sorted_out, strict=True):
                if rows:
                    # As plain tuples: the class of every row would be looked up anew.
                    pickle.dump([(name, tuple(row)) for name, row in rows], part, pickle.HIGHEST_PROTOCOL)
        for part in parts:
            part.seek(0)
            yield from _groups(part, most)
            part.close()


def _groups(part: IO[bytes], most: int) -> Iterator[tuple[list[FileRow], bool]]:
    groups: dict[str, list[FileRow]] = {}
    for name, fields in _pickled(part):
        row = FileRow(*fields)
        rows = groups.setdefault(name, [])
        if len(rows) < most:
            rows.append(row)
        else:
            yield [row], True
    for rows in groups.values():
        rows.sort(key=lambda row: row.number)
        yield rows, False


def _pickled(part: IO[bytes]) -> Iterator[tuple[str, tuple[Any, ...]]]:
    while True:
        try:
            yield from pickle.load(part)  # noqa: S301 - our own temporary file, which has no name
        except EOFError:
            return
