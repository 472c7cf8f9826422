"""The style sheets of the desk and of the page for customers, as they are served: one file each, colours included."""

import re

import pytest

from palletflow.desk.pages.render import style_sheet


@pytest.mark.parametrize("name", ["desk", "track"])
def test_every_colour_a_style_sheet_uses_comes_with_it(name):
    content = style_sheet(name)[0].decode()
    used, defined = (set(re.findall(form, content)) for form in (r"var\((--[a-z-]+)", r"(--[a-z-]+):"))
    assert used
    assert used <= defined
    assert not re.search(r"@import|url\(", content), "nothing else is loaded"
