"""The one neutral tree that answers become, whether they came as XML or as JSON (contract 1.2).

A node is a text, a tree, or a list of them: one object or a list is all the same to nodes(). An empty element, an empty
text, null and a node that is not there are equal.
"""

from typing import Any

Tree = dict[str, Any]


def nodes(parent: Any, *path: str) -> list[Any]:
    """All nodes at a path below a tree, or below each of a list of trees, in order; texts and trees, never empty ones.

    Without a path, the tree itself or the members of the list.
    """
    found = _members(parent)
    for name in path:
        found = [one for tree in found if isinstance(tree, dict) for one in _members(tree.get(name))]
    return found


def trees(parent: Any, *path: str) -> list[Tree]:
    """As nodes(), without those that are only a text."""
    return [node for node in nodes(parent, *path) if isinstance(node, dict)]


def text(parent: Any, *path: str) -> str:
    """The first text at a path, without blanks around it; "" when there is none."""
    return next((node for node in nodes(parent, *path) if isinstance(node, str)), "")


def _members(node: Any) -> list[Any]:
    if isinstance(node, list):
        return [one for member in node for one in _members(member)]
    if isinstance(node, str):
        node = node.strip()
    return [node] if node else []
