"""tools/rules.py, run as its own process in a small project of its own."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

TOOL = Path(__file__).parents[2] / "tools" / "rules.py"

PAGE = """\
# Demo contract
<!-- built: 1, 2.4 -->
A test names XX-1.1-1 without brackets; so does this line, and it adds no rule.
## 1 Transport
### 1.1 Connection
| item | value | basis |
|---|---|---|
| [XX-1.1-1] base URL | `https://` and **no** default | documented |
| [XX-1.1-2] refused | no retry | [XX-1.1-3 later] once for uploads |
## 2 Operations
### 2.4 Pull, [XX-2.4-1] always by depot
1. [XX-2.4-2] One page a call; [XX-2.4-3] from <= time < to, read as `a|b`.
### 2.40 Push
[XX-2.40-1] Looks like a part of 2.4 and is not. [XX-2.40-2] Nor is this.
## 3 Notes
No rule here.
"""

TESTS = """\
import pytest
from pytest import mark

pytestmark = [pytest.mark.rule("XX-2.4-1")]

@pytest.mark.rule("XX-1.1-1", "XX-2.4-2")
def test_base(): ...

@mark.rule("XX-1.1-1")
async def test_base_again(): ...

class TestPull:
    @pytest.mark.parametrize("way", [pytest.param(1, marks=pytest.mark.rule("XX-2.4-3")), 2])
    def test_window(self, way): ...

@pytest.mark.rule("XX-1.1-2")
class TestRefused:
    def test_once(self): ...
