"""Reads a list that is given in pages whose rows may move while they are read (contract 2.2). Pure functions."""

import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any

MOST_PAGES = 500

Row = dict[str, Any]


class TooManyPages(Exception):
    """The list does not end."""


def unseen(
    page: Callable[[int], list[Row]], overlap: int, key: Callable[[Mapping[str, Any]], str]
) -> Iterator[list[Row]]:
    """The rows of each page that no page before had; a row without a key is known by all it says.

    `page` gives the rows from an offset. The end is a page without a new row, never a short one [NX-2.2-13]. Raises
    TooManyPages.
    """
    seen: set[str] = set()
    offset = 0
    for _ in range(MOST_PAGES):
        rows = page(offset)
        fresh: list[Row] = []
        for row in rows:
            name = key(row) or json.dumps(row, sort_keys=True, default=str)
            if name not in seen:
                seen.add(name)
                fresh.append(row)
        if not fresh:
            return
        yield fresh
        offset += max(1, len(rows) - overlap)
    raise TooManyPages
