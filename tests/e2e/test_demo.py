"""`make demo` passes only when everything landed."""

import os
import re
import subprocess
import sys

from palletflow.sandbox.postgres import EmbeddedPostgres


def test_it_passes_with_a_table_of_what_landed(tmp_path):
    try:
        done = subprocess.run(
            [sys.executable, "-m", "palletflow.sandbox", "demo"],
            env={**os.environ, "PALLETFLOW_HOME": str(tmp_path)},
            capture_output=True,
            text=True,
            check=False,
        )
    finally:
        EmbeddedPostgres(tmp_path / "demo").remove()

    assert done.returncode == 0, done.stdout + done.stderr
    assert "MISSING" not in done.stdout
    assert re.search(r"quarantine_replay +orders made by the replay +1 +1  ok", done.stdout)
    assert re.search(r"palletforce_statuses +consignments DELIVERED +1 +1  ok", done.stdout)
