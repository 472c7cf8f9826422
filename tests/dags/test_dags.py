"""What every DAG keeps to, whoever writes the next one."""

import ast
import hashlib
import os
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest
from airflow.sdk import AssetOrTimeSchedule

from palletflow.airflow.defaults import TAGS
from palletflow.airflow.notify import FailureNotifier
from palletflow.airflow.retries import PalletflowRetries

DAGS = Path(__file__).parents[2] / "dags"
FILES = sorted(DAGS.glob("*.py"))


@pytest.fixture(scope="module")
def bag(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AIRFLOW__CORE__LOAD_EXAMPLES", "False")
        from airflow.dag_processing.dagbag import DagBag

        found = DagBag(str(DAGS))
    assert found.dags, "an empty bag proves nothing"
    return found


def test_every_file_gives_the_one_dag_of_its_name(bag):
    assert bag.import_errors == {}
    assert {name: Path(dag.fileloc).stem for name, dag in bag.dags.items()} == {file.stem: file.stem for file in FILES}


@pytest.mark.parametrize("name", [file.stem for file in FILES])
def test_a_dag_keeps_the_house_rules(bag, name):
    dag = bag.dags[name]
    assert "**When it fails.**" in dag.doc_md
    assert dag.tags
    assert dag.tags <= TAGS
    drains = isinstance(dag.timetable, AssetOrTimeSchedule)
    # The one run of a dead worker must not keep what is due from the next one.
    assert dag.max_active_runs == (2 if drains else 1)
    assert not dag.catchup
    assert dag.deadline
    assert isinstance(dag.on_failure_callback, FailureNotifier)
    for task in dag.tasks:
        assert task.owner == "palletflow"
        assert timedelta(0) < task.execution_timeout <= timedelta(hours=1)
        policy = getattr(task, "retry_policy", None) or task.partial_kwargs["retry_policy"]
        assert isinstance(policy, PalletflowRetries)
        assert task.retries > 0


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_a_dag_file_is_wiring_only(file):
    source = file.read_text()
    assert len(source.splitlines()) <= 60
    called = {node.attr for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Attribute)}
    assert not called & {"now", "today", "utcnow", "get_connection", "environ", "getenv"}


SERIALIZE = """
import sys
from airflow.dag_processing.dagbag import DagBag
from airflow.serialization.serialized_objects import DagSerialization
import json
bag = DagBag(sys.argv[1])
print(json.dumps({name: DagSerialization.to_dict(dag) for name, dag in bag.dags.items()}, sort_keys=True, default=str))
"""


def test_two_parses_give_the_same_dags(tmp_path):
    """A DAG that differs from parse to parse makes a new version of itself every half minute."""
    said = set()
    for _ in range(2):
        output = subprocess.run(
            [sys.executable, "-c", SERIALIZE, str(DAGS)],
            env=os.environ | {"AIRFLOW_HOME": str(tmp_path), "AIRFLOW__CORE__LOAD_EXAMPLES": "False"},
            capture_output=True,
            check=True,
            text=True,
        ).stdout.splitlines()[-1]
        assert '"palletforce_import"' in output
        said.add(hashlib.sha256(output.encode()).hexdigest())
    assert len(said) == 1
