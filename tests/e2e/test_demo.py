"""`make demo` passes only when everything landed, and says why when it did not."""

import json
import os
import re
import subprocess
import sys

from palletflow.sandbox.postgres import EmbeddedPostgres

NOBODY_THERE = {
    "conn_type": "palletforce",
    "host": "http://127.0.0.1:1/api",
    "password": "no-such-key",
    "extra": {"allow_http": True},
}


def demo(home, **more):
    try:
        return subprocess.run(
            [sys.executable, "-m", "palletflow.sandbox", "demo"],
            env={**os.environ, "PALLETFLOW_HOME": str(home), **more},
            capture_output=True,
            text=True,
            check=False,
        )
    finally:
        EmbeddedPostgres(home / "demo").remove()


def test_it_passes_with_a_table_of_what_landed(tmp_path):
    done = demo(tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "MISSING" not in done.stdout
    assert re.search(r"quarantine_replay +orders made by the replay +1 +1  ok", done.stdout)
    assert re.search(r"palletforce_statuses +consignments DELIVERED +1 +1  ok", done.stdout)


def test_it_fails_and_says_why_when_a_network_is_not_there(tmp_path):
    done = demo(tmp_path, AIRFLOW_CONN_PALLETFORCE_901=json.dumps(NOBODY_THERE))
    assert done.returncode == 1
    assert "DEMO FAILED: palletforce_import: task import_depot" in done.stdout
    assert "through connection 'palletforce_901'" in done.stdout
    assert "Connection refused" in done.stdout
