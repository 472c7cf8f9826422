"""The ``data`` of a submission, XML or JSON, as one kind of tree (section 1.2)."""

import json
from typing import Any
from xml.etree.ElementTree import Element, ParseError

from defusedxml import DefusedXmlException  # type: ignore[import-untyped]
from defusedxml.ElementTree import fromstring  # type: ignore[import-untyped]

from .replies import Problem

# Every node is a list, since every node may come several times.
Node = dict[str, list[Any]]


def supplied(params: dict[str, str], root: str) -> Node:
    """The root node of ``data`` in the format that ``inputformat`` states.

    Raises Problem ERROR_FORMAT_INVALID when it is not that format, or another root.
    """
    form = params.get("inputformat", "").lower()
    data = params.get("data", "")
    tree: Any = None
    try:
        if form == "xml":
            tree = _from_xml(data)
        elif form == "json":
            tree = _from_json(json.loads(data))
    except (ValueError, ParseError, DefusedXmlException, RecursionError):
        tree = None
    if not isinstance(tree, dict) or list(tree) != [root] or not isinstance(tree[root][0], dict):
        raise Problem("ERROR_FORMAT_INVALID", "The supplied data could not be imported in the stated input format.")
    node: Node = tree[root][0]
    return node


def texts(node: Any, name: str) -> list[str]:
    """The values of a node's children of that name that hold text."""
    return [value.strip() for value in _children(node, name) if isinstance(value, str) and value.strip()]


def text(node: Any, name: str) -> str:
    """The first of them; none = ``""``."""
    return next(iter(texts(node, name)), "")


def nodes(node: Any, name: str) -> list[Node]:
    """A node's children of that name that have children themselves."""
    return [value for value in _children(node, name) if isinstance(value, dict)]


def _children(node: Any, name: str) -> list[Any]:
    return node.get(name, []) if isinstance(node, dict) else []


def _from_xml(data: str) -> Node:
    root: Element = fromstring(data.encode())
    return {root.tag: [_element(root)]}


def _element(element: Element) -> Node | str:
    if not len(element):
        return element.text or ""
    node: Node = {}
    for child in element:
        node.setdefault(child.tag, []).append(_element(child))
    return node


def _from_json(value: Any) -> Any:
    if isinstance(value, dict):
        return {
            name: [_from_json(one) for one in child] if isinstance(child, list) else [_from_json(child)]
            for name, child in value.items()
        }
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "" if value is None else str(value)
