"""Reads CSV files as people and spreadsheets write them, row by row as they stand in the file (contract 8.1).

A file that cannot be a table of ours is rejected whole, with the reason; a row that is no row of this table is handed
on with its fault and stops no other. Memory does not grow with the file, nor with a line of it. Every cell stays the
text it is: pandas splits only lines whose cells were counted before, and may guess nothing.
"""

import codecs
import csv
import hashlib
import io
import re
from collections import Counter, deque
from collections.abc import Iterator
from typing import BinaryIO, NamedTuple

from palletflow.intake.template import Fault

BLOCK = 1 << 20
LONGEST_LINE = 1 << 20
# A quoted cell may hold line breaks; a quote that is never closed would take the rest of the file with it.
MOST_LINES_OF_A_ROW = 200
MOST_COLUMNS = 500
# Of a file without headings so many lines say how many columns it has: a line of another length is bad.
LINES_COUNTED = 100
# Rows handed on at a time, fewer when they are long.
CHUNK, CHUNK_CHARACTERS = 2000, 4 << 20
# What a file begins with that is no text, and what a person calls it.
SIGNATURES = {
    b"PK\x03\x04": "a ZIP archive or an Excel workbook",
    b"\xd0\xcf\x11\xe0": "an Excel workbook of the old kind",
    b"\x1f\x8b": "a gzip archive",
    b"%PDF": "a PDF",
    b"\xff\xd8\xff": "a JPEG",
    b"\x89PNG": "a PNG",
    b"\xff\xfe": "UTF-16 text",
    b"\xfe\xff": "UTF-16 text",
}
IGNORED_IN_HEADINGS = re.compile(r"[\s_\-]")


class FileRejected(Exception):
    """Nothing of the file can be read; the text says why and what to do."""


class Limits(NamedTuple):
    """What a file may be: its delimiter, its most data rows and its most bytes.

    `headed`: its first line names its columns; otherwise they are "column 1", "column 2" and so on.
    """

    delimiter: str
    most_rows: int
    most_bytes: int
    headed: bool = True


def numbered(column: int) -> str:
    """What a column is called in a file without headings; the first is 1."""
    return f"column {column}"


class Identity(NamedTuple):
    """What a file is. `fault` says why it cannot be read at all.

    Of a file over the limit `sha256` is that of the part up to the limit.
    """

    sha256: bytes
    size: int
    encoding: str
    fault: str | None


class FileRow(NamedTuple):
    """A row under its physical number: the line it begins on, the file's first line being 1.

    `fault`: it is no row of this table; `text` is then the row as it stands in the file, else "".
    """

    number: int
    cells: tuple[str, ...]
    text: str
    fault: Fault | None


def identify(file: BinaryIO, limits: Limits) -> Identity:
    """Reads a file through once: its digest, its encoding, and whether it can be text at all."""
    digest, size, encoding, fault = hashlib.sha256(), 0, "utf-8-sig", None
    utf8 = codecs.getincrementaldecoder("utf-8")()
    file.seek(0)
    while block := file.read(min(BLOCK, limits.most_bytes + 1 - size)):
        fault = fault or (_no_text(block) if size == 0 else None)
        digest.update(block)
        size += len(block)
        if encoding != "cp1252":
            try:
                utf8.decode(block)
            except UnicodeDecodeError:
                encoding = "cp1252"
    if encoding != "cp1252":
        try:
            utf8.decode(b"", final=True)
        except UnicodeDecodeError:
            encoding = "cp1252"
    if size > limits.most_bytes:
        fault = f"is larger than {limits.most_bytes:,} bytes; split it"
    return Identity(digest.digest(), size, encoding, fault if size else "is empty (0 bytes)")


def _no_text(start: bytes) -> str | None:
    for signature, name in SIGNATURES.items():
        if start.startswith(signature):
            return f"is {name} and no CSV file; save it as CSV (UTF-8)"
    first_line = start[:LONGEST_LINE].partition(b"\n")[0]
    return "begins with NUL bytes and is no text file; save it as CSV (UTF-8)" if b"\0" in first_line else None


def normal(heading: str) -> str:
    """A heading without what people write differently: case, spaces, _ and -."""
    return IGNORED_IN_HEADINGS.sub("", heading).casefold()