"""


class Project:
    """A folder with the tool, one contract page and one test file."""

    def __init__(self, root: Path) -> None:
        self.list = root / "docs/contracts/RULES.md"
        self.page = root / "docs/contracts/demo.md"
        self.tests = root / "tests/part/test_demo.py"
        self.tool = root / "tools/rules.py"
        for path in (self.page, self.tests, self.tool):
            path.parent.mkdir(parents=True)
        shutil.copy(TOOL, self.tool)
        self.page.write_text(PAGE)
        self.tests.write_text(TESTS)

    def run(self, *arguments: str) -> tuple[int, str]:
        """Exit code and everything printed."""
        done = subprocess.run([sys.executable, self.tool, *arguments], capture_output=True, text=True, check=False)
        return done.returncode, done.stdout + done.stderr

    def change(self, path: Path, old: str, new: str) -> None:
        text = path.read_text()
        assert old in text
        path.write_text(text.replace(old, new))

    def line(self, path: Path, part: str) -> int:
        return next(number for number, line in enumerate(path.read_text().splitlines(), 1) if part in line)


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(tmp_path)


def test_lists_every_rule_with_the_tests_that_name_it(project: Project) -> None:
    assert project.run() == (0, "docs/contracts/RULES.md is written.\n")

    lines = project.list.read_text().splitlines()
    demo = "tests/part/test_demo.py"
    assert "| [Demo contract](demo.md) | 8 | 5 | 0 | 3 |" in lines
    assert "### 1.1 Connection" in lines
    base = f"`{demo}::test_base`<br>`{demo}::test_base_again`"
    assert f"| XX-1.1-1 | base URL: https:// and no default: documented | {base} |" in lines
    assert f"| XX-1.1-2 | refused: no retry | `{demo}::TestRefused` |" in lines
    assert "| XX-1.1-3 | refused: once for uploads | not built yet |" in lines
    assert "### 2.4 Pull, always by depot" in lines
    assert f"| XX-2.4-1 | always by depot | `{demo}` |" in lines
    assert f"| XX-2.4-3 | from \\<= time \\< to, read as a\\|b. | `{demo}::TestPull::test_window` |" in lines
    assert lines[lines.index("### 2.40 Push") + 2] == "Rules not built yet: 2."
    assert not any("Notes" in line for line in lines)


def test_a_long_rule_is_cut_at_a_word(project: Project) -> None:
    project.change(project.page, "One page a call", "word " * 30)
    project.run()

    row = next(line for line in project.list.read_text().splitlines() if line.startswith("| XX-2.4-2 |"))
    assert row.split(" | ")[1] == "word " * 16 + "…"


def test_check_passes_when_the_list_is_in_date_and_every_built_rule_has_a_test(project: Project) -> None:
    project.run()

    assert project.run("--check") == (0, "docs/contracts/RULES.md is in date.\n")


def test_check_names_a_built_rule_without_a_test_and_where_it_is_written(project: Project) -> None:
    project.change(project.tests, '"XX-1.1-1", "XX-2.4-2"', '"XX-1.1-1"')
    assert project.run()[0] == 0
    assert "| XX-2.4-2 | One page a call | **none** |" in project.list.read_text()

    code, said = project.run("--check")

    line = project.line(project.page, "[XX-2.4-2]")
    assert (code, said) == (
        1,
        f"docs/contracts/demo.md:{line}: XX-2.4-2 is built but no test names it: One page a call\n",
    )


def test_taking_the_word_later_away_makes_a_test_necessary(project: Project) -> None:
    project.change(project.page, "[XX-1.1-3 later]", "[XX-1.1-3]")
    project.run()

    code, said = project.run("--check")

    assert code == 1
    assert "XX-1.1-3 is built but no test names it" in said


def test_a_test_for_a_rule_of_an_unbuilt_section_is_listed(project: Project) -> None:
    project.change(project.tests, '"XX-1.1-2"', '"XX-1.1-2", "XX-2.40-1"')
    project.run()

    text = project.list.read_text()
    assert "| Looks like a part of 2.4 and is not. | `tests/part/test_demo.py::TestRefused` |" in text
    assert "| XX-2.40-2 | Nor is this. | not built yet |" in text
    assert project.run("--check")[0] == 0


def test_a_page_with_nothing_built_is_a_network_not_built_yet(project: Project) -> None:
    (project.page.parent / "other.md").write_text("# Other contract\n<!-- built: -->\n## 1 Transport\nText.\n")
    project.run()

    assert "| [Other contract](other.md) | network not built yet | | | |" in project.list.read_text()
    assert project.run("--check")[0] == 0


@pytest.mark.parametrize("changed", ["page", "tests", "list"])
def test_check_fails_when_the_list_is_out_of_date_and_leaves_it_alone(project: Project, changed: str) -> None:
    project.run()
    if changed == "page":
        project.change(project.page, "no retry", "one retry")
    elif changed == "tests":
        project.change(project.tests, "test_base_again", "test_base_twice")
    else:
        project.list.unlink()
    before = project.list.read_text() if project.list.exists() else None

    code, said = project.run("--check")

    assert code == 1
    assert said == "docs/contracts/RULES.md is out of date: run `python tools/rules.py` and commit the result.\n"
    assert (project.list.read_text() if project.list.exists() else None) == before


@pytest.mark.parametrize("arguments", [(), ("--check",)])
class TestWrongIds:
    """Reported in both modes, and nothing is written."""

    def refused(self, project: Project, arguments: tuple[str, ...]) -> str:
        code, said = project.run(*arguments)
        assert code == 1
        assert not project.list.exists()
        return said

    @pytest.mark.parametrize(("argument", "named"), [('"XX-9-9"', "XX-9-9"), ("*IDS", "*IDS")])
    def test_unknown_in_a_test(self, project: Project, arguments: tuple[str, ...], argument: str, named: str) -> None:
        project.change(project.tests, '"XX-1.1-1")\nasync', f'"XX-1.1-1", {argument})\nasync')

        line = project.line(project.tests, argument)
        test = "tests/part/test_demo.py"
        expected = f"{test}:{line}: no contract page has a rule {named} (named by {test}::test_base_again)\n"
        assert self.refused(project, arguments) == expected

    def test_twice_in_a_page(self, project: Project, arguments: tuple[str, ...]) -> None:
        project.change(project.page, "[XX-2.4-2]", "[XX-2.4-1]")
        project.change(project.tests, ', "XX-2.4-2"', "")

        second = project.line(project.page, "1. [XX-2.4-1]")
        assert self.refused(project, arguments) == (
            f"docs/contracts/demo.md:{second}: XX-2.4-1 is already the id of the rule at "
            f"docs/contracts/demo.md:{second - 1}\n"
        )

    def test_of_another_section(self, project: Project, arguments: tuple[str, ...]) -> None:
        project.change(project.page, "No rule here.", "[XX-1.1-4] Strayed.")

        line = project.line(project.page, "Strayed")
        assert self.refused(project, arguments) == f"docs/contracts/demo.md:{line}: XX-1.1-4 stands in section 3\n"

    def test_of_a_built_section_that_does_not_exist(self, project: Project, arguments: tuple[str, ...]) -> None:
        project.change(project.page, "built: 1, 2.4 ", "built: 1, 2.4, 2.5 ")

        said = self.refused(project, arguments)
        assert said == "docs/contracts/demo.md: the comment `built` names section 2.5, which the page does not have\n"
