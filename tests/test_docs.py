"""What is written holds: links lead somewhere, and the runbook knows every alert, list and test that it should."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from palletflow.desk.needs import CAUSES

PROJECT = Path(__file__).parents[1]
PACKAGE = PROJECT / "include" / "palletflow"
RUNBOOK = PROJECT / "docs" / "runbook.md"
PAGES = [
    PROJECT / "README.md",
    *sorted((PROJECT / "docs").rglob("*.md")),
    *sorted((PROJECT / "include").rglob("*.md")),
]
RULES = PROJECT / "include" / "monitoring" / "alert-rules.yaml"
CODE_BLOCK = re.compile(r"^( *)```.*?^\1```", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\((?!https?://|mailto:)([^)#\s]*)(?:#([^)\s]+))?\)")
# Where a text of ours leads to the runbook.
TO_RUNBOOK = re.compile(r"runbook\.md#([a-z0-9-]+)")
# The functions that make alerts, with the place of the subject among their arguments.
MAKERS = {"Condition": 0, "raise_alert": 1}


def prose(page: Path) -> str:
    return CODE_BLOCK.sub("", page.read_text("utf-8"))


def anchors(page: Path) -> set[str]:
    """As GitHub makes them of headings."""
    found: dict[str, int] = {}
    for heading in re.findall(r"^#+ (.+)$", prose(page), re.MULTILINE):
        plain = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading)
        anchor = re.sub(r"[^\w\- ]", "", plain.strip().lower()).replace(" ", "-")
        found[anchor] = found.get(anchor, -1) + 1
    return {f"{anchor}-{number}" if number else anchor for anchor, most in found.items() for number in range(most + 1)}


def alerts_section() -> str:
    return RUNBOOK.read_text("utf-8").partition("\n## Alerts\n")[2].partition("\n## ")[0]


def subjects() -> Iterator[tuple[str, list[str]]]:
    """The fixed parts of the subject of every alert that the code can raise, with where."""
    for file in sorted(PACKAGE.rglob("*.py")):
        source = file.read_text("utf-8")
        if not any(f"{maker}(" in source for maker in MAKERS):
            continue
        tree = ast.parse(source)
        named = dict(_assigned(tree))
        for call in (node for node in ast.walk(tree) if isinstance(node, ast.Call)):
            maker = getattr(call.func, "attr", getattr(call.func, "id", ""))
            if maker in MAKERS and len(call.args) > MAKERS[maker]:
                yield f"{file.relative_to(PROJECT)}:{call.lineno}", _parts(call.args[MAKERS[maker]], named)


def _assigned(tree: ast.AST) -> Iterator[tuple[str, ast.expr]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign) and len(node.targets) == 1:
            target = node.targets[0]
            if isinstance(target, ast.Name):
                yield target.id, node.value
            elif isinstance(target, ast.Tuple) and isinstance(node.value, ast.Tuple):
                values = zip(target.elts, node.value.elts, strict=True)
                yield from ((one.id, value) for one, value in values if isinstance(one, ast.Name))


def _parts(expression: ast.expr, named: dict[str, ast.expr]) -> list[str]:
    if isinstance(expression, ast.Name) and expression.id in named:
        return _parts(named[expression.id], named)
    if isinstance(expression, ast.Constant) and isinstance(expression.value, str):
        return [expression.value]
    if isinstance(expression, ast.JoinedStr):
        return [part for value in expression.values for part in _parts(value, named)]
    if isinstance(expression, ast.FormattedValue):
        return _parts(expression.value, named)
    return []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(PROJECT)))
def test_every_link_leads_to_a_file_and_a_heading(page: Path) -> None:
    for file, anchor in LINK.findall(prose(page)):
        target = (page.parent / file).resolve() if file else page
        assert target.exists(), f"{file} is not there"
        if anchor and target.suffix == ".md":
            assert anchor in anchors(target), f"{file}#{anchor}: no such heading"


def test_every_way_into_the_runbook_leads_to_a_heading() -> None:
    rules = [rule for group in yaml.safe_load(RULES.read_text("utf-8"))["groups"] for rule in group["rules"]]
    led = {anchor for rule in rules for anchor in TO_RUNBOOK.findall(rule["annotations"]["runbook"])}
    for folder in ("include", "dags", "plugins"):
        for file in (*(PROJECT / folder).rglob("*.py"), *(PROJECT / folder).rglob("*.html")):
            led |= set(TO_RUNBOOK.findall(file.read_text("utf-8")))

    assert led
    assert led <= anchors(RUNBOOK)


def test_the_runbook_says_what_to_do_about_every_alert_of_prometheus() -> None:
    for group in yaml.safe_load(RULES.read_text("utf-8"))["groups"]:
        for rule in group["rules"]:
            assert f"`{rule['alert']}`" in alerts_section()


def test_the_runbook_says_what_to_do_about_every_alert_that_the_code_can_raise() -> None:
    found = dict(subjects())

    assert len(found) >= 12
    for where, parts in found.items():
        assert "".join(parts).strip(), f"{where}: nothing of this alert's subject is fixed"
        pattern = r"[^`\n]*".join(re.escape(part) for part in parts)
        assert re.search(f"`[^`\n]*{pattern}[^`\n]*`", alerts_section()), f"{where}: {parts} is not in the runbook"


@pytest.mark.parametrize("page", [RUNBOOK, PROJECT / "docs" / "wants.md"], ids=lambda page: page.name)
def test_lists_of_needs_attention_are_called_as_they_are(page: Path) -> None:
    titles = {cause.title for cause in CAUSES.values()}
    named = re.findall(r"\*(?:Needs\s+attention )?→ ([^*]+)\*", page.read_text("utf-8"))

    assert named
    assert {" ".join(name.split()) for name in named} <= titles


def test_every_list_that_calls_for_a_person_at_once_is_in_the_runbook() -> None:
    for cause in CAUSES.values():
        assert cause.title in " ".join(RUNBOOK.read_text("utf-8").split()) or cause.code in ("connections", "syncs")


def test_every_test_that_a_page_names_is_there() -> None:
    files = list((PROJECT / "tests").rglob("test_*.py"))
    there = {file.name for file in files}
    for file in files:
        there |= set(re.findall(r"^ *(?:async )?def (test_\w+)", file.read_text("utf-8"), re.MULTILINE))
    for page in PAGES:
        if page.parent.name != "contracts":  # whose sources are others' tests, too
            assert set(re.findall(r"\btest_\w+(?:\.py)?(?!\w)", page.read_text("utf-8"))) <= there, page
