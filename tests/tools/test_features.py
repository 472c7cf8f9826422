"""The pages of features name tests that there are."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

PROJECT = Path(__file__).parents[2]
PAGES = {"nexus-features.md": "nexus", "palletways-photos.md": "palletways"}


def named() -> Iterator[tuple[str, str]]:
    """(file, test or "") of everything in code quotes that is a test file; `::test` alone is of the file before it."""
    for page, network in PAGES.items():
        file = ""
        for text in re.findall(r"`([^`\n]+)`", (PROJECT / "docs" / page).read_text()):
            path, _, test = text.partition("::")
            if path.endswith(".py"):
                file = path if path.startswith("tests/") else f"tests/networks/{network}/{path}"
            if path.endswith(".py") or (not path and test):
                yield file, test


@pytest.mark.parametrize(("file", "test"), list(named()))
def test_what_the_pages_name_is_there(file, test):
    source = (PROJECT / file).read_text()
    assert not test or f"def {test}(" in source
