"""Writes docs/pipelines.md and the README's table of pipelines from the DAGs themselves, or checks them.

A DAG's page is its module docstring; so what Airflow shows, what the repository shows and what the code says agree.
"""

import os
import sys
import tempfile
from pathlib import Path
from typing import Any

PROJECT = Path(__file__).parents[1]
PAGE = PROJECT / "docs" / "pipelines.md"
README = PROJECT / "README.md"
BEGIN, END = "<!-- pipelines: made by `make docs` -->", "<!-- end of pipelines -->"


def dags() -> list[Any]:
    """Every DAG of dags/, by id. Raises RuntimeError when a file cannot be imported."""
    os.environ["AIRFLOW_HOME"] = tempfile.mkdtemp()
    os.environ["AIRFLOW__CORE__LOAD_EXAMPLES"] = "False"
    from airflow.dag_processing.dagbag import DagBag  # reads AIRFLOW_HOME when imported

    bag = DagBag(str(PROJECT / "dags"))
    if bag.import_errors or not bag.dags:
        raise RuntimeError(f"dags/ cannot be read: {bag.import_errors or 'no DAG found'}")
    return [bag.dags[name] for name in sorted(bag.dags)]


def wakes(dag: Any) -> str:
    """When a DAG runs, in words."""
    sweep = getattr(dag.timetable, "timetable", None)
    if sweep is not None:
        return f"as soon as work is due, and `{sweep.expression}` UTC"
    expression = getattr(dag.timetable, "expression", None)
    return f"`{expression}` UTC" if expression else "by hand"


def first_sentence(dag: Any) -> str:
    """The docstring's first line."""
    return str(dag.doc_md).strip().splitlines()[0]


def table(found: list[Any]) -> str:
    """The README's table."""
    lines = ["| pipeline | runs | what it does |", "|---|---|---|"]
    lines += [f"| `{dag.dag_id}` | {wakes(dag)} | {first_sentence(dag)} |" for dag in found]
    return "\n".join(lines)


def page(found: list[Any]) -> str:
    """docs/pipelines.md."""
    parts = [
        "# Pipelines\n\nMade by `make docs` from the DAG files; each section is what Airflow shows as the DAG's docs.\n"
    ]
    for dag in found:
        facts = (
            f"Runs {wakes(dag)} · tags {', '.join(sorted(dag.tags))}"
            f" · at most {dag.max_active_runs} run{'s' if dag.max_active_runs > 1 else ''} at a time"
            f" · parameters {', '.join(dag.params) or 'none'}"
        )
        parts.append(f"\n## {dag.dag_id}\n\n{facts}\n\n{dag.doc_md.strip()}\n")
    return "".join(parts)


def main() -> int:
    """Returns the exit status."""
    found = dags()
    readme = README.read_text("utf-8")
    before, _, rest = readme.partition(BEGIN)
    _, _, after = rest.partition(END)
    wanted = {PAGE: page(found), README: f"{before}{BEGIN}\n{table(found)}\n{END}{after}"}
    stale = [path for path, text in wanted.items() if not path.exists() or path.read_text("utf-8") != text]
    if "--check" in sys.argv:
        for path in stale:
            print(f"{path.relative_to(PROJECT)} does not say what the DAGs say; run `make docs`")
        return 1 if stale else 0
    for path in stale:
        path.write_text(wanted[path], "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
