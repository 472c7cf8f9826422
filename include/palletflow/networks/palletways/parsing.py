"""Makes the neutral tree of XML or JSON text (contract 1.2), in bounded memory and depth. Pure functions.

Both give the same: texts and trees, and a list where a name comes several times. Numbers stay the text they were.
"""

import json
import re
from typing import Any
from xml.etree.ElementTree import ParseError

from defusedxml import DefusedXmlException  # type: ignore[import-untyped]
from defusedxml.ElementTree import DefusedXMLParser  # type: ignore[import-untyped]

from palletflow.networks.palletways.tree import Tree

# A tree of that many nodes takes some 300 MB at worst.
MOST_NODES, MOST_DEPTH = 1_000_000, 64
# No text column takes them, and nothing can be encoded that has them.
NOT_STORABLE = re.compile("[\0\ud800-\udfff]")


class Unreadable(ValueError):
    """No text of that format, or one that we do not read."""


def decoded(body: bytes) -> tuple[str, bool]:
    """The text of a body, without a byte order mark; whether it had to be read as cp1252, as it is no UTF-8."""
    try:
        return body.decode("utf-8-sig"), False
    except UnicodeDecodeError:
        return body.decode("cp1252", errors="replace"), True


def from_xml(text: str) -> tuple[str, Tree | str]:
    """The root's name and node. Attributes and the text between elements are left out. Raises Unreadable.

    DTDs and entities are refused, as they are only there to do harm.
    """
    target = _Target()
    parser = DefusedXMLParser(target=target, forbid_dtd=True)
    try:
        parser.feed(text)
        root: tuple[str, Tree | str] = parser.close()
    except ParseError as error:
        raise Unreadable(f"no XML: {error}") from error
    except DefusedXmlException:
        raise Unreadable("XML with a DTD or entities") from None
    return root


def from_json(text: str) -> Any:
    """The node: a tree, a text or a list. Raises Unreadable."""
    reader = _JsonReader()
    try:
        node = _node(
            json.loads(text, object_pairs_hook=reader.tree, parse_int=str, parse_float=str, parse_constant=str)
        )
    except RecursionError:
        raise Unreadable("JSON that is nested too deeply") from None
    except ValueError as error:
        raise error if isinstance(error, Unreadable) else Unreadable(f"no JSON: {error}") from error
    _must_be_flat(node)
    return node


class _Target:
    """Builds the tree while the parser reads; without recursion, however deep it goes."""

    def __init__(self) -> None:
        self._open: list[tuple[str, Tree, list[str]]] = []
        self._nodes = 0
        self._root: tuple[str, Tree | str] | None = None

    def start(self, name: str, _: Any) -> None:
        self._nodes += 1
        if len(self._open) == MOST_DEPTH or self._nodes > MOST_NODES:
            raise Unreadable("XML that is nested too deeply or has too many elements")
        self._open.append((name.rpartition("}")[2], {}, []))

    def data(self, text: str) -> None:
        if self._open:
            self._open[-1][2].append(text)

    def end(self, _: str) -> None:
        name, children, texts = self._open.pop()
        node = children or "".join(texts).strip()
        if self._open:
            _put(self._open[-1][1], name, node)
        else:
            self._root = name, node

    def close(self) -> tuple[str, Tree | str]:
        if self._root is None:
            raise Unreadable("no XML: it has no element")
        return self._root


class _JsonReader:
    def __init__(self) -> None:
        self._nodes = 0

    def tree(self, pairs: list[tuple[str, Any]]) -> Tree:
        """One object; a name that stands in it twice becomes a list, as in XML."""
        self._nodes += 1 + len(pairs)
        if self._nodes > MOST_NODES:
            raise Unreadable("JSON that has too many objects")
        made: Tree = {}
        for name, value in pairs:
            _put(made, NOT_STORABLE.sub("\ufffd", name), _node(value))
        return made


def _put(tree: Tree, name: str, node: Any) -> None:
    there = tree.get(name)
    if there is None:
        tree[name] = node
        return
    if not isinstance(there, list):
        tree[name] = there = [there]
    there.extend(node if isinstance(node, list) else [node])


def _node(value: Any) -> Any:
    """What json made of a value, as a node; lists in lists become one list."""
    if isinstance(value, list):
        return [one for member in map(_node, value) for one in (member if isinstance(member, list) else [member])]
    if isinstance(value, bool):
        return "true" if value else "false"
    return NOT_STORABLE.sub("\ufffd", value).strip() if isinstance(value, str) else value or ""


def _must_be_flat(node: Any) -> None:
    level = [node]
    for _ in range(MOST_DEPTH):
        inner = (one.values() if isinstance(one, dict) else one for one in level if isinstance(one, dict | list))
        level = [child for children in inner for child in children if isinstance(child, dict | list)]
        if not level:
            return
    raise Unreadable("JSON that is nested too deeply")
