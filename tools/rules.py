"""Which test shows which contract rule: writes docs/contracts/RULES.md.

`python tools/rules.py` writes the list. `--check` writes nothing and exits 1 when the list is out of date or a built
rule has no test. In both modes a wrong id is an error that names file and line.

A contract page (docs/contracts/*.md) writes a rule's id in square brackets before the rule: page, section, number.
The word `later` after the id says that the rule is not built yet. The comment `<!-- built: 1, 2.4 -->` names the
sections that are built, each with its sub-sections. An id without brackets is a mention, not a rule.
A test names the rules it shows with `pytest.mark.rule`, as a decorator, a `pytestmark` or the mark of a parameter.
"""

from __future__ import annotations

import argparse
import ast
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
LIST = "docs/contracts/RULES.md"
MARKER = re.compile(r"\[([A-Z]+-\d+(?:\.\d+)*-\d+)( later)?\] *")
SECTION = re.compile(r"#{2,6} (\d+(?:\.\d+)*) ")
BUILT = re.compile(r"<!-- built:(.*?)-->")
SPECIAL = re.compile(r"[*<|\[]")  # would mean something in a Markdown table
SHORT = 80  # characters of a rule shown in the list


@dataclass(frozen=True)
class Rule:
    """One rule of a page; `section` is the one it stands in, `where` is file:line."""

    id: str
    section: str
    text: str
    built: bool
    where: str


@dataclass(frozen=True)
class Page:
    """One contract page; `sections` maps a section number to its heading, in page order."""

    path: str
    title: str
    sections: dict[str, str]
    built: list[str]
    rules: list[Rule]


@dataclass(frozen=True)
class Mark:
    """A test (`tests/x.py::test_y`) naming a rule; `where` is file:line."""

    rule: str
    test: str
    where: str


def short(line: str, start: int) -> str:
    """The beginning of the rule whose marker ends at `start`, without Markdown's signs.

    In a table the rule is the whole row, or for an id in a later cell the row's first cell and that cell.
    """
    text = MARKER.split(line[start:])[0]
    if line.startswith("|"):
        cells = text.split("|")
        cells = cells if line.count("|", 0, start) == 1 else [MARKER.sub("", line.split("|")[1]), cells[0]]
        text = ": ".join(cell.strip() for cell in cells if cell.strip())
    text = text.replace("**", "").replace("`", "").rstrip(" ,;")
    if len(text) > SHORT:
        text = text[:SHORT].rsplit(" ", 1)[0] + " …"
    return text


def read_page(path: str, text: str) -> Page:
    """Read one contract page."""
    lines = text.splitlines()
    comment = BUILT.search(text)
    built_sections = re.findall(r"[\d.]+", comment[1]) if comment else []
    page = Page(path, lines[0].lstrip("# "), {}, built_sections, [])
    section = ""
    for number, line in enumerate(lines, 1):
        if heading := SECTION.match(line):
            section = heading[1]
            page.sections[section] = MARKER.sub("", line.lstrip("# "))
        built = any(f"{section}.".startswith(f"{name}.") for name in page.built)
        for found in MARKER.finditer(line):
            rule = Rule(found[1], section, short(line, found.end()), built and not found[2], f"{path}:{number}")
            page.rules.append(rule)
    return page


def read_marks(path: str, source: str) -> Iterator[Mark]:
    """Every rule named in one test file, with the innermost class or function the mark belongs to."""

    def visit(node: ast.AST, owner: str) -> Iterator[Mark]:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            owner = f"{owner}::{node.name}"
        if isinstance(node, ast.Call) and ast.unparse(node.func) in ("pytest.mark.rule", "mark.rule"):
            for arg in node.args:
                named = arg.value if isinstance(arg, ast.Constant) else ast.unparse(arg)
                yield Mark(str(named), owner, f"{path}:{arg.lineno}")
        for child in ast.iter_child_nodes(node):
            yield from visit(child, owner)

    return visit(ast.parse(source, filename=path), path)


