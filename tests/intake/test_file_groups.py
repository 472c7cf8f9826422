"""Rows that belong together come together, wherever they stand and however large the file is."""

import pytest

from palletflow.intake.file_groups import grouped
from palletflow.intake.files import FileRow


def rows(*keys):
    return [FileRow(number, (key,), "", None) for number, key in enumerate(keys, 2)]


def numbers(found):
    return sorted(([row.number for row in group], surplus) for group, surplus in found)


def groups(chunks, most=99, size=0):
    return numbers(grouped(chunks, lambda row: row.cells[0], most, size))


@pytest.mark.parametrize("size", [0, 50 << 20], ids=["small file", "large file"])
def test_rows_of_one_key_come_together_in_order_and_rows_without_one_alone(size):
    found = groups([rows("b", "a", "", "b"), rows("", "a")], size=size)
    assert found == [([2], False), ([2, 5], False), ([3, 3], False), ([4], False)]


def test_what_is_more_than_a_group_may_have_follows_as_surplus():
    assert groups([rows("a", "a", "a", "a", "b")], most=2) == [([2, 3], False), ([4], True), ([5], True), ([6], False)]
