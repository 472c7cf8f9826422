"""The process that opens files of strangers: `python -m palletflow.documents.photo_child`.

Its arguments: WANTED LIMITS MEMORY SECONDS N. It limits itself, then reads one file from its standard input and writes
frames of photo_answer.py to its standard output. File descriptor N gives the digests of pictures that are held
already, one after the other. It opens no other file, starts nothing and needs no network. photos.py starts it, and
takes it that whatever it answers may be a lie.
"""

import json
import os
import sys
from collections.abc import Sequence

from palletflow.documents import media
from palletflow.documents.child_limits import limit
from palletflow.documents.photo_answer import DIGEST_BYTES, Limits, Wanted, Writer, kind
from palletflow.documents.photo_reader import Reader


def main(arguments: Sequence[str]) -> None:
    """Reads one file."""
    wanted, limits, memory, seconds, known = arguments
    values = json.loads(limits)
    with os.fdopen(int(known), "rb") as held:
        digests = frozenset(iter(lambda: held.read(DIGEST_BYTES), b""))
    asked = Wanted(wanted), Limits(**{**values, "label_words": tuple(values["label_words"])}), digests
    # What a library prints must not get among the frames.
    out = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    with os.fdopen(0, "rb") as file:
        media_type = kind(file.read(1024))
        file.seek(0)
        reader = _reader(media_type)(Writer(out), *asked)
        limit(int(memory), float(seconds))
        reader.read(file)
    # Nothing has to be tidied up, and taking millions of objects apart takes its time.
    os._exit(0)


def _reader(media_type: str | None) -> type[Reader]:
    if media_type != media.PDF:
        return Reader
    # Half of the time that it takes to start.
    from palletflow.documents.pdf_reader import PdfReader

    return PdfReader


if __name__ == "__main__":
    main(sys.argv[1:])
