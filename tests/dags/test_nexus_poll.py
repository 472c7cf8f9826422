"""When Nexus is polled, and through what."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

POLL = Path(__file__).parents[2] / "dags" / "nexus_poll.py"
SHOW = """
import json, sys
from airflow.dag_processing.dagbag import DagBag
dag = DagBag(sys.argv[1]).dags["nexus_poll"]
print(json.dumps([dag.timetable.expression, dag.catchup, dag.max_active_runs, sorted(dag.params)]))
"""


@pytest.mark.rule("NX-7-1")
@pytest.mark.parametrize(("variable", "expected"), [("", "*/3 * * * *"), ("*/10 * * * *", "*/10 * * * *")])
def test_it_is_polled_every_three_minutes_or_as_the_environment_says_one_run_at_a_time(tmp_path, variable, expected):
    environment = {"AIRFLOW_HOME": str(tmp_path), "PALLETFLOW_NEXUS_POLL": variable}
    said = subprocess.run(
        [sys.executable, "-c", SHOW, str(POLL)],
        env=os.environ | environment | {"AIRFLOW__CORE__LOAD_EXAMPLES": "False"},
        capture_output=True,
        check=True,
        text=True,
    ).stdout.splitlines()[-1]
    assert json.loads(said) == [expected, False, 1, ["from", "to"]]


@pytest.mark.rule("NX-7-1")
def test_each_connection_is_asked_once_however_many_depots_it_has(tmp_path, monkeypatch):
    from airflow.dag_processing.dagbag import DagBag

    deployment = Path(__file__).parents[2] / "include" / "deployment.yaml"
    shared = deployment.read_text().replace("nexus_ukd101", "nexus_pgd302").replace("template: palletforce.yaml", "")
    (tmp_path / "own.yaml").write_text(shared)
    monkeypatch.setenv("PALLETFLOW_DEPLOYMENT", str(tmp_path / "own.yaml"))

    connections = DagBag(str(POLL)).dags["nexus_poll"].get_task("connections").python_callable()

    assert connections == [{"connection": "nexus_pgd302"}, {"connection": "nexus_ftd201"}]