def errors(pages: list[Page], marks: list[Mark]) -> Iterator[str]:
    """Every id that is doubled, in a foreign section or named by a test only, and every unknown built section."""
    first: dict[str, str] = {}
    for page in pages:
        for name in page.built:
            if name not in page.sections:
                yield f"{page.path}: the comment `built` names section {name}, which the page does not have"
        for rule in page.rules:
            if rule.id in first:
                yield f"{rule.where}: {rule.id} is already the id of the rule at {first[rule.id]}"
            if rule.id.split("-")[1] != rule.section:
                yield f"{rule.where}: {rule.id} stands in section {rule.section or 'none'}"
            first.setdefault(rule.id, rule.where)
    for mark in marks:
        if mark.rule not in first:
            yield f"{mark.where}: no contract page has a rule {mark.rule} (named by {mark.test})"


def render(pages: list[Page], tests: dict[str, list[str]]) -> str:
    """RULES.md; `tests` maps a rule id to the tests that name it."""
    head = [
        "# Contract rules and their tests",
        "",
        "Written by `python tools/rules.py`; change the pages or tests.",
        "",
    ]
    head += ["| contract | rules | with a test | without a test | not built yet |", "|---|---|---|---|---|"]
    body: list[str] = []
    for page in pages:
        link = f"[{page.title}]({Path(page.path).name})"
        if not page.built:
            head.append(f"| {link} | network not built yet | | | |")
            continue
        tested = sum(rule.id in tests for rule in page.rules)
        missing = sum(rule.built and rule.id not in tests for rule in page.rules)
        head.append(f"| {link} | {len(page.rules)} | {tested} | {missing} | {len(page.rules) - tested - missing} |")
        body += ["", f"## {page.title}"]
        for section, heading in page.sections.items():
            rules = [rule for rule in page.rules if rule.section == section]
            if any(rule.built or rule.id in tests for rule in rules):
                body += ["", f"### {heading}", "", "| rule | in short | tests |", "|---|---|---|"]
                for rule in rules:
                    shown = "<br>".join(f"`{test}`" for test in tests.get(rule.id, []))
                    shown = shown or ("**none**" if rule.built else "not built yet")
                    safe = SPECIAL.sub(r"\\\g<0>", rule.text)
                    body.append(f"| {rule.id} | {safe} | {shown} |")
            elif rules:
                body += ["", f"### {heading}", "", f"Rules not built yet: {len(rules)}."]
    return "\n".join([*head, *body, ""])


def main(arguments: list[str]) -> int:
    """Write or check the list; the exit code."""
    parser = argparse.ArgumentParser(description="Lists which test shows which contract rule.")
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 unless list and tests are complete")
    check = parser.parse_args(arguments).check
    target = ROOT / LIST
    paths = sorted(path for path in target.parent.glob("*.md") if path != target)
    pages = [read_page(path.relative_to(ROOT).as_posix(), path.read_text("utf-8")) for path in paths]
    files = sorted((ROOT / "tests").rglob("*.py"))
    marks = [m for path in files for m in read_marks(path.relative_to(ROOT).as_posix(), path.read_text("utf-8"))]
    tests: dict[str, list[str]] = {}
    for mark in dict.fromkeys((mark.rule, mark.test) for mark in marks):
        tests.setdefault(mark[0], []).append(mark[1])

    wrong = list(errors(pages, marks))
    text = render(pages, tests)
    if check and not wrong:
        if not target.exists() or target.read_text("utf-8") != text:
            wrong.append(f"{LIST} is out of date: run `python tools/rules.py` and commit the result.")
        untested = [rule for page in pages for rule in page.rules if rule.built and rule.id not in tests]
        wrong += [f"{rule.where}: {rule.id} is built but no test names it: {rule.text}" for rule in untested]
    elif not wrong:
        target.write_text(text, "utf-8")
    print(
        "\n".join(wrong) or f"{LIST} is {'in date' if check else 'written'}.", file=sys.stderr if wrong else sys.stdout
    )
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
