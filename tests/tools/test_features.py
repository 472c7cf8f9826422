"""The page of features names tests that there are."""

import re
from pathlib import Path

import pytest

PROJECT = Path(__file__).parents[2]
PAGE = PROJECT / "docs" / "nexus-features.md"


def named() -> list[tuple[str, str]]:
    """(file, test or "") of everything in code quotes that is a test file; `::test` alone is of the file before it."""
    found, file = [], ""
    for text in re.findall(r"`([^`\n]+)`", PAGE.read_text()):
        path, _, test = text.partition("::")
        if path.endswith(".py"):
            file = path if path.startswith("tests/") else f"tests/networks/nexus/{path}"
        if path.endswith(".py") or (not path and test):
            found.append((file, test))
    return found


@pytest.mark.parametrize(("file", "test"), named())
def test_what_the_page_names_is_there(file, test):
    source = (PROJECT / file).read_text()
    assert not test or f"def {test}(" in source