class Table:
    """The rows of a file whose identity is known. Raises FileRejected when it has no first line or no end of a line."""

    def __init__(self, file: BinaryIO, identity: Identity, limits: Limits) -> None:
        if identity.fault:
            raise FileRejected(identity.fault)
        self._file, self._encoding, self._limits = file, identity.encoding, limits
        self._lines_read = 0
        self._returned: deque[tuple[int, str]] = deque()
        file.seek(0)
        self.headings = self._header()

    def rows(self) -> Iterator[list[FileRow]]:
        """The data rows, some thousand at a time; within such a chunk bad rows come last. Raises FileRejected."""
        numbers: list[int] = []
        texts: list[str] = []
        bad: list[FileRow] = []
        total = characters = 0
        while (found := self._record()) is not None:
            number, text, fault = found
            characters += len(text)
            if fault is None:
                numbers.append(number)
                texts.append(text)
            else:
                bad.append(FileRow(number, self._split_roughly(text), text, fault))
            total += 1
            if total > self._limits.most_rows:
                raise FileRejected(f"has more than {self._limits.most_rows:,} rows; split it")
            if len(texts) + len(bad) >= CHUNK or characters >= CHUNK_CHARACTERS:
                yield [*self._split(numbers, texts), *bad]
                numbers, texts, bad, characters = [], [], [], 0
        if texts or bad:
            yield [*self._split(numbers, texts), *bad]

    def _header(self) -> list[str]:
        line = self._line()
        while line is not None and self._blank(line[1]):
            line = self._line()
        if line is None:
            raise FileRejected("holds nothing but blank lines")
        number, text = line
        if "\r" in text:
            raise FileRejected("ends its lines with CR alone; save it with LF or CRLF line ends")
        if self._limits.headed:
            try:
                headings = next(csv.reader([text], delimiter=self._limits.delimiter, strict=True))
            except csv.Error as error:
                raise FileRejected(f"has a header in line {number} whose quotes do not match ({error})") from None
        else:
            headings = [numbered(column) for column in range(1, self._width(line) + 1)]
        if len(headings) > MOST_COLUMNS:
            raise FileRejected(f"has {len(headings)} columns, at most {MOST_COLUMNS} are read")
        return [heading.strip() for heading in headings]

    def _width(self, first: tuple[int, str]) -> int:
        """How many cells most of the first lines have, which are read again as rows."""
        lines = [first]
        while len(lines) < LINES_COUNTED and (line := self._line()) is not None:
            lines.append(line)
        self._returned.extend(lines)
        counted = Counter(len(self._split_roughly(text)) for _, text in lines if not self._blank(text))
        return counted.most_common(1)[0][0]

    def _blank(self, text: str) -> bool:
        return not text.replace(self._limits.delimiter, "").strip()

    def _line(self) -> tuple[int, str] | None:
        """The next physical line without its line end, and its number."""
        if self._returned:
            return self._returned.popleft()
        line = self._file.readline(LONGEST_LINE + 1)
        if not line:
            return None
        self._lines_read += 1
        if len(line) > LONGEST_LINE:
            raise FileRejected(f"has a line {self._lines_read} of more than {LONGEST_LINE:,} bytes; it is no CSV file")
        try:
            text = line.decode(self._encoding if self._lines_read == 1 else self._encoding.removesuffix("-sig"))
        except UnicodeDecodeError as error:
            byte = line[error.start]
            raise FileRejected(
                f"has a byte {byte:02X} in line {self._lines_read} that is neither UTF-8 nor Windows-1252"
            ) from None
        return self._lines_read, text.removesuffix("\n").removesuffix("\r")

    def _record(self) -> tuple[int, str, Fault | None] | None:
        """The next row that is not blank: its number, its text, and why it is no row of this table."""
        delimiter, width = self._limits.delimiter, len(self.headings)
        while (line := self._line()) is not None:
            number, text = line
            if '"' in text:
                return self._quoted(number, text)
            cells = text.count(delimiter) + 1
            if self._blank(text) and cells <= width:
                continue
            if "\0" in text or "\r" in text:
                return number, text, Fault("BAD_FORMAT", "", "holds a NUL or a bare carriage return, which is no text")
            return number, text, self._miscounted(cells)
        return None

    def _quoted(self, number: int, text: str) -> tuple[int, str, Fault | None]:
        taken: list[tuple[int, str]] = []

        def lines() -> Iterator[str]:
            yield text + "\n"
            left = LONGEST_LINE
            while left > 0 and len(taken) < MOST_LINES_OF_A_ROW and (line := self._line()) is not None:
                taken.append(line)
                left -= len(line[1])
                yield line[1] + "\n"

        try:
            cells = next(csv.reader(lines(), delimiter=self._limits.delimiter, strict=True))
        except csv.Error as error:
            self._returned.extendleft(reversed(taken))
            return number, text, Fault("BAD_FORMAT", "", f"its quotes do not match ({error})")
        whole = "\n".join((text, *(line for _, line in taken)))
        fault = self._miscounted(len(cells))
        if fault and any(line.count(self._limits.delimiter) + 1 == len(self.headings) for _, line in taken):
            # A stray quote ran over good rows: they are given back.
            self._returned.extendleft(reversed(taken))
            return number, text, Fault("BAD_FORMAT", "", "its quotes do not match")
        if fault is None and "\0" in whole:
            fault = Fault("BAD_FORMAT", "", "holds a NUL, which is no text")
        return number, whole, fault

    def _miscounted(self, cells: int) -> Fault | None:
        width = len(self.headings)
        if cells == width:
            return None
        return Fault("WRONG_CELL_COUNT", "", f"has {cells} cells, the header has {width}")

    def _split_roughly(self, text: str) -> tuple[str, ...]:
        """The cells of a bad row as far as they can be made out."""
        try:
            return tuple(next(csv.reader([text], delimiter=self._limits.delimiter)))
        except (csv.Error, StopIteration):
            return ()

    def _split(self, numbers: list[int], texts: list[str]) -> Iterator[FileRow]:
        if not texts:
            return
        # A second to import, which reading DAG files and starting tasks that read no file must not pay.
        import pandas as pd  # type: ignore[import-untyped]

        frame = pd.read_csv(
            io.StringIO("\n".join(texts) + "\n"),
            sep=self._limits.delimiter,
            header=None,
            names=range(len(self.headings)),
            index_col=False,
            dtype=object,
            na_filter=False,
            keep_default_na=False,
            skip_blank_lines=False,
            lineterminator="\n",
            engine="c",
            on_bad_lines="error",
        )
        if len(frame) != len(numbers):
            raise AssertionError(f"{len(numbers)} rows were counted and {len(frame)} read")
        cells = zip(*(frame[column].tolist() for column in frame), strict=True)
        for number, row in zip(numbers, cells, strict=True):
            yield FileRow(number, row, "", None)
