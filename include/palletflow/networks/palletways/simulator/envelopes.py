"""Envelopes as XML and JSON (sections 1.2 and 1.3).

A tree's values are texts, trees, and lists of either; a list is a node that may come several times.
"""

import json
from collections.abc import Iterator
from typing import Any
from xml.sax.saxutils import escape

from .replies import Problem, Reply, Tree
from .switches import Switches

_DECLARATION = '<?xml version="1.0" encoding="UTF-8"?>'
# The root of XML whose wrapper is switched off: there must be one.
_BARE_ROOT = "Answer"


def found(data: list[Any]) -> Tree:
    """The envelope of a read call. Raises Problem when there is nothing."""
    if not data:
        raise Problem("NO_RESULTS_FOUND", "No results found.", {"Count": "0", "Detail": {"Data": []}})
    return {**_status("OK", "Successful", str(len(data))), "Detail": {"Data": data}}


def done(detail: Tree) -> Tree:
    """The envelope of a submission."""
    return {**_status("OK", "Successful"), "Detail": detail}


def refused(problem: Problem) -> Tree:
    """The envelope of what the network refuses, or finds nothing for."""
    more = dict(problem.more)
    return {**_status(problem.code, problem.description, more.pop("Count", "")), **more}


def rendered(tree: Tree, format_: str, switches: Switches) -> Reply:
    """The tree in ``xml`` or ``json``, wrapped and listed as the switches say."""
    wrapper = switches["wrapper"]
    if format_ == "xml":
        root = _BARE_ROOT if wrapper == "off" else "Response"
        return Reply(200, f"{_DECLARATION}<{root}>{''.join(_xml(tree))}</{root}>".encode(), "text/xml; charset=utf-8")
    shown = _plain(tree, lists=switches["single_as"] == "array")
    if wrapper == "on":
        shown = {"Response": shown}
    return Reply(200, json.dumps(shown, ensure_ascii=False).encode(), "application/json")


def _status(code: str, description: str, count: str = "") -> Tree:
    status = {"Code": code, "Description": description}
    return {"Status": {**status, "Count": count} if count else status}


def _xml(tree: Tree) -> Iterator[str]:
    for name, value in tree.items():
        # Nothing found still has its empty node.
        for one in value or [""] if isinstance(value, list) else [value]:
            text = "".join(_xml(one)) if isinstance(one, dict) else escape(str(one))
            yield f"<{name}>{text}</{name}>" if text else f"<{name}/>"


def _plain(value: Any, *, lists: bool) -> Any:
    if isinstance(value, dict):
        return {name: _plain(one, lists=lists) for name, one in value.items()}
    if isinstance(value, list):
        if len(value) == 1 and not lists:
            return _plain(value[0], lists=lists)
        return [_plain(one, lists=lists) for one in value]
    return str(value)
